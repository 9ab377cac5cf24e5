//! docs/directives.md is what the directive table says.

use anyhow::{Context, Result};

use super::Findings;
use super::tree::Tree;
use crate::process;
use crate::project::Project;

const PAGE: &str = "docs/directives.md";

/// Findings: a page that differs from what the table generates.
pub(crate) fn check(project: &Project, tree: &Tree) -> Result<Findings> {
    let mut generator = project.cargo("run");
    generator.args(["--locked", "--quiet", "-p", "wsgi-core", "--example", "directives-doc"]);
    let wanted = process::output(&mut generator).context("cannot generate the page")?;
    let present = tree.file(PAGE).map(|file| file.text.trim_end()).unwrap_or_default();
    if present == wanted {
        return Ok(Findings::new());
    }
    Ok(vec![format!("{PAGE} is out of date: {} > {PAGE}", process::text(&generator))])
}
