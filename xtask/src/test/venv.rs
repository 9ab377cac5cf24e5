//! The venv with the real applications' libraries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::python::Python;
use wsgi_httpd::program;

/// The venv of the suite: made anew when its list of packages has changed.
pub(crate) fn ensure(project: &Project, python: &Python) -> Result<PathBuf> {
    let list = project.root.join("tests/requirements.txt");
    let wanted =
        fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let folder = project.cache().join("venv");
    fill(&folder, python, &format!("python {}\n{wanted}", python.version), |pip| {
        pip.arg("-r").arg(&list);
    })?;
    Ok(folder)
}

/// Makes a venv and installs into it, unless that was done with the same `stamp` before.
pub(crate) fn fill(
    folder: &Path,
    python: &Python,
    stamp: &str,
    packages: impl FnOnce(&mut Command),
) -> Result<()> {
    let stamp_file = folder.join("installed.txt");
    if fs::read_to_string(&stamp_file).is_ok_and(|done| done == stamp) {
        return Ok(());
    }
    println!("xtask: making {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    program::run(Command::new(&python.path).args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    packages(&mut pip);
    program::run(&mut pip)?;
    fs::write(&stamp_file, stamp)?;
    Ok(())
}
