//! The Python interpreters we build for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use wsgi_httpd::program;

/// The interpreter used when none is named: the system's own, because the first `python3` on
/// PATH may live in a home that httpd's user cannot enter.
pub(crate) const SYSTEM: &str = "/usr/bin/python3";

/// One interpreter and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Python {
    /// The program.
    pub(crate) path: PathBuf,
    /// Major and minor version as in file names: `3.11`.
    pub(crate) version: String,
}

impl Python {
    /// Asks an interpreter for its version.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        let program = "import sys; print('%d.%d' % sys.version_info[:2])";
        let version = program::output(Command::new(path).args(["-I", "-c", program]))
            .with_context(|| format!("{} is not a usable Python", path.display()))?;
        Ok(Self { path: path.to_path_buf(), version })
    }

    /// The interpreters named on the command line, or the system's; one per version, because
    /// the files made for them are named by it.
    pub(crate) fn chosen(paths: &[PathBuf]) -> Result<Vec<Self>> {
        if paths.is_empty() {
            return Ok(vec![Self::at(Path::new(SYSTEM))?]);
        }
        let mut pythons: Vec<Self> = Vec::new();
        for path in paths {
            let python = Self::at(path)?;
            if let Some(other) = pythons.iter().find(|other| other.version == python.version) {
                bail!(
                    "{} and {} are both Python {}: one binary is made per version, name one of them",
                    other.path.display(),
                    python.path.display(),
                    python.version
                );
            }
            pythons.push(python);
        }
        Ok(pythons)
    }

    /// Whether this is the interpreter that plain cargo calls build for.
    pub(crate) fn is_system(&self) -> bool {
        self.path == Path::new(SYSTEM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_interpreters_of_one_version_are_refused() {
        let twice = [PathBuf::from(SYSTEM), PathBuf::from(SYSTEM)];
        assert!(Python::chosen(&twice).unwrap_err().to_string().contains("both Python"));
    }

    #[test]
    fn a_program_that_is_no_python_is_refused() {
        assert!(Python::at(Path::new("/bin/false")).is_err());
    }
}
