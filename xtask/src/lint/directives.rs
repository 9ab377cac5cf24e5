//! The generated pages of docs/ are what the tables say that they come from: of directives and of
//! options, and the command line of `mod-wsgi-rs`.

use std::fs;

use anyhow::{Context, Result};

use super::Findings;
use super::tree::Tree;
use crate::project::Project;
use wsgi_httpd::program;

/// The generated pages: the file, and the arguments of `cargo run` that print it.
const PAGES: [(&str, &[&str]); 3] = [
    ("docs/directives.md", &["-p", "wsgi-core", "--example", "directives-doc", "--", "directives"]),
    (
        "docs/daemon-options.md",
        &["-p", "wsgi-core", "--example", "directives-doc", "--", "daemon-options"],
    ),
    ("docs/command.md", &["-p", "wsgi-cli", "--", "reference"]),
];

/// Findings: pages that differ from what the tables generate.
pub(crate) fn check(project: &Project, tree: &Tree) -> Result<Findings> {
    let mut findings = Findings::new();
    for (file, arguments) in PAGES {
        let present = tree.file(file).map(|file| file.text.as_str()).unwrap_or_default();
        if present != page(project, arguments)? {
            findings.push(format!("{file} is out of date: run cargo xtask lint --write"));
        }
    }
    Ok(findings)
}

/// Writes the pages anew.
pub(crate) fn write(project: &Project) -> Result<()> {
    for (file, arguments) in PAGES {
        fs::write(project.root.join(file), page(project, arguments)?)?;
    }
    Ok(())
}

/// What the tables generate.
fn page(project: &Project, arguments: &[&str]) -> Result<String> {
    let mut generator = project.cargo("run");
    let text = program::output(generator.args(["--locked", "--quiet"]).args(arguments));
    Ok(text.context("cannot generate the page")? + "\n")
}
