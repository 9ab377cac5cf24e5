//! `cargo xtask bench`: builds, prepares the original, then runs `benches/run.py` with both.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::httpd::Httpd;
use crate::project::Project;
use crate::setup::{self, Needs};
use crate::test::{self, Part};
use crate::{process, python};

/// Runs the comparison; the arguments are those of `benches/run.py`.
pub(crate) fn run(project: &Project, arguments: &[String]) -> Result<ExitCode> {
    setup::ensure(Needs::Bench)?;
    let prepared = test::prepare(project, &[Part::Event, Part::Original])?;
    let httpd = Httpd::new(None);
    let mut command = Command::new(python::SYSTEM);
    command.arg(project.root.join("benches/run.py"));
    command.arg("--ours").arg(project.module());
    command.arg("--httpd").arg(httpd.program()?).arg("--moddir").arg(httpd.modules()?);
    if let (Some(original), Some(venv)) = (prepared.original(), prepared.venv()) {
        command.arg("--original").arg(original).arg("--venv").arg(venv);
    }
    let is_ok = process::succeeds(command.args(arguments))?;
    Ok(if is_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
