//! Rust text with everything blanked that is not code, byte for byte, so that offsets and
//! line numbers stay right. No parser: enough for the rules that look for a word.

/// Replaces comments and the insides of string and character literals by spaces.
pub(crate) fn blank(text: &str) -> String {
    blanked(text, true)
}

/// Replaces comments only.
pub(crate) fn blank_comments(text: &str) -> String {
    blanked(text, false)
}

fn blanked(text: &str, with_literals: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let (skip, is_literal) = literal_or_comment(rest, bytes.get(..at).unwrap_or_default());
        if skip == 0 {
            at += 1;
            continue;
        }
        let inside = match (is_literal, with_literals) {
            (true, true) => at + 1..at + skip - 1,
            (true, false) => at..at,
            (false, _) => at..at + skip,
        };
        for byte in out.get_mut(inside).into_iter().flatten() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += skip;
    }
    // Only whole literals and comments were blanked, so this is still UTF-8.
    String::from_utf8_lossy(&out).into_owned()
}

/// How long the comment or literal is that starts here (0: none does), and whether it is a
/// literal, whose first and last byte stay.
fn literal_or_comment(rest: &[u8], before: &[u8]) -> (usize, bool) {
    match rest {
        [b'/', b'/', ..] => (rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()), false),
        [b'/', b'*', ..] => (block_comment(rest), false),
        [b'"', ..] => match raw_hashes(before) {
            Some(hashes) => (raw_string(rest, hashes), true),
            None => (quoted(rest, b'"'), true),
        },
        [b'\'', b'\\', ..] => (quoted(rest, b'\''), true),
        [b'\'', ..] => (character(rest), true),
        _ => (0, true),
    }
}

/// The length of a block comment; they nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < rest.len() {
        match rest.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of a literal that ends at an unescaped `end`.
fn quoted(rest: &[u8], end: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match *byte {
            b'\\' => at += 2,
            byte if byte == end => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character literal, or 0 for a lifetime.
fn character(rest: &[u8]) -> usize {
    let text = rest.get(1..rest.len().min(6)).unwrap_or_default();
    let first = match text.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()) {
        Some(first) => first.len_utf8(),
        None => return 0,
    };
    if rest.get(1 + first) == Some(&b'\'') { first + 2 } else { 0 }
}

/// The number of `#` when the quote that follows starts a raw string.
fn raw_hashes(before: &[u8]) -> Option<usize> {
    let hashes = before.iter().rev().take_while(|byte| **byte == b'#').count();
    let before = before.get(..before.len() - hashes)?.strip_suffix(b"r")?;
    let before = before.strip_suffix(b"b").or(before.strip_suffix(b"c")).unwrap_or(before);
    let is_raw = before.last().is_none_or(|byte| !is_word(*byte));
    is_raw.then_some(hashes)
}

/// The length of a raw string that starts at its quote.
fn raw_string(rest: &[u8], hashes: usize) -> usize {
    let mut at = 1;
    while at < rest.len() {
        let is_end = rest.get(at) == Some(&b'"')
            && rest.get(at + 1..at + 1 + hashes).is_some_and(|end| end.iter().all(|b| *b == b'#'));
        if is_end {
            return at + 1;
        }
        at += 1;
    }
    rest.len()
}

/// Whether a byte belongs to an identifier.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The offsets at which a word stands as a whole identifier.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_free = |at: Option<&u8>| at.is_none_or(|byte| !is_word(*byte));
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let bytes = code.as_bytes();
        is_free(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && is_free(bytes.get(at + word.len()))
    })
}

/// The offset just behind the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_in_place() {
        let text = "a // unsafe\nb /* unsafe /* x */ unsafe */ \"unsafe \\\" \" c";
        let code = blank(text);
        assert_eq!(code.len(), text.len());
        assert!(!code.contains("unsafe"), "{code}");
        assert!(code.contains('\n') && code.ends_with("\" c"));
    }

    #[test]
    fn raw_strings_end_where_their_hashes_do() {
        assert_eq!(blank(r##"r#"a"b"# + "c" x"##), r##"r#"   "# + " " x"##);
        assert_eq!(blank(r#"br"\" x"#), r#"br" " x"#);
    }

    #[test]
    fn a_lifetime_is_no_character() {
        assert_eq!(
            blank("fn f<'a>(x: &'a str) { 'b' '\\'' 'é' }"),
            "fn f<'a>(x: &'a str) { ' ' '  ' '  ' }"
        );
    }

    #[test]
    fn only_whole_words_count() {
        let code = "unsafe_code unsafe fn not_unsafe";
        assert_eq!(words(code, "unsafe").collect::<Vec<_>>(), [12]);
    }

    #[test]
    fn brackets_close_in_pairs() {
        assert_eq!(closing("f(a[1], {b}) c", 1), Some(12));
        assert_eq!(closing("f(", 1), None);
    }
}
