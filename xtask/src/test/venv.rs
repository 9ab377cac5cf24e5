//! The venv with the real applications' libraries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::python::Python;
use wsgi_httpd::program;

/// Which of the libraries there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Libraries {
    /// All: one that does not install is an error.
    #[default]
    All,
    /// Those that install, for a Python that is newer than the rest of them knows; the suite skips
    /// the tests of the others by name.
    Installable,
}

/// The venv of the suite: made anew when its list of packages has changed.
pub(crate) fn ensure(project: &Project, python: &Python, libraries: Libraries) -> Result<PathBuf> {
    let list = project.root.join("tests/requirements.txt");
    let wanted =
        fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let folder = project.cache().join("venv");
    let stamp = format!("python {}\n{wanted}", python.version);
    let filled = fill(&folder, python, &stamp, |pip| {
        pip.arg("-r").arg(&list);
    });
    match filled {
        Err(error) if libraries == Libraries::Installable => {
            println!("xtask: {error:#}");
            fill_with_what_installs(&folder, &wanted)?;
            fs::write(folder.join(STAMP), stamp)?;
        }
        filled => filled?,
    }
    Ok(folder)
}

/// The file that tells what was installed.
const STAMP: &str = "installed.txt";

/// Makes a venv and installs into it, unless that was done with the same `stamp` before.
pub(crate) fn fill(
    folder: &Path,
    python: &Python,
    stamp: &str,
    packages: impl FnOnce(&mut Command),
) -> Result<()> {
    let stamp_file = folder.join(STAMP);
    if fs::read_to_string(&stamp_file).is_ok_and(|done| done == stamp) {
        return Ok(());
    }
    println!("xtask: making {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    program::run(Command::new(&python.path).args(["-m", "venv"]).arg(folder))?;
    let mut pip = pip(folder);
    packages(&mut pip);
    program::run(&mut pip)?;
    fs::write(&stamp_file, stamp)?;
    Ok(())
}

/// `pip install` of a venv.
fn pip(folder: &Path) -> Command {
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip
}

/// Installs the packages of a list one by one; it names all that they need.
fn fill_with_what_installs(folder: &Path, wanted: &str) -> Result<()> {
    println!("xtask: installing the libraries one by one, without those that do not install");
    let (mut installed, mut missing) = (0, Vec::new());
    for package in packages(wanted) {
        // What pip says is long, and about a package that is not ours to mend: its name must do.
        match program::output(pip(folder).arg("--no-deps").arg(package)) {
            Ok(_) => installed += 1,
            Err(_) => missing.push(package),
        }
    }
    if installed == 0 {
        bail!("not one of the libraries installs");
    }
    println!("xtask: not installed: {}", missing.join(" "));
    Ok(())
}

/// The packages of a list.
fn packages(wanted: &str) -> impl Iterator<Item = &str> {
    wanted.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_packages() {
        let list = "# Libraries\nasgiref==3\n\nBTrees==6.5\n";
        assert_eq!(packages(list).collect::<Vec<_>>(), ["asgiref==3", "BTrees==6.5"]);
    }
}
