//! The paths a Rust file names: those of its `use` declarations, and those it writes in full.

use super::source::{is_word, words};

/// A path as its segments, with the offset of where it was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Offset in the file.
    pub(crate) at: usize,
    /// `crate`, `apache`, `Request`.
    pub(crate) segments: Vec<String>,
}

/// All paths in blanked code that consist of more than one segment.
pub(crate) fn paths(code: &str) -> Vec<Named> {
    let mut named = Vec::new();
    let mut rest = code.as_bytes().to_vec();
    for at in words(code, "use") {
        let Some(tree) = code.get(at + 3..).and_then(|rest| rest.split(';').next()) else {
            continue;
        };
        expand(tree, &[], &mut |segments| named.push(Named { at, segments }));
        for byte in rest.get_mut(at..at + 3 + tree.len()).into_iter().flatten() {
            *byte = b' ';
        }
    }
    written(&String::from_utf8_lossy(&rest), &mut named);
    named
}

/// Expands `a::{b, c::d}` into `a::b` and `a::c::d`.
fn expand(tree: &str, before: &[String], found: &mut impl FnMut(Vec<String>)) {
    let tree = tree.trim();
    let Some((path, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        let mut all = before.to_vec();
        all.extend(segments(path));
        if !all.is_empty() {
            found(all);
        }
        return;
    };
    let mut prefix = before.to_vec();
    prefix.extend(segments(path));
    let group = group.rsplit_once('}').map_or(group, |(inside, _)| inside);
    let mut depth = 0_i32;
    let branches = group.split(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    });
    for branch in branches.filter(|branch| !branch.trim().is_empty()) {
        expand(branch, &prefix, found);
    }
}

/// Paths written outside of `use`: words joined by `::`.
fn written(code: &str, named: &mut Vec<Named>) {
    let bytes = code.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes.iter().skip(at).take_while(|b| is_word(**b) || **b == b':').count();
        let path = code.get(at..at + length).unwrap_or_default();
        if path.trim_start_matches(':').contains("::") {
            named.push(Named { at, segments: segments(path) });
        }
        at += length.max(1);
    }
}

/// The words of a path.
fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(code: &str) -> Vec<String> {
        paths(code).iter().map(|named| named.segments.join("::")).collect()
    }

    #[test]
    fn a_tree_of_imports_is_expanded() {
        let code = "use crate::{a::{b, self as x}, c};\nuse std::{ffi::CStr, fs};";
        assert_eq!(
            all(code),
            ["crate::a::b", "crate::a::self", "crate::c", "std::ffi::CStr", "std::fs"]
        );
    }

    #[test]
    fn paths_in_code_are_found_and_single_words_are_not() {
        assert_eq!(all("fn f(a: b::c) { d(x); e::F }"), ["b::c", "e::F"]);
    }
}
