//! Every Rust file starts with what it is for.

use anyhow::Result;

use super::Findings;
use super::tree::Tree;
use crate::project::Project;

/// Findings: Rust files that do not open with `//!`.
pub(crate) fn check(_: &Project, tree: &Tree) -> Result<Findings> {
    let headless = tree.rust().filter(|file| !file.text.starts_with("//! "));
    Ok(headless.map(|file| file.finding(0, "opens without a //! line of its purpose")).collect())
}
