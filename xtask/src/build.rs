//! `cargo xtask build`: everything a running httpd needs, in `target/stage`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use wsgi_httpd::place::{make_folder, place};
use wsgi_httpd::program;

use crate::project::Project;
use crate::python::Python;
use crate::setup::{self, Needs};

/// Sets the machine up, builds for the given interpreters and fills the stage.
pub(crate) fn run(project: &Project, pythons: &[PathBuf]) -> Result<()> {
    setup::ensure(Needs::Build)?;
    let pythons = Python::chosen(pythons)?;
    stage(project, &pythons)
}

/// Builds for these interpreters; the stage then holds exactly what was built.
pub(crate) fn stage(project: &Project, pythons: &[Python]) -> Result<()> {
    stage_in(project, &project.stage(), pythons).map(drop)
}

/// The same with another folder than the stage; the module in it.
pub(crate) fn stage_in(project: &Project, folder: &Path, pythons: &[Python]) -> Result<PathBuf> {
    let started = Instant::now();
    println!("xtask: building the module, the supervisor and the command");
    program::run(project.cargo("build").args([
        "--locked",
        "--release",
        "-p",
        "mod_wsgi_rs",
        "-p",
        "wsgi-supervisor",
        "-p",
        "wsgi-cli",
    ]))?;
    let release = project.target.join("release");
    let helpers = folder.join("mod_wsgi_rs");
    make_folder(folder)?;
    make_folder(&helpers)?;

    let mut kept = Vec::new();
    for program in ["wsgi-supervisor", "mod-wsgi-rs"] {
        place(&release.join(program), &helpers.join(program))?;
        kept.push(program.to_owned());
    }
    for python in pythons {
        println!("xtask: building for Python {} ({})", python.version, python.path.display());
        let release = build_python(project, python)?;
        let daemon = format!("wsgi-daemon-{}", python.version);
        let embedded = format!("wsgi-embedded-{}.so", python.version);
        place(&release.join("wsgi-daemon"), &helpers.join(&daemon))?;
        place(&release.join("libwsgi_embedded.so"), &helpers.join(&embedded))?;
        kept.extend([daemon, embedded]);
    }
    for stub in ["mod_wsgi.pyi", "apache.pyi"] {
        place(&project.root.join("crates/python/stubs").join(stub), &helpers.join(stub))?;
        kept.push(stub.to_owned());
    }
    remove_others(&helpers, &kept)?;
    // Last: whoever finds a module finds what it needs beside it.
    let module = folder.join("mod_wsgi_rs.so");
    place(&release.join("libmod_wsgi_rs.so"), &module)?;
    let seconds = started.elapsed().as_secs_f32();
    println!("xtask: built {} in {seconds:.1} s", module.display());
    Ok(module)
}

/// Builds the daemon and the embedded library for one interpreter; returns the folder they
/// are in. Another Python than the system's has a target folder of its own: PyO3's build
/// scripts would otherwise run again at every change of interpreter.
fn build_python(project: &Project, python: &Python) -> Result<PathBuf> {
    let target = match python.is_system() {
        true => project.target.clone(),
        false => project.target.join(format!("python-{}", python.version)),
    };
    let mut command = for_python(project.cargo("build"), python);
    command.env("CARGO_TARGET_DIR", &target);
    program::run(command.args([
        "--locked",
        "--release",
        "-p",
        "wsgi-daemon",
        "-p",
        "wsgi-embedded",
    ]))?;
    Ok(target.join("release"))
}

/// Makes a cargo call build for one interpreter.
pub(crate) fn for_python(mut command: Command, python: &Python) -> Command {
    command.env("PYO3_PYTHON", &python.path);
    command
}

/// Removes what an earlier build left for other interpreters: it may not fit this module.
fn remove_others(folder: &Path, kept: &[String]) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if kept.iter().any(|name| entry.file_name() == name.as_str()) {
            continue;
        }
        match fs::remove_file(entry.path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("cannot remove {}", entry.path().display()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_other_interpreters_go() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["wsgi-supervisor", "wsgi-daemon-3.9"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_others(folder.path(), &["wsgi-supervisor".to_owned()]).unwrap();
        assert!(folder.path().join("wsgi-supervisor").exists());
        assert!(!folder.path().join("wsgi-daemon-3.9").exists());
    }
}
