//! What a response may say: status lines, header names and values (PEP 3333, RFC 9110 §5).
//!
//! Pure rules; the texts are those that applications of mod_wsgi see in their `ValueError`s.

use wsgi_core::digits;

/// Splits a status line into number and reason phrase.
pub(crate) fn status(line: &[u8]) -> Result<(u16, &[u8]), String> {
    let number = line.get(..3).and_then(digits::parse);
    let number = number.and_then(|number| u16::try_from(number).ok()).filter(|it| *it >= 100);
    let rest = line.get(3..).unwrap_or_default();
    let Some(number) = number.filter(|_| !rest.first().is_some_and(u8::is_ascii_digit)) else {
        return Err(format!("status code must be a 3 digit integer: {}", repr(line)));
    };
    match rest.split_first() {
        None => Ok((number, b"")),
        Some((b' ', reason)) if reason.iter().any(|byte| is_control(*byte)) => {
            Err(format!("control character in status reason phrase: {}", repr(line)))
        }
        Some((b' ', reason)) => Ok((number, reason)),
        Some(_) => Err(format!("no space following status code: {}", repr(line))),
    }
}

/// Checks a header name: a token of RFC 9110 §5.6.2.
pub(crate) fn header_name(name: &[u8]) -> Result<(), String> {
    if name.is_empty() {
        return Err("header name is empty".to_owned());
    }
    let Some(bad) = name.iter().find(|byte| !is_token(**byte)) else { return Ok(()) };
    let kind = match bad {
        b' ' => "space character",
        byte if is_control(*byte) => "control character",
        _ => "invalid character",
    };
    Err(format!("{kind} in header name: {}", repr(name)))
}

/// Checks a header value: anything but control characters (a tab is white space).
pub(crate) fn header_value(value: &[u8]) -> Result<(), String> {
    let bad = value.iter().find(|byte| is_control(**byte) && **byte != b'\t');
    let kind = match bad {
        None => return Ok(()),
        Some(b'\r' | b'\n') => "carriage return/line feed",
        Some(_) => "control",
    };
    Err(format!("{kind} character in header value: {}", repr(value)))
}

/// The value of a `Content-Length` header.
pub(crate) fn content_length(value: &[u8]) -> Result<u64, String> {
    digits::parse(value.trim_ascii()).ok_or_else(|| {
        format!("invalid Content-Length header value: '{}'", String::from_utf8_lossy(value))
    })
}

/// Whether a response with this status never has a body (RFC 9110 §6.4.1).
pub(crate) fn is_bodyless(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

fn is_token(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#'..=b'\'' | b'*' | b'+'
        | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Bytes as Python's `repr` shows them.
fn repr(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut text = format!("b{quote}");
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\'' if quote == '\'' => text.push_str("\\'"),
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push(quote);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        assert_eq!(status(b"200 OK"), Ok((200, &b"OK"[..])));
        assert_eq!(status(b"200"), Ok((200, &b""[..])));
        assert_eq!(status(b"299 "), Ok((299, &b""[..])));
        assert_eq!(status(b"404 Not \xe9"), Ok((404, &b"Not \xe9"[..])));
        for bad in [&b""[..], b"OK", b"20 OK", b"2000 OK", b"099 X", b" 200 OK", b"2x0 OK"] {
            let text = status(bad).unwrap_err();
            assert!(text.starts_with("status code must be a 3 digit integer: b'"), "{text}");
        }
        assert_eq!(status(b"200OK").unwrap_err(), "no space following status code: b'200OK'");
        assert_eq!(
            status(b"200 O\nK").unwrap_err(),
            "control character in status reason phrase: b'200 O\\nK'"
        );
    }

    #[test]
    fn header_names() {
        assert_eq!(header_name(b"X-Powered_by!"), Ok(()));
        assert_eq!(header_name(b"").unwrap_err(), "header name is empty");
        assert_eq!(header_name(b"A B").unwrap_err(), "space character in header name: b'A B'");
        assert_eq!(
            header_name(b"A\0B").unwrap_err(),
            "control character in header name: b'A\\x00B'"
        );
        assert_eq!(header_name(b"A:").unwrap_err(), "invalid character in header name: b'A:'");
        assert!(header_name(b"caf\xe9").is_err());
    }

    #[test]
    fn header_values() {
        assert_eq!(header_value(b"caf\xe9, \t\"x\": y"), Ok(()));
        assert_eq!(header_value(b""), Ok(()));
        for value in [b"a\rb", b"a\nb"] {
            let text = header_value(value).unwrap_err();
            assert!(text.starts_with("carriage return/line feed character in header value: b'a"));
        }
        assert!(header_value(b"a\0b").unwrap_err().starts_with("control character in header"));
        assert!(header_value(b"a\x7fb").is_err());
    }

    #[test]
    fn content_lengths() {
        assert_eq!(content_length(b"0"), Ok(0));
        assert_eq!(content_length(b" 12 "), Ok(12));
        for bad in [&b""[..], b"-1", b"+1", b"1.0", b"0x1", b"12 12", b"99999999999999999999"] {
            assert!(content_length(bad).unwrap_err().starts_with("invalid Content-Length header"));
        }
    }

    #[test]
    fn representations_are_pythons() {
        assert_eq!(repr(b"it's"), "b\"it's\"");
        assert_eq!(repr(b"'\""), "b'\\'\"'");
        assert_eq!(repr(b"\\\xff"), "b'\\\\\\xff'");
    }
}
