//! Other Pythons than the system's, for which the module under test has binaries: named by
//! `WSGI_TEST_PYTHONS` as `3.12=/prefix:3.13=/prefix`. `cargo xtask test --only pythons` sets it.

use std::path::{Path, PathBuf};

/// One installation.
#[derive(Clone, Debug)]
pub struct Python {
    /// The minor version.
    pub minor: u8,
    /// Its prefix, which everybody may enter.
    pub prefix: PathBuf,
}

impl Python {
    /// `3.12`.
    pub fn version(&self) -> String {
        format!("3.{}", self.minor)
    }

    /// The program.
    pub fn program(&self) -> PathBuf {
        self.prefix.join("bin").join(format!("python{}", self.version()))
    }
}

/// All of them, the oldest first; none, after saying so, when none is named.
pub fn others() -> Vec<Python> {
    let named = std::env::var("WSGI_TEST_PYTHONS").unwrap_or_default();
    let mut found: Vec<Python> = named.split(':').filter_map(parse).collect();
    found.sort_by_key(|python| python.minor);
    if found.is_empty() {
        super::original::skipped("needs other Pythons, see WSGI_TEST_PYTHONS");
    }
    found
}

/// Those whose interpreters can have a lock of their own.
pub fn with_own_locks() -> Vec<Python> {
    others().into_iter().filter(|python| python.minor >= 12).collect()
}

fn parse(entry: &str) -> Option<Python> {
    let (version, prefix) = entry.split_once('=')?;
    let minor = version.strip_prefix("3.")?.parse().ok()?;
    Some(Python { minor, prefix: Path::new(prefix).to_owned() })
}
