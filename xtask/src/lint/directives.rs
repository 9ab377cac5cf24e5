//! docs/directives.md and docs/daemon-options.md are what the tables of directives and options say.

use std::fs;

use anyhow::{Context, Result};

use super::Findings;
use super::tree::Tree;
use crate::process;
use crate::project::Project;

/// The generated pages: the file, and what the generator calls it.
const PAGES: [(&str, &str); 2] =
    [("docs/directives.md", "directives"), ("docs/daemon-options.md", "daemon-options")];

/// Findings: pages that differ from what the tables generate.
pub(crate) fn check(project: &Project, tree: &Tree) -> Result<Findings> {
    let mut findings = Findings::new();
    for (file, name) in PAGES {
        let present = tree.file(file).map(|file| file.text.as_str()).unwrap_or_default();
        if present != page(project, name)? {
            findings.push(format!("{file} is out of date: run cargo xtask lint --write"));
        }
    }
    Ok(findings)
}

/// Writes the pages anew.
pub(crate) fn write(project: &Project) -> Result<()> {
    for (file, name) in PAGES {
        fs::write(project.root.join(file), page(project, name)?)?;
    }
    Ok(())
}

/// What the tables generate.
fn page(project: &Project, name: &str) -> Result<String> {
    let mut generator = project.cargo("run");
    generator.args(["--locked", "--quiet", "-p", "wsgi-core", "--example", "directives-doc"]);
    let text = process::output(generator.args(["--", name]));
    Ok(text.context("cannot generate the page")? + "\n")
}
