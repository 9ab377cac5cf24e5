//! The original mod_wsgi, built once as a black box: only its module file is used, by path.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::venv;
use crate::project::Project;
use crate::python::Python;
use wsgi_httpd::Apxs;

/// The release whose behaviour is the contract.
const VERSION: &str = "6.1.1";

/// The module file of the original.
pub(crate) fn ensure(project: &Project, python: &Python) -> Result<PathBuf> {
    let folder = project.cache().join("original");
    fs::create_dir_all(&folder)?;
    let stamp = format!("mod-wsgi {VERSION}, python {}\n", python.version);
    let venv_folder = folder.join("venv");
    venv::fill(&venv_folder, python, &stamp, |pip| {
        pip.args(["--no-binary", "mod-wsgi"]).arg(format!("mod-wsgi=={VERSION}"));
        pip.env("APXS", Apxs::new(None).path());
    })?;
    let module = folder.join("mod_wsgi.so");
    fs::copy(built(&venv_folder, python)?, &module).context("cannot copy the original's module")?;
    Ok(module)
}

/// The library that pip built.
fn built(venv: &Path, python: &Python) -> Result<PathBuf> {
    let folder = venv.join(format!("lib/python{}/site-packages/mod_wsgi/server", python.version));
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "so"))
        .with_context(|| format!("pip left no module in {}", folder.display()))
}
