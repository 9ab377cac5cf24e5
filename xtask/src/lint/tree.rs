//! The files of the repository: what git knows, and what it would add.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::source;
use crate::project::Project;
use wsgi_httpd::program;

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Path from the root of the repository, with `/`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

impl File {
    /// The text with comments and literals blanked (Rust only).
    pub(crate) fn code(&self) -> String {
        source::blank(&self.text)
    }

    /// A finding at a byte of the text.
    pub(crate) fn finding(&self, offset: usize, what: &str) -> String {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        format!("{}:{line}: {what}", self.path)
    }
}

/// All text files of the repository.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Sorted by path.
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads everything that is committed or could be.
    pub(crate) fn read(project: &Project) -> Result<Self> {
        let mut git = Command::new("git");
        git.current_dir(&project.root).args(["ls-files", "-z", "-c", "-o", "--exclude-standard"]);
        let listing = program::output(&mut git)?;
        let mut files: Vec<File> = listing
            .split('\0')
            .filter_map(|path| {
                // Binary files and those just deleted are nothing to check.
                let text = fs::read_to_string(project.root.join(path)).ok()?;
                Some(File { path: path.to_owned(), text })
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(Self { files })
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// One file by its path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}
