//! `cargo xtask bench`: builds, installs whom to compare with, then runs `benches/run.py`; with
//! `--gate` it runs `benches/gate.py` with our module alone.

mod peers;

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::project::Project;
use crate::python;
use crate::setup::{self, Needs};
use crate::test::{self, Part};
use wsgi_httpd::{Apxs, program};

/// Runs the comparison, or with `is_gate` the check of what a request may cost; the arguments are
/// those of the program that does it.
pub(crate) fn run(project: &Project, is_gate: bool, arguments: &[String]) -> Result<ExitCode> {
    setup::ensure(Needs::Bench)?;
    let parts: &[Part] = if is_gate { &[Part::Event] } else { &[Part::Event, Part::Original] };
    let prepared = test::prepare(project, parts, test::Libraries::All)?;
    let httpd = Apxs::new(None);
    let program = if is_gate { "benches/gate.py" } else { "benches/run.py" };
    let mut command = Command::new(python::SYSTEM);
    command.arg(project.root.join(program)).arg("--ours").arg(project.module());
    command.arg("--httpd").arg(httpd.httpd()?).arg("--moddir").arg(httpd.modules()?);
    if let Some(venv) = prepared.venv() {
        command.arg("--venv").arg(venv);
    }
    if let Some(original) = prepared.original() {
        let peers = peers::ensure(project, prepared.python())?;
        command.arg("--original").arg(original);
        command.arg("--peers").arg(peers.venv).arg("--unpacked").arg(peers.unpacked);
    }
    let is_ok = program::succeeds(command.args(arguments))?;
    Ok(if is_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
