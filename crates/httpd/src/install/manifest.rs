//! The list of installed files, kept beside the module: one path a line.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What one `install` put where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    paths: Vec<PathBuf>,
}

impl Manifest {
    /// An empty list.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The list in a module folder; empty when there is none.
    pub(super) fn read(modules: &Path) -> Result<Self> {
        let file = file(modules);
        match fs::read_to_string(&file) {
            Ok(text) => Ok(Self { paths: text.lines().map(PathBuf::from).collect() }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::new()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Adds an installed file.
    pub(super) fn add(&mut self, path: PathBuf) {
        self.paths.push(path);
    }

    /// Whether nothing is installed.
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether this file was installed by us.
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.paths.iter().any(|known| known == path)
    }

    /// All installed files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    /// What is in this list and not in the other.
    pub(super) fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Path> {
        self.paths().filter(|path| !other.contains(path))
    }

    /// Writes the list into a module folder.
    pub(super) fn write(&self, modules: &Path) -> Result<()> {
        let lines: String = self.paths().map(|path| format!("{}\n", path.display())).collect();
        let file = file(modules);
        fs::write(&file, lines).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Removes the list and the folder it is in.
    pub(super) fn remove(modules: &Path) -> Result<()> {
        fs::remove_file(file(modules))?;
        match fs::remove_dir(folder(modules)) {
            // Somebody else's file in our folder is not ours to remove.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            other => other.context("cannot remove the folder beside the module"),
        }
    }
}

/// The folder beside the module.
fn folder(modules: &Path) -> PathBuf {
    modules.join("mod_wsgi_rs")
}

/// The list's own file.
fn file(modules: &Path) -> PathBuf {
    folder(modules).join("manifest.txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_list_is_read_again_and_removed() {
        let modules = tempfile::tempdir().unwrap();
        assert!(Manifest::read(modules.path()).unwrap().is_empty());
        fs::create_dir(folder(modules.path())).unwrap();
        let mut manifest = Manifest::new();
        manifest.add(modules.path().join("mod_wsgi_rs.so"));
        manifest.write(modules.path()).unwrap();
        assert_eq!(Manifest::read(modules.path()).unwrap(), manifest);
        Manifest::remove(modules.path()).unwrap();
        assert!(!folder(modules.path()).exists());
    }

    #[test]
    fn files_of_an_older_install_are_the_difference() {
        let (mut old, mut new) = (Manifest::new(), Manifest::new());
        for name in ["/m/wsgi-daemon-3.9", "/m/wsgi-supervisor"] {
            old.add(PathBuf::from(name));
        }
        new.add(PathBuf::from("/m/wsgi-supervisor"));
        assert_eq!(old.without(&new).collect::<Vec<_>>(), [Path::new("/m/wsgi-daemon-3.9")]);
    }
}
