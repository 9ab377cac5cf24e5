//! Files that lie beside the module.

use std::{fs, path::PathBuf};

use wsgi_core::directives::PythonVersion;

use crate::apache::library;

/// Files that lie beside the module.
pub(crate) struct Installation {
    folder: PathBuf,
    /// For which Pythons there are programs, the newest last.
    pub(super) versions: Vec<PythonVersion>,
}

impl Installation {
    /// Looks beside the module.
    pub(crate) fn find() -> Result<Self, String> {
        let module = library::own_path().ok_or("the module cannot find its own file")?;
        let folder = module.with_file_name("mod_wsgi_rs");
        let mut versions: Vec<_> = fs::read_dir(&folder)
            .map_err(|error| {
                format!("\"{}\": {error}; install the module again", folder.display())
            })?
            .filter_map(|entry| version_of(entry.ok()?.file_name().to_str()?))
            .collect();
        versions.sort_unstable();
        Ok(Self { folder, versions })
    }

    /// The supervisor's program.
    pub(crate) fn supervisor(&self) -> PathBuf {
        self.folder.join("wsgi-supervisor")
    }

    /// The version used where no `python-home` decides: the newest.
    pub(super) fn newest(&self) -> Result<PythonVersion, String> {
        let newest = self.versions.last().copied();
        newest.ok_or_else(|| {
            format!("no daemon program in \"{}\"; install the module again", self.folder.display())
        })
    }

    pub(super) fn daemon(&self, version: PythonVersion) -> PathBuf {
        self.folder.join(format!("wsgi-daemon-{version}"))
    }

    pub(super) fn embedded(&self, version: PythonVersion) -> PathBuf {
        self.folder.join(format!("wsgi-embedded-{version}.so"))
    }
}

fn version_of(program: &str) -> Option<PythonVersion> {
    let (major, minor) = program.strip_prefix("wsgi-daemon-")?.split_once('.')?;
    Some(PythonVersion { major: major.parse().ok()?, minor: minor.parse().ok()? })
}
