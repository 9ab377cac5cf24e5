//! The private folder of one `serve`: ServerRoot, module, and the application where httpd's
//! user could not read it at its own place.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::StatVfsMountFlags;
use tempfile::TempDir;

use wsgi_httpd::{User, access};

use crate::project::Project;

/// More than this in the folder of a script is no application but somebody's home.
const MOST_BYTES: u64 = 500 << 20;

/// The folder and what is in it.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: TempDir,
    script: PathBuf,
    user: Option<User>,
}

impl Folder {
    /// Makes the folder; `user` is set when httpd changes to another user than ours.
    pub(crate) fn new(
        project: &Project,
        script: &Path,
        is_copied: bool,
        user: Option<User>,
    ) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("mod_wsgi_rs.")
            .tempdir_in(place(user.as_ref())?)
            .context("cannot make a private folder")?;
        let root = dir.path();
        // The group may enter, nobody else: with root's umask the default would shut httpd out.
        let mode = if user.is_some() { 0o750 } else { 0o700 };
        fs::set_permissions(root, fs::Permissions::from_mode(mode))?;
        if let Some(user) = &user {
            chown(root, None, Some(user.gid)).context("cannot hand the folder to httpd's group")?;
        }
        for name in ["run", "logs"] {
            fs::create_dir(root.join(name))?;
        }
        copy_tree(&project.stage(), &root.join("module"), &mut MOST_BYTES.clone())?;
        let script = if is_copied || !access::may_read(script, user.as_ref()) {
            copy_application(script, &root.join("app"), is_copied)?
        } else {
            script.to_path_buf()
        };
        Ok(Self { dir, script, user })
    }

    /// The ServerRoot.
    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The script to serve, as httpd's user can read it.
    pub(crate) fn script(&self) -> &Path {
        &self.script
    }

    /// Where both logs of httpd go.
    pub(crate) fn log(&self) -> PathBuf {
        self.root().join("logs/serve.log")
    }

    /// The user httpd's children run as, when not ourselves.
    pub(crate) fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// Removes everything.
    pub(crate) fn remove(self) -> Result<()> {
        let path = self.root().to_path_buf();
        self.dir.close().with_context(|| format!("cannot remove {}", path.display()))
    }
}

/// The full path of the script a user named.
pub(crate) fn existing_script(script: &Path) -> Result<PathBuf> {
    let path =
        script.canonicalize().with_context(|| format!("cannot find {}", script.display()))?;
    if !path.is_file() {
        bail!("{} is not a file: name the WSGI script", script.display());
    }
    Ok(path)
}

/// A temporary folder that httpd's user may enter and programs may be started from.
fn place(user: Option<&User>) -> Result<PathBuf> {
    let candidates = [env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
    let fits = |path: &PathBuf| {
        let starts_programs = rustix::fs::statvfs(path)
            .is_ok_and(|place| !place.f_flag.contains(StatVfsMountFlags::NOEXEC));
        starts_programs && access::may_read(path, user)
    };
    candidates
        .into_iter()
        .find(fits)
        .context("no temporary folder that httpd's user may use (set TMPDIR)")
}

/// Copies the folder of a script; returns the script in the copy.
fn copy_application(script: &Path, to: &Path, is_ours: bool) -> Result<PathBuf> {
    let (Some(from), Some(name)) = (script.parent(), script.file_name()) else {
        bail!("{} is in no folder", script.display());
    };
    if !is_ours {
        println!(
            "xtask: httpd's user may not read {}: serving a copy, later changes need a new start",
            from.display()
        );
    }
    copy_tree(from, to, &mut MOST_BYTES.clone())
        .with_context(|| format!("cannot copy the application in {}", from.display()))?;
    Ok(to.join(name))
}

/// Copies a folder so that everybody who may enter its parent can read it.
fn copy_tree(from: &Path, to: &Path, left: &mut u64) -> Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            if entry.file_name() != ".git" && entry.file_name() != "__pycache__" {
                copy_tree(&entry.path(), &target, left)?;
            }
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else if kind.is_file() {
            copy_file(&entry.path(), &target, left)?;
        }
    }
    Ok(())
}

/// Copies one file, readable for all, executable if it was.
fn copy_file(from: &Path, to: &Path, left: &mut u64) -> Result<()> {
    let mode = fs::metadata(from)?.permissions().mode();
    let copied = fs::copy(from, to)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", from.display())))?;
    *left = left
        .checked_sub(copied)
        .context("the folder holds more than 500 MB: serve a script in a folder of its own")?;
    let mode = if mode & 0o100 != 0 { 0o755 } else { 0o644 };
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_readable_whatever_the_original_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("sub/__pycache__")).unwrap();
        fs::write(from.join("sub/app.wsgi"), "x").unwrap();
        fs::set_permissions(from.join("sub/app.wsgi"), fs::Permissions::from_mode(0o600)).unwrap();
        copy_tree(&from, &to, &mut 10).unwrap();
        let mode = fs::metadata(to.join("sub/app.wsgi")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert!(!to.join("sub/__pycache__").exists());
    }

    #[test]
    fn a_whole_home_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        fs::create_dir(&from).unwrap();
        fs::write(from.join("large"), "0123456789").unwrap();
        assert!(copy_tree(&from, &folder.path().join("to"), &mut 9).is_err());
    }

    #[test]
    fn a_script_that_is_a_folder_is_refused() {
        assert!(existing_script(Path::new("/tmp")).is_err());
        assert!(existing_script(Path::new("/nowhere/app.wsgi")).is_err());
    }
}
