//! Whom we are compared with besides the original: servers from the Python registry in a venv, and
//! Debian's mod_wsgi and mod_php, which are unpacked and not installed, so that the system's httpd
//! stays as it is. One that cannot be had is left out: `benches/run.py` says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::python::Python;
use crate::test::fill_venv;
use wsgi_httpd::program;

/// From the Python registry: servers that take part when they can be installed.
const SERVERS: [&str; 6] = ["gunicorn", "granian", "uwsgi", "waitress", "cheroot", "flup"];

/// From Debian: modules that take part when they can be downloaded.
const MODULES: [&str; 2] = ["libapache2-mod-wsgi-py3", "libapache2-mod-php8.2"];

/// Where the others are.
#[derive(Debug)]
pub(crate) struct Peers {
    /// The venv with servers and the applications' libraries.
    pub(crate) venv: PathBuf,
    /// The root of the unpacked packages.
    pub(crate) unpacked: PathBuf,
}

/// Makes everything that can be made here and is not there yet.
pub(crate) fn ensure(project: &Project, python: &Python) -> Result<Peers> {
    let folder = project.cache().join("peers");
    let venv = folder.join("venv");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let list = project.root.join("tests/requirements.txt");
    let wanted = fs::read_to_string(&list)?;
    fill_venv(&venv, python, &format!("python {}\n{wanted}", python.version), |pip| {
        pip.arg("-r").arg(&list);
    })?;
    for server in SERVERS {
        once(&folder, server, || install(&venv, server))?;
    }
    let unpacked = folder.join("debian");
    for module in MODULES {
        once(&folder, module, || unpack(&folder, &unpacked, module))?;
    }
    Ok(Peers { venv, unpacked })
}

/// Does what `work` does unless it was tried before, with or without success.
fn once(folder: &Path, name: &str, work: impl FnOnce() -> Result<bool>) -> Result<()> {
    let mark = folder.join(format!("{name}.tried"));
    if mark.exists() {
        return Ok(());
    }
    let is_there = work()?;
    if !is_there {
        println!("xtask: {name} cannot be had here and is left out");
    }
    fs::write(&mark, if is_there { "there" } else { "left out" })?;
    Ok(())
}

fn install(venv: &Path, server: &str) -> Result<bool> {
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    program::succeeds(pip.arg(server))
}

fn unpack(downloads: &Path, unpacked: &Path, module: &str) -> Result<bool> {
    if !program::exists("apt-get") || !program::exists("dpkg") {
        return Ok(false);
    }
    let mut download = Command::new("apt-get");
    if !program::succeeds(download.args(["download", "-q", module]).current_dir(downloads))? {
        return Ok(false);
    }
    for entry in fs::read_dir(downloads)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&format!("{module}_")) {
            fs::create_dir_all(unpacked)?;
            return program::succeeds(
                Command::new("dpkg").arg("-x").arg(entry.path()).arg(unpacked),
            );
        }
    }
    Ok(false)
}
