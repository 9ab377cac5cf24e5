//! The files of a package, put together in a folder whatever the umask and the owner of the clone are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use wsgi_httpd::place::make_folder;
use wsgi_httpd::program;

use crate::project::Project;

/// Makes a folder and those above it that everybody may enter.
pub(crate) fn folder(path: &Path) -> Result<()> {
    if let Some(above) = path.parent().filter(|above| !above.exists()) {
        folder(above)?;
    }
    make_folder(path)
}

/// Writes a text.
pub(crate) fn text(path: &Path, text: &str, mode: u32) -> Result<()> {
    if let Some(above) = path.parent() {
        folder(above)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

/// Writes a text as gzip does, with the end `.gz`; the same bytes whenever that is.
pub(crate) fn compressed(path: &Path, content: &str) -> Result<()> {
    text(path, content, 0o644)?;
    program::run(Command::new("gzip").args(["--best", "--no-name"]).arg(path))
}

/// Copies a file, executable if it was.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(above) = to.parent() {
        folder(above)?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    let is_program = fs::metadata(from)?.permissions().mode() & 0o100 != 0;
    let mode = if is_program { 0o755 } else { 0o644 };
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}

/// Copies a folder without what Python has compiled.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    folder(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_name() != "__pycache__" {
            copy_folder(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Puts the module and the folder beside it into `to`, without what only debuggers and linkers read.
pub(crate) fn stage(project: &Project, to: &Path) -> Result<()> {
    let module = to.join("mod_wsgi_rs.so");
    copy(&project.module(), &module)?;
    let helpers = to.join("mod_wsgi_rs");
    copy_folder(&project.stage().join("mod_wsgi_rs"), &helpers)?;
    let mut strip = Command::new("strip");
    strip.args(["--strip-unneeded", "--remove-section=.comment"]).arg(&module);
    for entry in fs::read_dir(&helpers)? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "pyi") {
            strip.arg(path);
        }
    }
    program::run(&mut strip)
}
