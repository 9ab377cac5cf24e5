//! Every package states a licence, ours is the project's, and those we use allow it.

use std::fs;

use anyhow::Result;

use super::Findings;
use super::metadata::{Package, packages};
use super::tree::Tree;
use crate::project::Project;

/// The licence of every package here.
const OURS: &str = "Apache-2.0";

/// Licences that a dependency may be used under.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Findings: packages without a usable licence, and missing licence files.
pub(crate) fn check(project: &Project, tree: &Tree) -> Result<Findings> {
    let mut findings = Findings::new();
    for name in ["LICENSE", "NOTICE"] {
        if tree.file(name).is_none() {
            findings.push(format!("{name} is missing"));
        }
    }
    for package in packages(project)? {
        let Package { name, licence, manifest, is_ours, .. } = package;
        if is_ours {
            // The manifest itself must say it, not only inherit by accident.
            let says =
                fs::read_to_string(manifest)?.lines().any(|line| line.starts_with("license"));
            if licence != OURS || !says {
                findings.push(format!("{name}: its Cargo.toml must have license {OURS}"));
            }
        } else if !is_allowed(&licence) {
            findings
                .push(format!("{name}: licence {licence:?} is not on the list of allowed ones"));
        }
    }
    Ok(findings)
}

/// Whether an SPDX expression can be met with allowed licences only.
fn is_allowed(expression: &str) -> bool {
    // The old spelling of OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// Alternatives: one that is allowed is enough.
fn any(words: &mut Words<'_>) -> bool {
    let mut allowed = all(words);
    while words.next_if_eq(&"OR").is_some() {
        allowed |= all(words);
    }
    allowed
}

/// Licences that hold together: all must be allowed.
fn all(words: &mut Words<'_>) -> bool {
    let mut allowed = one(words);
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words);
    }
    allowed
}

/// One licence with its exception, or an expression in brackets.
fn one(words: &mut Words<'_>) -> bool {
    let Some(word) = words.next() else { return false };
    if word == "(" {
        return any(words) && words.next() == Some(")");
    }
    let mut name = word.to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().unwrap_or_default());
    }
    ALLOWED.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_alternative_is_enough() {
        assert!(is_allowed("MIT OR GPL-3.0-only"));
        assert!(is_allowed("MIT/Apache-2.0"));
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception OR LGPL-2.1-or-later"));
    }

    #[test]
    fn all_licences_of_a_conjunction_must_be_allowed() {
        assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!is_allowed("MIT AND GPL-3.0-only"));
        assert!(!is_allowed("(MIT OR Apache-2.0) AND GPL-2.0-only"));
        assert!(!is_allowed(""));
        assert!(!is_allowed("GPL-2.0-only WITH Classpath-exception-2.0"));
    }
}
