//! The options `env=` and `env-file=`: variables for the environment of a group's processes.
//!
//! A file has lines `NAME=value`, as service managers and `.env` files have them: a value may stand
//! in quotes, in double ones `\"` and `\\` mean what they protect, nothing is expanded; empty lines
//! and those with `#` are skipped, an `export` in front too. Nobody is told what a file contains: it may
//! hold secrets, and whoever may name it need not be allowed to read it.

use std::collections::BTreeMap;

/// Most bytes of all variables of a group: they travel in one message, with everything else, and a
/// byte of theirs may take six there.
const MAXIMUM: usize = 32 << 10;

/// Variables in the order given.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

/// Names only.
impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Variables {
    /// Adds those of a later option.
    pub(super) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}

/// What a group's processes get: of a name given twice the last counts, and `env=` before a file.
pub(super) fn merge(
    file: Option<&Variables>,
    given: Option<&Variables>,
) -> Result<Vec<(String, String)>, String> {
    let all = file.into_iter().chain(given).flat_map(|variables| variables.0.iter().cloned());
    let all: BTreeMap<_, _> = all.collect();
    let bytes: usize = all.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    if bytes > MAXIMUM {
        return Err(format!("env= and env-file= are {bytes} bytes together: expected {TOO_LONG}"));
    }
    Ok(all.into_iter().collect())
}

/// `NAME=value`.
pub(super) fn variable(text: &str) -> Result<Variables, &'static str> {
    let pair = text.split_once('=').filter(|(name, _)| is_name(name)).ok_or(EXPECTED)?;
    if text.len() > MAXIMUM {
        return Err(TOO_LONG);
    }
    Ok(Variables(vec![(pair.0.to_owned(), pair.1.to_owned())]))
}

const EXPECTED: &str = "NAME=value, with letters, digits and '_' in the name";
const TOO_LONG: &str = "no more than 32768 bytes";

/// A name that shells take, too.
fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.bytes().next().is_none_or(|first| first.is_ascii_digit())
}

/// The variables of a file; or the line that is none, and what was expected.
pub(super) fn parse(text: &str) -> Result<Variables, (usize, &'static str)> {
    if text.len() > MAXIMUM {
        return Err((1, TOO_LONG));
    }
    let mut variables = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let (name, rest) =
            line.split_once('=').filter(|(name, _)| is_name(name)).ok_or((number, EXPECTED))?;
        let value = value(rest).ok_or((number, "a value whose quotes are closed at its end"))?;
        variables.push((name.to_owned(), value));
    }
    Ok(Variables(variables))
}

/// A value without its quotes; None where they do not fit.
fn value(text: &str) -> Option<String> {
    if text.contains('\0') {
        return None;
    }
    match text.chars().next() {
        Some('\'') => {
            let inside = text.strip_prefix('\'')?.strip_suffix('\'')?;
            (!inside.contains('\'')).then(|| inside.to_owned())
        }
        Some('"') => double_quoted(text.strip_prefix('"')?),
        _ => Some(text.to_owned()),
    }
}

/// What stands before the closing quote, which must end the text.
fn double_quoted(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return chars.as_str().is_empty().then_some(value),
            '\\' => match chars.next()? {
                protected @ ('"' | '\\') => value.push(protected),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().0
    }

    #[test]
    fn files_have_one_variable_a_line() {
        let text = "# comment\n\nA=1\n  B = 2 \n export C=\"x \\\"y\\\" \\\\ \\n\"\nD='a \"b\" \\'\r\n\
                    E=\nF=a=b # c\n_1='#'\nA=again\n";
        let text = text.replace("  B = 2 ", "  B=2 ");
        let expected = [
            ("A", "1"),
            ("B", "2"),
            ("C", "x \"y\" \\ \\n"),
            ("D", "a \"b\" \\"),
            ("E", ""),
            ("F", "a=b # c"),
            ("_1", "#"),
            ("A", "again"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs(&text), expected);
        let merged =
            merge(Some(&parse(&text).unwrap()), variable("E=given").as_ref().ok()).unwrap();
        assert_eq!(merged.len(), 7);
        assert!(merged.contains(&("A".to_owned(), "again".to_owned())));
        assert!(merged.contains(&("E".to_owned(), "given".to_owned())));
    }

    #[test]
    fn what_is_no_variable_is_named_by_its_line() {
        for (text, line) in [
            ("A=1\nwrong\n", 2),
            ("=1", 1),
            ("\n\n1A=1", 3),
            ("A B=1", 1),
            ("A =1", 1),
            ("A=\"open", 1),
            ("A=\"a\" b", 1),
            ("A='a'b'", 1),
            ("A='", 1),
            ("A=\"\\", 1),
            ("A=\0", 1),
            ("export", 1),
            ("ä=1", 1),
        ] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text:?}");
        }
        assert_eq!(parse(&"A=1\n".repeat(20_000)).unwrap_err().1, TOO_LONG);
        for text in ["", "A", "=x", "1A=x", "A-B=x", "A B=x"] {
            assert_eq!(variable(text), Err(EXPECTED), "{text}");
        }
        assert_eq!(variable("A=b=c").unwrap().0, [("A".to_owned(), "b=c".to_owned())]);
    }

    #[test]
    fn all_together_have_a_limit() {
        let long = |name: &str| variable(&format!("{name}={}", "x".repeat(20_000))).unwrap();
        let (mut two, another) = (long("A"), long("A"));
        // Of the same name only one is left.
        two.extend(another);
        assert!(merge(Some(&two), None).is_ok());
        assert!(merge(Some(&two), Some(&long("B"))).unwrap_err().contains(TOO_LONG));
    }

    #[test]
    fn values_are_nobody_elses_business() {
        let shown = format!("{:?}", variable("PASSWORD=secret").unwrap());
        assert_eq!(shown, "[\"PASSWORD\"]");
    }

    proptest! {
        #[test]
        fn every_value_can_be_written(value in "[^\0\r\n]{0,40}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!("NAME=\"{quoted}\"");
            prop_assert_eq!(pairs(&line), [("NAME".to_owned(), value)]);
        }

        #[test]
        fn no_file_panics(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
