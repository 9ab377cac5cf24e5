//! Environ, scripts and the course of a request.

use wsgi_core::{
    exchange::{Outcome, Pace},
    headers::Headers,
};

use crate::support::{Call, Script};

#[test]
fn hello_is_answered_in_one_block() {
    let script = Script::new(
        "def application(environ, start_response):\n\
         \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
         \x20   return [b'Hello']\n",
    );
    let answer = script.get();
    answer.assert_text("Hello");
    assert_eq!(answer.begun, 1);
    assert_eq!(answer.blocks, [(b"Hello".to_vec(), Pace::More)]);
    let head = answer.head.unwrap();
    assert_eq!((head.status, &*head.reason), (200, &b"OK"[..]));
    assert_eq!(head.inferred_length, Some(5));
    assert_eq!(head.headers, Headers::from_iter([("Content-Type", "text/plain")]));
}

#[test]
fn the_environ_is_complete() {
    let script = Script::new(
        "import sys, os, mod_wsgi, apache\n\
         def application(environ, start_response):\n\
         \x20   e = environ\n\
         \x20   assert type(e) is dict\n\
         \x20   assert e['wsgi.version'] == (1, 0)\n\
         \x20   assert e['wsgi.url_scheme'] == 'http'\n\
         \x20   assert e['wsgi.input_terminated'] is True\n\
         \x20   assert e['wsgi.multithread'] is True and e['wsgi.multiprocess'] is False\n\
         \x20   assert e['wsgi.run_once'] is False\n\
         \x20   assert e['wsgi.file_wrapper'] is mod_wsgi.FileWrapper\n\
         \x20   assert type(e['wsgi.errors']).__name__ == 'TextIOWrapper'\n\
         \x20   assert e['wsgi.errors'].name == '<wsgi.errors>'\n\
         \x20   assert type(e['wsgi.input']).__module__ == 'mod_wsgi'\n\
         \x20   assert e['mod_wsgi.version'] == mod_wsgi.version == (6, 1, 1)\n\
         \x20   assert e['apache.version'] == apache.version == (2, 4, 71)\n\
         \x20   assert e['mod_wsgi.process_group'] == mod_wsgi.process_group == 'group'\n\
         \x20   assert e['mod_wsgi.application_group'] == mod_wsgi.application_group == ''\n\
         \x20   assert e['mod_wsgi.callable_object'] == 'application'\n\
         \x20   assert e['mod_wsgi.thread_id'] == 4\n\
         \x20   assert e['mod_wsgi.request_start'] == 1700000000.5\n\
         \x20   assert e['mod_wsgi.queue_start'] == e['mod_wsgi.daemon_start'] == 0.0\n\
         \x20   assert e['mod_wsgi.application_start'] > 1700000000\n\
         \x20   assert e['HTTP_LATIN'] == 'caf\\xe9', e['HTTP_LATIN']\n\
         \x20   assert e['NOTHING'] is None\n\
         \x20   assert e['TWICE'] == 'second'\n\
         \x20   assert (mod_wsgi.maximum_processes, apache.maximum_processes) == (3, 5)\n\
         \x20   assert mod_wsgi.threads_per_process == 15\n\
         \x20   assert mod_wsgi.rs_version\n\
         \x20   assert issubclass(mod_wsgi.RequestTimeout, BaseException)\n\
         \x20   assert not issubclass(mod_wsgi.RequestTimeout, Exception)\n\
         \x20   assert sys.argv == ['mod_wsgi'] and sys.path[0] == '/tmp'\n\
         \x20   assert sys.path[1].endswith('tests/engine'), sys.path\n\
         \x20   assert os.environ['HOME'] == '/home/someone'\n\
         \x20   assert __name__.startswith('_mod_wsgi_') and __file__ == e['SCRIPT_FILENAME']\n\
         \x20   assert sys.modules[__name__].__mtime__ > 1700000000000000\n\
         \x20   start_response('200 OK', [])\n\
         \x20   return [b'ok']\n",
    );
    let entry = |key: &[u8], value: &[u8]| (key.to_vec(), Some(value.to_vec()));
    let entries = vec![
        entry(b"HTTP_LATIN", b"caf\xe9"),
        (b"NOTHING".to_vec(), None),
        entry(b"TWICE", b"first"),
        entry(b"TWICE", b"second"),
    ];
    script.serve(&Call { entries, ..Call::default() }).assert_text("ok");
}

#[test]
fn entries_are_those_of_the_request_whatever_came_before() {
    let script = Script::new(
        "def application(environ, start_response):\n\
         \x20   names = ['SERVER_NAME', 'SERVER_ADMIN', 'REMOTE_ADDR', 'HTTP_HOST', 'OTHER',\n\
         \x20            'wsgi.version', 'wsgi.url_scheme']\n\
         \x20   start_response('200 OK', [])\n\
         \x20   text = ' '.join(str(environ.get(name, '-')) for name in names)\n\
         \x20   environ.clear()\n\
         \x20   return [text.encode()]\n",
    );
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("SERVER_NAME", "a"), ("SERVER_ADMIN", "b"), ("REMOTE_ADDR", "c")], "a b c - - "),
        (&[("SERVER_NAME", "a"), ("HTTP_HOST", "h"), ("OTHER", "o")], "a - - h o "),
        (&[("SERVER_ADMIN", "x"), ("SERVER_NAME", "y")], "y x - - - "),
        (&[("SERVER_NAME", "y"), ("SERVER_NAME", "a")], "a - - - - "),
        (&[("SERVER_NAME", "a"), ("SERVER_NAME", "y")], "y - - - - "),
        (&[("wsgi.version", "x"), ("wsgi.url_scheme", "x")], "- - - - - "),
    ];
    for (entries, wanted) in cases {
        let entry = |(key, value): &(&str, &str)| {
            (key.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))
        };
        let entries = entries.iter().map(entry).collect();
        let answer = script.serve(&Call { entries, group: "entries", ..Call::default() });
        answer.assert_text(&format!("{wanted}(1, 0) http"));
    }
}

#[test]
fn an_empty_outcome_needs_no_body() {
    let script = Script::new(
        "def application(environ, start_response):\n\
         \x20   start_response('204 No Content', [])\n\
         \x20   return []\n",
    );
    let answer = script.get();
    assert_eq!(answer.outcome, Outcome::Completed);
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.head.unwrap().inferred_length, None);
}
