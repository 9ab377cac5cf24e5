//! `cargo xtask build`: everything a running httpd needs, in `target/stage`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::process;
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
    println!("xtask: building the module and the supervisor");
    process::run(project.cargo("build").args([
        "--locked",
        "--release",
        "-p",
        "mod_wsgi_rs",
        "-p",
        "wsgi-supervisor",
    ]))?;
    let release = project.target.join("release");
    let helpers = folder.join("mod_wsgi_rs");
    make_folder(folder)?;
    make_folder(&helpers)?;

    let mut kept = vec!["wsgi-supervisor".to_owned()];
    place(&release.join("wsgi-supervisor"), &helpers.join("wsgi-supervisor"))?;
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
    process::run(command.args([
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

/// A folder that every user may enter, whatever the umask is.
fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to other users", path.display()))
}

/// Copies a file to its place by a rename, because a running httpd may have the
/// old one mapped. An unchanged file is left alone.
pub(crate) fn place(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let is_program = fs::metadata(from)?.permissions().mode() & 0o100 != 0;
    let mode = if is_program { 0o755 } else { 0o644 };
    let mut name = to.as_os_str().to_owned();
    name.push(format!(".new{}", std::process::id()));
    let temporary = PathBuf::from(name);
    fs::write(&temporary, new)
        .and_then(|()| fs::set_permissions(&temporary, fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&temporary, to))
        .with_context(|| format!("cannot write {}", to.display()))
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
    fn a_placed_program_is_for_everybody_and_replaces_by_rename() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "one").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o700)).unwrap();
        place(&from, &to).unwrap();
        let mapped = fs::File::open(&to).unwrap();
        fs::write(&from, "two").unwrap();
        place(&from, &to).unwrap();
        assert_eq!(std::io::read_to_string(mapped).unwrap(), "one");
        assert_eq!(fs::read_to_string(&to).unwrap(), "two");
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_placed_text_is_no_program() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "text").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o600)).unwrap();
        place(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o644);
    }

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
