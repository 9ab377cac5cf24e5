//! The rules that Rust's own tools check.

use anyhow::Result;

use super::Findings;
use super::tree::Tree;
use crate::build;
use crate::project::Project;
use crate::python::Python;
use wsgi_httpd::program;

/// Findings: files that rustfmt would change.
pub(crate) fn check_format(project: &Project, _: &Tree) -> Result<Findings> {
    let is_ok = program::succeeds(project.cargo("fmt").args(["--all", "--check"]))?;
    Ok(if is_ok { Findings::new() } else { vec!["run cargo fmt --all".to_owned()] })
}

/// Findings: anything clippy says about any target.
pub(crate) fn check_clippy(project: &Project, _: &Tree) -> Result<Findings> {
    let mut ok = true;
    for python in Python::chosen(&[])? {
        let mut command = build::for_python(project.cargo("clippy"), &python);
        command.args(["--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
        ok &= program::succeeds(&mut command)?;
    }
    Ok(if ok { Findings::new() } else { vec!["clippy's words are above".to_owned()] })
}
