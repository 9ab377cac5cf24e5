//! `start_response`: what is accepted, what is refused, what is sent.

use wsgi_core::exchange::Outcome;

use crate::support::{Answer, Call, Script};

/// A script whose application runs `lines`; `s` is `start_response`.
fn script(lines: &[&str]) -> Script {
    let mut source = String::from("import sys\ndef application(e, s):\n");
    for line in lines {
        source.push_str(&format!("    {line}\n"));
    }
    Script::new(&source)
}

fn run(lines: &[&str]) -> Answer {
    script(lines).get()
}

/// Runs a statement that must raise, and returns the exception as `Type: text`.
fn raised_by(statement: &str) -> String {
    let answer = run(&[
        "try:",
        &format!("    {statement}"),
        "    text = 'nothing raised'",
        "except Exception as x:",
        "    text = type(x).__name__ + ': ' + str(x)",
        "s('200 OK', [])",
        "return [text.encode('latin-1', 'replace')]",
    ]);
    answer.text()
}

#[test]
fn bad_statuses_are_refused() {
    for (status, wanted) in [
        ("'20 OK'", "ValueError: status code must be a 3 digit integer: b'20 OK'"),
        ("'2000'", "ValueError: status code must be a 3 digit integer: b'2000'"),
        ("'200OK'", "ValueError: no space following status code: b'200OK'"),
        ("'200 O\\nK'", "ValueError: control character in status reason phrase: b'200 O\\nK'"),
        ("200", "TypeError: status line must be str, not int"),
        ("b'200 OK'", "TypeError: status line must be str, not bytes"),
    ] {
        assert_eq!(raised_by(&format!("s({status}, [])")), wanted);
    }
    let text = raised_by("s('200 \\u20ac', [])");
    assert!(text.starts_with("UnicodeEncodeError: 'latin-1' codec can't encode"), "{text}");
}

#[test]
fn bad_headers_are_refused() {
    for (headers, wanted) in [
        ("()", "TypeError: start_response() argument 2 must be list, not tuple"),
        ("None", "TypeError: start_response() argument 2 must be list, not NoneType"),
        ("[['a', 'b']]", "TypeError: each header must be a 2-tuple, not list"),
        ("[('a',)]", "ValueError: each header must be a 2-tuple, got length 1"),
        ("[(b'a', 'b')]", "TypeError: header name must be str, not bytes"),
        ("[('a', 1)]", "TypeError: header value must be str, not int"),
        ("[('', 'b')]", "ValueError: header name is empty"),
        ("[('a b', 'b')]", "ValueError: space character in header name: b'a b'"),
        ("[('a\\n', 'b')]", "ValueError: control character in header name: b'a\\n'"),
        ("[('a:', 'b')]", "ValueError: invalid character in header name: b'a:'"),
        (
            "[('a', 'b\\rc')]",
            "ValueError: carriage return/line feed character in header value: b'b\\rc'",
        ),
        (
            "[('a', 'b\\nc')]",
            "ValueError: carriage return/line feed character in header value: b'b\\nc'",
        ),
        ("[('a', 'b\\0c')]", "ValueError: control character in header value: b'b\\x00c'"),
    ] {
        assert_eq!(raised_by(&format!("s('200 OK', {headers})")), wanted);
    }
}

#[test]
fn wrong_arguments_are_refused() {
    for (call, wanted) in [
        ("s()", "TypeError: start_response() takes at least 2 arguments (0 given)"),
        ("s(1, 2, 3, 4)", "TypeError: start_response() takes at most 3 arguments (4 given)"),
        (
            "s('200 OK', [], 'x')",
            "RuntimeError: start_response() argument 'exc_info' must be a 3-tuple or None",
        ),
        (
            "s('200 OK', [], (1, 2))",
            "RuntimeError: start_response() argument 'exc_info' must be a 3-tuple or None",
        ),
    ] {
        assert_eq!(raised_by(call), wanted);
    }
    let text = raised_by("s(status='200 OK', response_headers=[])");
    assert!(text.starts_with("TypeError: "), "{text}");
}

#[test]
fn headers_are_sent_as_given_and_copied_at_once() {
    let answer = run(&[
        "h = [('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2'), ('X-Latin', 'caf\\xe9')]",
        "s('299 Odd \\xe9', h)",
        "h.append(('Late', 'x'))",
        "return [b'']",
    ]);
    answer.assert_text("");
    let head = answer.head.unwrap();
    assert_eq!((head.status, &*head.reason), (299, &b"Odd \xe9"[..]));
    let sent: [(&[u8], &[u8]); 3] =
        [(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"X-Latin", b"caf\xe9")];
    assert!(head.headers.iter().eq(sent), "{:?}", head.headers);
    assert_eq!(head.inferred_length, Some(0));
}

