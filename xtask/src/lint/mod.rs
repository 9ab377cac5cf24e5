//! `cargo xtask lint`: formatting, clippy, and the rules of this project that no tool knows.
//!
//! One file per rule; each returns its findings as `file:line: what` and all rules run, so
//! that one call shows everything. `source` blanks comments and literals for the rules that
//! read Rust, `tree` lists the repository's files.

mod directives;
mod format;
mod guards;
mod heads;
mod imports;
mod layers;
mod licences;
mod messages;
pub(crate) mod metadata;
mod paths;
mod proof;
mod source;
mod tree;
mod unsafe_places;

use std::process::ExitCode;

use anyhow::Result;

use crate::project::Project;
use crate::setup::{self, Needs};
use tree::Tree;

/// What a rule found; empty means that it holds.
type Findings = Vec<String>;

/// A rule: its name and its check.
type Rule = (&'static str, fn(&Project, &Tree) -> Result<Findings>);

/// All rules; the quick ones first.
const RULES: &[Rule] = &[
    ("heads", heads::check),
    ("unsafe", unsafe_places::check),
    ("guards", guards::check),
    ("layers", layers::check),
    ("messages", messages::check),
    ("paths", paths::check),
    ("proof", proof::check),
    ("licences", licences::check),
    ("format", format::check_format),
    ("clippy", format::check_clippy),
    ("directives", directives::check),
];

/// Writes the generated pages anew.
pub(crate) fn write(project: &Project) -> Result<()> {
    messages::write(project)?;
    directives::write(project)?;
    // Last: its names are those of the other pages.
    proof::write(project)
}

/// Runs all rules and shows their findings.
pub(crate) fn run(project: &Project) -> Result<ExitCode> {
    setup::ensure(Needs::Build)?;
    let tree = Tree::read(project)?;
    let mut failed = Vec::new();
    for (name, check) in RULES {
        let findings = check(project, &tree).unwrap_or_else(|error| vec![format!("{error:#}")]);
        let word = if findings.is_empty() { "ok" } else { "FAILED" };
        println!("xtask: lint {name:<10} {word}");
        for finding in &findings {
            println!("    {finding}");
        }
        if !findings.is_empty() {
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        println!("xtask: lint ok");
        return Ok(ExitCode::SUCCESS);
    }
    println!("xtask: lint FAILED: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}
