//! The error log: `wsgi.errors`, standard streams, exceptions.

use wsgi_core::level::Level;

use crate::support::{Call, PROCESS_LOG, Script};

#[test]
fn lines_are_records() {
    let script = Script::new(
        "import sys\n\
         def application(e, s):\n\
         \x20   x = e['wsgi.errors']\n\
         \x20   x.write('one\\ntwo')\n\
         \x20   x.write(' more\\n')\n\
         \x20   x.writelines(['a\\n', 'b\\n'])\n\
         \x20   x.buffer.write(b'caf\\xc3\\xa9 \\xff\\n')\n\
         \x20   x.write('nul \\0 after\\n')\n\
         \x20   x.write('x' * 9000 + '\\n')\n\
         \x20   print('printed', 5)\n\
         \x20   print('to stderr', file=sys.stderr)\n\
         \x20   sys.stdout.write('unfinished out')\n\
         \x20   x.write('unfinished')\n\
         \x20   s('200 OK', [])\n\
         \x20   return [b'']\n",
    );
    let answer = script.get();
    let prefix = format!("[script {}] ", script.path().display());
    let lines: Vec<_> =
        answer.errors().iter().map(|line| line.strip_prefix(&prefix).unwrap()).collect();
    assert_eq!(
        lines,
        [
            "one",
            "two",
            " more",
            "a",
            "b",
            "caf\u{e9} \u{fffd}",
            "nul \\x00 after",
            &"x".repeat(7000),
            &"x".repeat(2000),
            "printed 5",
            "to stderr",
            "unfinished",
            "unfinished out",
        ]
    );
}

#[test]
fn the_stream_behaves_like_a_file() {
    let script = Script::new(
        "import sys\n\
         def application(e, s):\n\
         \x20   x = e['wsgi.errors']\n\
         \x20   try: x.fileno()\n\
         \x20   except OSError as error: text = str(error)\n\
         \x20   assert not x.isatty() and x.writable() and not x.readable()\n\
         \x20   assert x.encoding == 'utf-8' and x.errors == 'replace'\n\
         \x20   assert sys.stderr.name == '<stderr>' and sys.stdout.name == '<stdout>'\n\
         \x20   s('200 OK', [])\n\
         \x20   return [text.encode()]\n",
    );
    script.get().assert_text("<wsgi.errors> has no file descriptor");
}

#[test]
fn tracebacks_follow_their_header_line_by_line() {
    let script = Script::new(
        "def broken():\n    raise ValueError('first\\nsecond')\n\
         def application(e, s):\n    broken()\n",
    );
    let answer = script.get();
    let path = script.path().display().to_string();
    let errors = answer.errors();
    assert_eq!(
        errors[0],
        format!(
            "WSGI0174: [script {path}] ValueError exception raised processing WSGI script \
             '{path}' for main interpreter in daemon process group 'group'."
        )
    );
    assert_eq!(errors[1], "Traceback (most recent call last):");
    assert!(errors.contains(&format!("  File \"{path}\", line 4, in application").as_str()));
    assert_eq!(errors[errors.len() - 2..], ["ValueError: first", "second"]);
}

#[test]
fn a_traceback_needs_no_module() {
    let script = Script::new(
        "import sys\n\
         def application(e, s):\n\
         \x20   sys.modules['traceback'] = None\n\
         \x20   raise ValueError('bare')\n",
    );
    // An interpreter of its own: others go on with theirs.
    let answer = script.serve(&Call { group: "without-traceback", ..Call::default() });
    let path = script.path().display().to_string();
    let place = format!("  File \"{path}\", line 4, in application");
    let end = ["Traceback (most recent call last):", &place, "ValueError: bare"];
    assert!(answer.errors().ends_with(&end), "{:?}", answer.errors());
}

