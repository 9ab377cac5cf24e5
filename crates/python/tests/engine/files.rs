//! `wsgi.file_wrapper`.

use std::io::Write as _;

use wsgi_core::exchange::Outcome;

use crate::support::{Answer, Script};

/// Runs an application that returns `expression`; `f` is an open file with 20 bytes, `w` the
/// file wrapper.
fn run(headers: &str, expression: &str) -> Answer {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"0123456789abcdefghij").unwrap();
    let script = Script::new(&format!(
        "import io\n\
         def application(e, s):\n\
         \x20   w = e['wsgi.file_wrapper']\n\
         \x20   f = open({:?}, 'rb')\n\
         \x20   s('200 OK', {headers})\n\
         \x20   return {expression}\n",
        file.path()
    ));
    script.get()
}

#[test]
fn regular_files_are_sent_without_reading() {
    let answer = run("[]", "w(f)");
    assert_eq!(answer.outcome, Outcome::Completed);
    assert_eq!(answer.files, [b"0123456789abcdefghij"]);
    assert!(answer.blocks.is_empty());
    assert_eq!(answer.head.unwrap().inferred_length, Some(20));
}

#[test]
fn the_position_is_where_sending_starts() {
    let answer = run("[]", "(f.read(5), w(f, 4))[1]");
    assert_eq!(answer.files, [b"56789abcdefghij"]);
    assert_eq!(answer.head.unwrap().inferred_length, Some(15));
}

#[test]
fn a_content_length_limits_and_must_be_there() {
    let answer = run("[('Content-Length', '3')]", "w(f)");
    assert_eq!(answer.files, [b"012"]);
    assert_eq!(answer.outcome, Outcome::Completed);
    let answer = run("[('Content-Length', '30')]", "w(f)");
    assert_eq!(answer.files, [b"0123456789abcdefghij"]);
    assert_eq!(answer.outcome, Outcome::Truncated);
}

#[test]
fn other_objects_are_read() {
    for expression in [
        "w(io.BytesIO(b'0123456789abcdefghij'), 7)",
        "w(filelike=io.BytesIO(b'0123456789abcdefghij'), blksize=7)",
    ] {
        let answer = run("[]", expression);
        answer.assert_text("0123456789abcdefghij");
        assert!(answer.files.is_empty());
        assert_eq!(answer.blocks.len(), 3);
    }
    let answer = run("[]", "(x for x in w(f))");
    answer.assert_text("0123456789abcdefghij");
    assert!(answer.files.is_empty());
}

#[test]
fn the_wrapper_is_a_class_like_any_other() {
    let answer = run("[]", "type('Sub', (w,), {'extra': 1})(f)");
    assert_eq!(answer.files, [b"0123456789abcdefghij"]);
    for (expression, wanted) in [
        ("w(f).blksize", "8192"),
        ("w(f).filelike is f", "True"),
        ("w(f, -1)", "ValueError('blksize must not be negative')"),
        ("w(5).__next__()", "AttributeError(\"'int' object has no attribute 'read'\")"),
        ("w()", "TypeError(\"FileWrapper() missing required argument 'filelike' (pos 1)\")"),
        (
            "(lambda x: (x.close(), x.close(), next(x)))(w(f))",
            "ValueError('I/O operation on closed file')",
        ),
        ("(lambda x: (x.close(), f.closed)[1])(w(f))", "True"),
        (
            "next(w(io.StringIO('x')))",
            "TypeError('file wrapper read() must return bytes, not str')",
        ),
        (
            "next(type('S', (w,), {'blksize': 'x'})(f))",
            "TypeError(\"'str' object cannot be interpreted as an integer\")",
        ),
    ] {
        let script = Script::new(&format!(
            "import io\n\
             def application(e, s):\n\
             \x20   w, f = e['wsgi.file_wrapper'], open('/dev/null', 'rb')\n\
             \x20   try: result = {expression}\n\
             \x20   except Exception as x: result = x\n\
             \x20   s('200 OK', [])\n\
             \x20   return [repr(result).encode()]\n"
        ));
        script.get().assert_text(wanted);
    }
}
