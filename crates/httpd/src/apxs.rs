//! What apxs says about an httpd.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::program;

/// The apxs program of an httpd.
#[derive(Debug, Clone)]
pub struct Apxs {
    program: PathBuf,
}

impl Apxs {
    /// The httpd of the given apxs, or of `$APXS`, or of the one on PATH.
    pub fn new(apxs: Option<&Path>) -> Self {
        let program = match (apxs, env::var_os("APXS")) {
            (Some(path), _) => path.to_path_buf(),
            (None, Some(path)) => PathBuf::from(path),
            (None, None) => PathBuf::from("apxs"),
        };
        Self { program }
    }

    /// The apxs program, for builds that ask it themselves.
    pub fn path(&self) -> &Path {
        &self.program
    }

    /// One answer of `apxs -q`.
    fn query(&self, name: &str) -> Result<PathBuf> {
        let answer = program::output(Command::new(&self.program).args(["-q", name]))
            .with_context(|| format!("cannot ask {} for {name}", self.program.display()))?;
        Ok(PathBuf::from(answer))
    }

    /// The server program.
    pub fn httpd(&self) -> Result<PathBuf> {
        Ok(self.query("SBINDIR")?.join(self.query("PROGNAME")?))
    }

    /// The folder of loadable modules.
    pub fn modules(&self) -> Result<PathBuf> {
        self.query("LIBEXECDIR")
    }

    /// The folder of the configuration.
    pub fn configuration(&self) -> Result<PathBuf> {
        self.query("SYSCONFDIR")
    }
}