#[test]
fn system_exit_does_not_end_the_process() {
    let script = Script::new("import sys\ndef application(e, s):\n    sys.exit(3)\n");
    let answer = script.get();
    answer.assert_failed("SystemExit exception raised by WSGI script");
    assert!(answer.logged("WSGI0175") && answer.logged("ignored"));
    script.get().assert_failed("SystemExit: 3");
}

#[test]
fn exceptions_that_cannot_be_shown_are_named() {
    let script = Script::new(
        "class Bad(Exception):\n    def __str__(self): raise ValueError()\n\
         def application(e, s):\n    raise Bad()\n",
    );
    script.get().assert_failed("Bad exception raised processing WSGI script");
}

#[test]
fn threads_without_a_request_write_to_the_process_log() {
    let script = Script::new(
        "import threading, sys\n\
         def application(e, s):\n\
         \x20   t = threading.Thread(target=lambda: print('from a thread'))\n\
         \x20   t.start(); t.join()\n\
         \x20   s('200 OK', [])\n\
         \x20   return [b'']\n",
    );
    script.get().assert_text("");
    let log = PROCESS_LOG.lock().unwrap();
    assert!(log.contains(&(Level::ERROR, "from a thread".to_owned())));
}

#[test]
fn signals_stay_with_the_host() {
    let script = Script::new(
        "import signal\n\
         def application(e, s):\n\
         \x20   before = signal.getsignal(signal.SIGUSR1)\n\
         \x20   handler = lambda *_: None\n\
         \x20   assert signal.signal(signal.SIGUSR1, handler) is handler\n\
         \x20   assert signal.getsignal(signal.SIGUSR1) is before\n\
         \x20   s('200 OK', [])\n\
         \x20   return [b'']\n",
    );
    let answer = script.get();
    answer.assert_text("");
    assert!(answer.logged("callback registration for signal 10 ignored"));
}

#[test]
fn no_request_finds_what_another_one_did_to_its_stream() {
    let script = Script::new(
        "import io, weakref\n\
         kept = []\n\
         def keep(x): kept.append(x)\n\
         def keep_log(x): kept.append(x.buffer)\n\
         def mark(x): x.mark = 1\n\
         def refer(x): kept.append(weakref.ref(x))\n\
         def change(x): x.reconfigure(newline='\\r', errors='strict')\n\
         def buffer(x): x.reconfigure(line_buffering=False, write_through=False)\n\
         def make_anew(x): x.__init__(x.buffer, 'latin-1')\n\
         def replace(x): x.__init__(io.BytesIO(), 'latin-1')\n\
         def detach(x): x.detach()\n\
         def close(x): x.close()\n\
         def nothing(x): pass\n\
         steps = [keep, keep_log, mark, refer, change, buffer, make_anew, replace, detach, close,\n\
         \x20        nothing]\n\
         def application(e, s):\n\
         \x20   x = e['wsgi.errors']\n\
         \x20   if e['QUERY_STRING']:\n\
         \x20       steps[int(e['QUERY_STRING'])](x)\n\
         \x20   else:\n\
         \x20       assert not hasattr(x, 'mark') and not x.closed and not x.__dict__\n\
         \x20       assert weakref.getweakrefcount(x) == 0\n\
         \x20       assert (x.encoding, x.errors) == ('utf-8', 'replace')\n\
         \x20       assert x.line_buffering and x.write_through\n\
         \x20       print('\\u20ac', file=x)\n\
         \x20       assert not any(old is x or old is x.buffer for old in kept)\n\
         \x20   s('200 OK', [])\n\
         \x20   return [str(len(steps)).encode()]\n",
    );
    let query = |text: &str| Call {
        entries: vec![(b"QUERY_STRING".to_vec(), Some(text.as_bytes().to_vec()))],
        ..Call::default()
    };
    for step in 0..11 {
        script.serve(&query(&step.to_string())).assert_text("11");
        let answer = script.serve(&query(""));
        let records = answer.errors();
        assert!(matches!(records[..], [record] if record.ends_with("] \u{20ac}")), "{records:?}");
        assert_eq!(answer.text(), "11");
    }
}
