//! The message codes in the sources of the product.
//!
//! Two ways of writing them are known: `"WSGI0080: …"` in a literal, and, in the module itself,
//! a number handed to the log or to a failure (`Some(1002)` behind a level, the second argument
//! of `Failure::new`, the first of `Notice::warning`, a binding named `code`).

use std::collections::BTreeMap;

use crate::lint::source;
use crate::lint::tree::{File, Tree};

/// Calls whose second argument is a code.
const CALLS: &[&str] = &["Failure::new(", "Self::new(", "refuse("];

/// The call whose first argument is a code.
const WARNING: &str = "Notice::warning(";

/// Every code with the first place it stands at.
pub(crate) fn codes(tree: &Tree) -> BTreeMap<u16, String> {
    let mut found = BTreeMap::new();
    for file in tree.rust().filter(|file| is_product(&file.path)) {
        for (code, at) in in_file(file) {
            found
                .entry(code)
                .or_insert_with(|| file.finding(at, "").trim_end_matches(": ").to_owned());
        }
    }
    found
}

/// The module and the crates, without their tests.
fn is_product(path: &str) -> bool {
    let is_source =
        path.starts_with("src/") || (path.starts_with("crates/") && path.contains("/src/"));
    is_source && !path.contains("/tests/") && !path.ends_with("/tests.rs")
}

/// All codes of a file with their offsets.
fn in_file(file: &File) -> Vec<(u16, usize)> {
    let tests = file.text.find("#[cfg(test)]\nmod ").unwrap_or(file.text.len());
    let mut codes: Vec<_> = in_literals(&file.text).collect();
    let code = file.code();
    codes.extend(in_warnings(&code));
    if file.path.starts_with("src/") {
        codes.extend(in_calls(&code));
        codes.extend(in_options(&code));
        codes.extend(in_bindings(&code));
    }
    codes.retain(|(_, at)| *at < tests);
    codes
}

/// `WSGI` and four digits, in literals and not in comments.
fn in_literals(text: &str) -> impl Iterator<Item = (u16, usize)> {
    let text = source::blank_comments(text);
    let places: Vec<_> =
        text.match_indices("WSGI").map(|(at, word)| (at, at + word.len())).collect();
    places.into_iter().filter_map(move |(at, end)| {
        let rest = text.get(end..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits == 4).then(|| number(rest)).flatten().map(|code| (code, at))
    })
}

/// Codes that are the second argument of a known call.
fn in_calls(code: &str) -> impl Iterator<Item = (u16, usize)> {
    CALLS.iter().flat_map(|call| code.match_indices(call)).filter_map(|(at, call)| {
        let (_, second) = code.get(at + call.len()..)?.split_once(',')?;
        Some((number(second.trim_start())?, at))
    })
}

/// Codes of warnings about the configuration.
fn in_warnings(code: &str) -> impl Iterator<Item = (u16, usize)> {
    code.match_indices(WARNING)
        .filter_map(|(at, call)| Some((number(code.get(at + call.len()..)?.trim_start())?, at)))
}

/// Codes in `Level::X, Some(n)`, and our own, which no other number looks like, in any `Some(n)`.
fn in_options(code: &str) -> impl Iterator<Item = (u16, usize)> {
    let ours = code.match_indices("Some(").filter_map(|(at, some)| {
        let number = number(code.get(at + some.len()..)?)?;
        (1001..2000).contains(&number).then_some((number, at))
    });
    behind_levels(code).chain(ours)
}

fn behind_levels(code: &str) -> impl Iterator<Item = (u16, usize)> {
    source::words(code, "Level").filter_map(|at| {
        let (level, rest) = code.get(at..)?.split_once(',')?;
        let is_level = level.bytes().all(|byte| source::is_word(byte) || byte == b':');
        let number = number(rest.trim_start().strip_prefix("Some(")?)?;
        is_level.then_some((number, at))
    })
}

/// All numbers in `let code = …;`.
fn in_bindings(code: &str) -> impl Iterator<Item = (u16, usize)> {
    code.match_indices("let code = ").flat_map(|(at, start)| {
        let value = code.get(at + start.len()..).and_then(|rest| rest.split(';').next());
        let words = value.unwrap_or_default().split(|c: char| !c.is_ascii_alphanumeric());
        words.filter_map(number).map(move |code| (code, at))
    })
}

/// The number a text starts with, if it can be a code.
fn number(text: &str) -> Option<u16> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok().filter(|code| *code > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes_of(text: &str) -> Vec<u16> {
        let file = File { path: "src/x.rs".to_owned(), text: text.to_owned() };
        in_file(&file).into_iter().map(|(code, _)| code).collect()
    }

    #[test]
    fn codes_are_found_in_literals_and_not_in_comments() {
        assert_eq!(codes_of("// WSGI0001\nlog(\"WSGI0080: x\"); // WSGI0002"), [80]);
        assert!(codes_of("\"WSGI00801 WSGIScriptAlias\"").is_empty());
    }

    #[test]
    fn codes_are_found_as_numbers_where_they_are_handed_over() {
        assert_eq!(codes_of("Err(Failure::new(500, 152, text))"), [152]);
        assert_eq!(codes_of("Failure::new(\n  status,\n  1007,\n text)"), [1007]);
        assert_eq!(codes_of("log::server(s, Level::CRIT, Some(119), &why)"), [119]);
        assert_eq!(codes_of("lines(Some(1004), text)"), [1004]);
        assert_eq!(codes_of("Notice::warning(\n  1040,\n text)"), [1040]);
        assert_eq!(codes_of("let code = if blocked { 116 } else { 117 };"), [116, 117]);
        assert!(codes_of("Failure::new(status, code, text)").is_empty());
    }

    #[test]
    fn what_tests_name_is_not_logged() {
        assert!(codes_of("f();\n#[cfg(test)]\nmod tests { \"WSGI0080\" }").is_empty());
    }
}