#[test]
fn a_second_start_before_output_replaces_the_first() {
    let answer = run(&["s('200 OK', [('A', 'b')])", "s('404 Not Found', [])", "return [b'x']"]);
    answer.assert_text("x");
    assert_eq!(answer.status(), 404);
    assert!(answer.head.unwrap().headers.is_empty());
}

#[test]
fn a_second_start_after_output_needs_exc_info() {
    let answer = run(&[
        "w = s('200 OK', [])",
        "w(b'one')",
        "try:",
        "    s('200 OK', [])",
        "except RuntimeError as x:",
        "    w(str(x).encode())",
        "return []",
    ]);
    answer.assert_text("onestart_response() called more than once without exc_info");
}

#[test]
fn exc_info_replaces_headers_or_is_raised_again() {
    let answer = run(&[
        "s('200 OK', [])",
        "try:",
        "    raise ValueError('first')",
        "except ValueError:",
        "    s('500 Oops', [], sys.exc_info())",
        "return [b'error page']",
    ]);
    answer.assert_text("error page");
    assert_eq!(answer.status(), 500);

    let answer = run(&[
        "w = s('200 OK', [])",
        "w(b'one')",
        "try:",
        "    raise KeyError('lost')",
        "except KeyError:",
        "    s('500 Oops', [], sys.exc_info())",
        "return [b'two']",
    ]);
    assert_eq!(answer.outcome, Outcome::Truncated);
    assert!(answer.logged("KeyError exception raised processing WSGI script"));
    assert!(answer.logged("KeyError: 'lost'"));
    assert_eq!(answer.text(), "one");
}

#[test]
fn lengths_are_inferred_for_one_block() {
    let length = |lines: &[&str]| run(lines).head.unwrap().inferred_length;
    assert_eq!(length(&["s('200 OK', [])", "return [b'12345']"]), Some(5));
    assert_eq!(length(&["s('200 OK', [])", "return (b'', b'123')"]), Some(3));
    assert_eq!(length(&["s('200 OK', [])", "return []"]), Some(0));
    assert_eq!(length(&["s('200 OK', [])", "return [b'1', b'2']"]), None);
    assert_eq!(length(&["s('200 OK', [])", "return iter([b'1'])"]), None);
    assert_eq!(length(&["s('304 Not Modified', [])", "return [b'1']"]), None);
    assert_eq!(length(&["s('204 No Content', [])", "return []"]), None);
    assert_eq!(length(&["s('200 OK', [('Content-Length', '1')])", "return [b'1']"]), None);
    assert_eq!(length(&["s('200 OK', [])(b'x')", "return [b'1']"]), None);
    let head = |lines: &[&str]| {
        let answer = script(lines).serve(&Call { is_head: true, ..Call::default() });
        assert_eq!(answer.outcome, Outcome::Completed);
        answer.head.unwrap().inferred_length
    };
    assert_eq!(head(&["s('200 OK', [])", "return [b'12345']"]), Some(5));
    assert_eq!(head(&["s('200 OK', [])", "return []"]), None);
}

#[test]
fn output_beyond_the_content_length_is_dropped() {
    for body in ["[b'12', b'34567', b'89']", "iter([b'12', b'34567', b'89'])"] {
        let answer = run(&["s('200 OK', [('Content-Length', '5')])", &format!("return {body}")]);
        answer.assert_text("12345");
        let excess = answer.log.iter().filter(|(_, text)| text.contains("WSGI1023")).count();
        assert_eq!(excess, 1);
    }
}

#[test]
fn a_body_shorter_than_its_content_length_is_truncated() {
    for body in ["[b'12']", "iter([b'12'])", "[]", "iter([])"] {
        let lines = ["s('200 OK', [('Content-Length', '5')])", &format!("return {body}")];
        assert_eq!(run(&lines).outcome, Outcome::Truncated, "{body}");
        let answer = script(&lines).serve(&Call { is_head: true, ..Call::default() });
        assert_eq!(answer.outcome, Outcome::Completed);
    }
    let answer = run(&["s('304 Not Modified', [('Content-Length', '5')])", "return []"]);
    assert_eq!(answer.outcome, Outcome::Completed);
}

#[test]
fn bad_content_lengths_fail_before_anything_is_sent() {
    let answer = run(&["s('200 OK', [('Content-Length', '-1')])", "return [b'x']"]);
    answer.assert_failed("ValueError: invalid Content-Length header value: '-1'");
    assert_eq!(answer.head, None);
}

#[test]
fn output_without_start_response_fails() {
    let wanted =
        "RuntimeError: start_response() must be called before response content is produced";
    for body in ["[b'x']", "iter([b'x'])", "[]", "iter([])"] {
        run(&[&format!("return {body}")]).assert_failed(wanted);
    }
}
