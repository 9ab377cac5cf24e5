//! docs/proof.md: for every directive, option and name of the Python API the tests of the suite
//! that show what it does. The names come from the documentation (`names`), the tests from the
//! suite (`suite`): a test is about a name when it mentions it.
//!
//! A name without a test is a finding, and so is one that acts and is only read. The page itself may be older than the suite, as long as what
//! it says is true: a new test must not make every other change touch this page.

mod names;
mod suite;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::Result;

use super::Findings;
use super::tree::Tree;
use crate::project::Project;
use names::Name;
use suite::Test;

/// The page.
const PAGE: &str = "docs/proof.md";

/// Most tests that are shown for a name.
const SHOWN: usize = 3;

/// Findings: names without a test, and rows of the page that are not true.
pub(crate) fn check(_: &Project, tree: &Tree) -> Result<Findings> {
    let (names, tests) = (names::all(tree), suite::all(tree));
    let present = tree.file(PAGE).map(|file| file.text.as_str()).unwrap_or_default();
    let rows = rows(present);
    let mut findings = Findings::new();
    for name in &names {
        let proofs = proofs(name, &tests);
        let is_proven = |test: &&Test| !name.acts || !test.only_reads();
        if !proofs.iter().any(is_proven) {
            let (kind, text) = (name.kind.title(), &name.text);
            findings.push(format!("{kind}: no test of the suite shows what `{text}` does"));
        } else if !is_true(name, &rows, &tests) {
            findings.push(format!(
                "{PAGE}: `{}` is out of date: run cargo xtask lint --write",
                name.text
            ));
        }
    }
    Ok(findings)
}

/// Writes the page anew; rows that are true stay.
pub(crate) fn write(project: &Project) -> Result<()> {
    let tree = Tree::read(project)?;
    let (names, tests) = (names::all(&tree), suite::all(&tree));
    let present = tree.file(PAGE).map(|file| file.text.as_str()).unwrap_or_default();
    fs::write(project.root.join(PAGE), page(&names, &tests, &rows(present)))?;
    Ok(())
}

/// Names with the tests that a page has for them.
fn rows(page: &str) -> BTreeMap<&str, Vec<&str>> {
    page.lines()
        .filter_map(|line| {
            let mut words = line.strip_prefix("| ")?.split('`').skip(1).step_by(2);
            Some((words.next()?, words.collect()))
        })
        .collect()
}

/// Whether the page has the name, with tests that are there and mention it.
fn is_true(name: &Name, rows: &BTreeMap<&str, Vec<&str>>, tests: &[Test]) -> bool {
    let shows = |path: &&str| tests.iter().any(|test| test.path == **path && test.mentions(name));
    rows.get(name.text.as_str()).is_some_and(|shown| !shown.is_empty() && shown.iter().all(shows))
}

/// The tests that are about a name: those about few others come first.
fn proofs<'t>(name: &Name, tests: &'t [Test]) -> Vec<&'t Test> {
    let mut found: Vec<&Test> = tests.iter().filter(|test| test.mentions(name)).collect();
    if found.iter().any(|test| !test.only_reads()) {
        found.retain(|test| !test.only_reads());
    }
    found.sort_by_key(|test| (test.rank(), test.text.len()));
    found.truncate(SHOWN);
    found
}

/// The text of the page.
fn page(names: &[Name], tests: &[Test], rows: &BTreeMap<&str, Vec<&str>>) -> String {
    let mut page = String::from(
        "# What proves it\n\n\
         Made by `cargo xtask lint --write` from the names of the other pages and the sources of the suite in\n\
         `tests/suite`; do not edit. Each name has up to three tests that show what it does; a file without a\n\
         test's name stands for a table that all of its tests go through. `cargo xtask lint` fails when a name has\n\
         no test.\n",
    );
    let mut kind = None;
    for name in names {
        if kind != Some(name.kind) {
            kind = Some(name.kind);
            // Writing to a String cannot fail.
            let _ = write!(page, "\n## {}\n\n| Name | Tests |\n|---|---|\n", name.kind.title());
        }
        let shown: Vec<String> = match rows.get(name.text.as_str()) {
            Some(shown) if is_true(name, rows, tests) => {
                shown.iter().map(|path| format!("`{path}`")).collect()
            }
            _ => proofs(name, tests).iter().map(|test| format!("`{}`", test.path)).collect(),
        };
        let _ = writeln!(page, "| `{}` | {} |", name.text, shown.join(", "));
    }
    page
}
