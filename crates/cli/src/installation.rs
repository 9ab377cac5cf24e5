//! The module that belongs to this command, and the Python it is to use.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Name of the variable by which the Python package says whose Python called.
pub(crate) const CALLER: &str = "MOD_WSGI_RS_PYTHON_HOME";

/// The installed files: the command lies in the folder beside the module.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    /// The module.
    pub(crate) module: PathBuf,
}

impl Installation {
    /// Looks beside this program.
    pub(crate) fn find() -> Result<Self> {
        let own = env::current_exe().context("cannot find the command's own file")?;
        let own = own.canonicalize().unwrap_or(own);
        let folder = own.parent().unwrap_or(Path::new("/"));
        let module = folder.with_file_name("mod_wsgi_rs.so");
        if folder.file_name().is_none_or(|name| name != "mod_wsgi_rs") || !module.is_file() {
            bail!(
                "no module beside this command ({}): install mod_wsgi_rs again",
                module.display()
            );
        }
        Ok(Self { module })
    }
}

/// The Python to use: as the user says, of whoever called, of the active venv; else the one the
/// module takes by itself.
pub(crate) fn python_home(given: Option<&Path>) -> Option<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given
        .map(Path::to_path_buf)
        .or_else(|| named("VIRTUAL_ENV"))
        .or_else(|| named(CALLER))
        // Links stay: a venv knows itself by the path of its python.
        .map(|home| std::path::absolute(&home).unwrap_or(home))
        // The system's own is what the module takes anyhow.
        .filter(|home| home != Path::new("/usr"))
}

/// The interpreter of a home, to ask it something.
pub(crate) fn interpreter(home: Option<&Path>) -> PathBuf {
    home.map_or_else(|| PathBuf::from("/usr/bin/python3"), |home| home.join("bin/python3"))
}
