//! `cargo xtask bench`: builds, then runs `benches/run.py` with the built module.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::project::Project;
use crate::{build, process, python};

/// Runs the comparison; the arguments are those of `benches/run.py`.
pub(crate) fn run(project: &Project, arguments: &[String]) -> Result<ExitCode> {
    build::run(project, &[])?;
    let mut command = Command::new(python::SYSTEM);
    command.arg(project.root.join("benches/run.py")).arg("--ours").arg(project.module());
    let is_ok = process::succeeds(command.args(arguments))?;
    Ok(if is_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
