//! httpd's word rules (`ap_getword_conf`): words are separated by white space; a word that opens
//! with `"` or `'` runs to the same quote, in which a backslash protects that quote and itself.

/// What C's `isspace` calls white space.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// The rest of a line, taken word by word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// Starts at the beginning of `line`.
    pub(crate) fn new(line: &'a str) -> Self {
        Self { rest: line.trim_start_matches(is_space) }
    }

    /// What has not been taken yet, without leading white space.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// The next word without its quotes; None at the end of the line. A pair of quotes with
    /// nothing between is a word, the empty one.
    pub(crate) fn next_word(&mut self) -> Option<String> {
        let first = self.rest.chars().next()?;
        let quote = matches!(first, '"' | '\'').then_some(first);
        let body = self.rest.strip_prefix(['"', '\'']).unwrap_or(self.rest);
        let (word, rest) = take_word(body, quote);
        self.rest = rest.trim_start_matches(is_space);
        Some(word)
    }

    /// The next `name=value` option; None at the end of the line.
    pub(crate) fn next_option(&mut self) -> Option<Result<(&'a str, String), Malformed>> {
        if self.rest.is_empty() {
            return None;
        }
        let word_end = self.rest.find(is_space).unwrap_or(self.rest.len());
        let Some((name, value)) = self.rest.split_once('=').filter(|(name, _)| {
            // The sign must be inside the first word: no space may stand around it.
            !name.is_empty() && name.len() < word_end
        }) else {
            let (word, rest) = self.rest.split_at(word_end);
            self.rest = rest.trim_start_matches(is_space);
            return Some(Err(Malformed(word.to_owned())));
        };
        if value.chars().next().is_none_or(is_space) {
            self.rest = value.trim_start_matches(is_space);
            return Some(Ok((name, String::new())));
        }
        let mut words = Words { rest: value };
        let value = words.next_word().unwrap_or_default();
        self.rest = words.rest;
        Some(Ok((name, value)))
    }
}

/// A word where `name=value` was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

/// Takes the word that `body` begins with, up to `quote` (which is dropped) or white space.
fn take_word(body: &str, quote: Option<char>) -> (String, &str) {
    let mut word = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        let ends = match quote {
            Some(quote) => c == quote,
            None => is_space(c),
        };
        if ends {
            let rest = body.get(at..).unwrap_or_default();
            return (word, quote.and_then(|quote| rest.strip_prefix(quote)).unwrap_or(rest));
        }
        let next = chars.clone().next().map(|(_, next)| next);
        if c == '\\' && next.is_some_and(|next| next == '\\' || Some(next) == quote) {
            word.extend(chars.next().map(|(_, protected)| protected));
        } else {
            word.push(c);
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(line: &str) -> Vec<String> {
        let mut words = Words::new(line);
        std::iter::from_fn(|| words.next_word()).collect()
    }

    fn options(line: &str) -> Vec<Result<(&str, String), Malformed>> {
        let mut words = Words::new(line);
        std::iter::from_fn(|| words.next_option()).collect()
    }

    #[test]
    fn words_follow_httpd() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" \t ", &[]),
            ("a  b\tc ", &["a", "b", "c"]),
            (r#""a b" 'c d'"#, &["a b", "c d"]),
            (r#""" x"#, &["", "x"]),
            (r#""a'b" 'a"b'"#, &["a'b", "a\"b"]),
            (r#""a\"b" 'a\'b' "a\\b" "a\nb""#, &["a\"b", "a'b", r"a\b", r"a\nb"]),
            (r"a\\b a\b a\", &[r"a\b", r"a\b", r"a\"]),
            (r#"a"b c"d"#, &["a\"b", "c\"d"]),
            // No space is needed after a closing quote, and the closing quote may be missing.
            (r#""a"b"#, &["a", "b"]),
            (r#""a b"#, &["a b"]),
            (r#""a\"#, &[r"a\"]),
            ("ä ü", &["ä", "ü"]),
        ];
        for (line, expected) in cases {
            assert_eq!(split(line), *expected, "{line}");
        }
    }

    #[test]
    fn options_are_name_equals_value() {
        let found = options(r#"a=1 b="x y" c='' d= e=f=g  h=\\ "#);
        let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
        let expected = [("a", "1"), ("b", "x y"), ("c", ""), ("d", ""), ("e", "f=g"), ("h", r"\")];
        let expected: Vec<_> = expected.map(|(name, value)| (name, value.to_owned())).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn no_space_stands_around_the_sign() {
        for line in ["a = 1", "a =1", "=1", "a", "a b=1"] {
            assert!(options(line).first().unwrap().is_err(), "{line}");
        }
        // A value that begins with a space is empty, and what follows is another option.
        assert_eq!(options("a= 1"), [Ok(("a", String::new())), Err(Malformed("1".into()))]);
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec(".{0,6}", 0..5)) {
            let quoted = |word: &String| {
                format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
            };
            let line: Vec<String> = words.iter().map(quoted).collect();
            prop_assert_eq!(split(&line.join(" ")), words);
        }

        #[test]
        fn any_line_comes_to_an_end(line in ".{0,40}") {
            let mut words = Words::new(&line);
            let mut others = Words::new(&line);
            for _ in 0..=line.len() {
                let _ = words.next_word();
                let _ = others.next_option();
            }
            prop_assert_eq!(words.rest(), "");
            prop_assert_eq!(others.rest(), "");
        }
    }
}
