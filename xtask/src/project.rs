//! Where things are in the repository, and how cargo is called on it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository this xtask belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// cargo's target folder.
    pub(crate) target: PathBuf,
}

impl Project {
    /// Finds the repository: cargo names it at run time, so that a moved clone is found too.
    pub(crate) fn find() -> Self {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().map_or_else(|| manifest.clone(), Path::to_path_buf);
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None => root.join("target"),
        };
        Self { root, target }
    }

    /// What `LoadModule` names after a build. Always under `target/`, whatever
    /// `CARGO_TARGET_DIR` says: README and configurations name this path.
    pub(crate) fn stage(&self) -> PathBuf {
        self.root.join("target/stage")
    }

    /// The module in the stage.
    pub(crate) fn module(&self) -> PathBuf {
        self.stage().join("mod_wsgi_rs.so")
    }

    /// Downloads and builds that tests need again and again; beside the stage.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join("target")
    }

    /// A cargo command in the repository, on the locked dependencies.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).arg(subcommand);
        // `cargo run` tells us about our own package; a nested cargo must not inherit that.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }
}
