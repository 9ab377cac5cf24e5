//! `wsgi.input`.

use crate::support::{Answer, Call, Script};

/// An application that answers `repr(expression)`; `i` is the input.
fn script(expression: &str) -> Script {
    Script::new(&format!(
        "def application(e, s):\n\
         \x20   i = e['wsgi.input']\n\
         \x20   try:\n\
         \x20       result = {expression}\n\
         \x20   except Exception as x:\n\
         \x20       result = x\n\
         \x20   s('200 OK', [])\n\
         \x20   return [repr(result).encode()]\n"
    ))
}

fn post(expression: &str, pieces: &[&[u8]]) -> String {
    script(expression).post(pieces).text()
}

#[test]
fn read() {
    assert_eq!(post("i.read()", &[]), "b''");
    assert_eq!(post("i.read()", &[b"ab", b"cd"]), "b'abcd'");
    assert_eq!(post("i.read(-1)", &[b"ab", b"cd"]), "b'abcd'");
    assert_eq!(post("i.read(3), i.read(3), i.read(3)", &[b"ab", b"cd"]), "(b'abc', b'd', b'')");
    assert_eq!(post("i.read(0), i.read()", &[b"ab"]), "(b'', b'ab')");
    assert_eq!(post("i.read(10**18)", &[b"ab"]), "b'ab'");
    assert_eq!(
        post("i.readline(), i.read(1), i.read()", &[b"a\nbc\nd"]),
        "(b'a\\n', b'b', b'c\\nd')"
    );
    let message = "'NoneType' object cannot be interpreted as an integer";
    assert_eq!(post("i.read(None)", &[b"ab"]), format!("TypeError(\"{message}\")"));
    assert_eq!(post("i.read(1, 2)", &[]), "TypeError('read() takes at most 1 argument (2 given)')");
}

#[test]
fn big_bodies_arrive_whole() {
    let pieces: Vec<Vec<u8>> = (0..200u8).map(|n| vec![n; 50_000]).collect();
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let sum =
        "(lambda b: (len(b), hash(b) == hash(b''.join(bytes([n]) * 50000 for n in range(200)))))";
    for read in [
        "i.read()",
        "i.read(10_000_000)",
        "b''.join(iter(lambda: i.read(70000), b''))",
        "b''.join(i)",
    ] {
        assert_eq!(post(&format!("{sum}({read})"), &pieces), "(10000000, True)", "{read}");
    }
}

#[test]
fn lines() {
    let pieces: &[&[u8]] = &[b"one\ntw", b"o\n", b"\nlast"];
    assert_eq!(post("i.readlines()", pieces), "[b'one\\n', b'two\\n', b'\\n', b'last']");
    assert_eq!(post("list(i)", pieces), "[b'one\\n', b'two\\n', b'\\n', b'last']");
    assert_eq!(post("i.readlines(5)", pieces), "[b'one\\n', b'two\\n']");
    assert_eq!(post("i.readlines(0)", &[b"a\nb"]), "[b'a\\n', b'b']");
    assert_eq!(
        post("i.readline(2), i.readline(0), i.readline(), i.readline(-1)", pieces),
        "(b'on', b'', b'e\\n', b'two\\n')"
    );
    assert_eq!(post("i.close(), i.read()", &[b"x"]), "(None, b'x')");
}

#[test]
fn methods_that_files_have_and_inputs_do_not() {
    assert_eq!(
        post("[n for n in ('seek', 'tell', 'readinto', 'fileno') if hasattr(i, n)]", &[]),
        "[]"
    );
    assert_eq!(post("type(i)", &[]), "<class 'mod_wsgi.Input'>");
    let text = post("type(i)()", &[]);
    assert!(text.contains("cannot create 'mod_wsgi.Input' instances"), "{text}");
}

#[test]
fn errors_are_os_errors_and_stay() {
    let script = Script::new(
        "def application(e, s):\n\
         \x20   texts = []\n\
         \x20   for read in (e['wsgi.input'].read, e['wsgi.input'].readline):\n\
         \x20       try: read()\n\
         \x20       except OSError as x: texts.append(str(x))\n\
         \x20   s('200 OK', [])\n\
         \x20   return ['\\n'.join(texts).encode()]\n",
    );
    let body = vec![Ok(b"ab".to_vec()), Err("Connection reset by peer".to_owned())];
    let answer = script.serve(&Call { body, ..Call::default() });
    answer.assert_text(
        "mod_wsgi request data read error: Connection reset by peer\n\
         mod_wsgi request data read error: input is already in error state",
    );
}

#[test]
fn objects_of_a_finished_request_say_so() {
    let script = Script::new(
        "kept = {}\n\
         def application(e, s):\n\
         \x20   if not kept:\n\
         \x20       kept.update(e=e, s=s, w=s('200 OK', []))\n\
         \x20       return [b'']\n\
         \x20   texts = []\n\
         \x20   i, x = kept['e']['wsgi.input'], kept['e']['wsgi.errors']\n\
         \x20   for call in (lambda: i.read(), lambda: i.readline(), lambda: i.readlines(),\n\
         \x20                lambda: list(i), lambda: i.close(), lambda: x.write('x\\n'),\n\
         \x20                lambda: kept['w'](b'x'), lambda: kept['s']('200 OK', [])):\n\
         \x20       try: call()\n\
         \x20       except RuntimeError as error: texts.append(str(error))\n\
         \x20   s('200 OK', [])\n\
         \x20   return ['\\n'.join(texts).encode()]\n",
    );
    let first: Answer = script.get();
    first.assert_text("");
    script.get().assert_text(
        "read() called on wsgi.input after request completed\n\
         readline() called on wsgi.input after request completed\n\
         readlines() called on wsgi.input after request completed\n\
         iteration called on wsgi.input after request completed\n\
         close() called on wsgi.input after request completed\n\
         write() called on wsgi.errors after request completed\n\
         write() called after request completed\n\
         start_response() called after request completed",
    );
}
