//! docs/directives.md is what the directive table says.

use std::fs;

use anyhow::{Context, Result};

use super::Findings;
use super::tree::Tree;
use crate::process;
use crate::project::Project;

const PAGE: &str = "docs/directives.md";

/// Findings: a page that differs from what the table generates.
pub(crate) fn check(project: &Project, tree: &Tree) -> Result<Findings> {
    let present = tree.file(PAGE).map(|file| file.text.as_str()).unwrap_or_default();
    if present == page(project)? {
        return Ok(Findings::new());
    }
    Ok(vec![format!("{PAGE} is out of date: run cargo xtask lint --write")])
}

/// Writes the page anew.
pub(crate) fn write(project: &Project) -> Result<()> {
    fs::write(project.root.join(PAGE), page(project)?)?;
    Ok(())
}

/// What the table generates.
fn page(project: &Project) -> Result<String> {
    let mut generator = project.cargo("run");
    generator.args(["--locked", "--quiet", "-p", "wsgi-core", "--example", "directives-doc"]);
    let text = process::output(&mut generator).context("cannot generate the page")?;
    Ok(text + "\n")
}
