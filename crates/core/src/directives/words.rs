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
            let word = self.rest.get(..word_end).unwrap_or(self.rest);
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
