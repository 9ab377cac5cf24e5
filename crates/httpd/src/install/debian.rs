//! The files by which Debian's `a2enmod` knows a module.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::manifest::Manifest;

/// Stands for the module file in `conf/wsgi_rs.load`.
const PLACEHOLDER: &str = "@MODULE@";

/// The line that loads the module.
const LOAD: &str = include_str!("../../../../conf/wsgi_rs.load");

/// The commented settings that the administrator may change.
const CONF: &str = include_str!("../../../../conf/wsgi_rs.conf");

/// A configuration folder with Debian's `mods-available`.
#[derive(Debug)]
pub(super) struct Enabling {
    available: PathBuf,
    enabled: PathBuf,
}

impl Enabling {
    /// Debian's folders, if this httpd has them.
    pub(super) fn of(configuration: &Path) -> Option<Self> {
        let available = configuration.join("mods-available");
        available.is_dir().then(|| Self { available, enabled: configuration.join("mods-enabled") })
    }

    /// Writes `wsgi_rs.load` and, unless the administrator has changed it, `wsgi_rs.conf`.
    pub(super) fn install(
        &self,
        modules: &Path,
        old: &Manifest,
        new: &mut Manifest,
    ) -> Result<String> {
        let module = modules.join("mod_wsgi_rs.so");
        let load = LOAD.replace(PLACEHOLDER, &module.display().to_string());
        self.write("wsgi_rs.load", &load, new)?;

        let path = self.available.join("wsgi_rs.conf");
        match fs::read_to_string(&path) {
            Ok(present) if present != CONF => {
                let said = format!("Keeping {}, it was changed.\n", path.display());
                if old.contains(&path) {
                    new.add(path);
                }
                Ok(said)
            }
            _ => self.write("wsgi_rs.conf", CONF, new).map(|()| String::new()),
        }
    }

    /// Writes one file of ours.
    fn write(&self, name: &str, text: &str, manifest: &mut Manifest) -> Result<()> {
        let path = self.available.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        manifest.add(path);
        Ok(())
    }

    /// An error while the module is enabled: without its files httpd would not start again.
    pub(super) fn check_disabled(&self) -> Result<()> {
        let link = self.enabled.join("wsgi_rs.load");
        if link.symlink_metadata().is_ok() {
            bail!("the module is enabled ({}): run a2dismod wsgi_rs first", link.display());
        }
        Ok(())
    }

    /// Says what to do next.
    pub(super) fn next_steps(&self) -> String {
        let mut text = "Enable it with\n\n".to_owned();
        if self.enabled.join("wsgi.load").symlink_metadata().is_ok() {
            text += "    a2dismod wsgi      # the two modules cannot be loaded together\n";
        }
        text + "    a2enmod wsgi_rs\n\nand restart httpd.\n"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn debian() -> (tempfile::TempDir, Enabling) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["mods-available", "mods-enabled"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let enabling = Enabling::of(folder.path()).unwrap();
        (folder, enabling)
    }

    #[test]
    fn the_load_file_names_the_module_and_conflicts_with_the_original() {
        let (folder, enabling) = debian();
        let mut manifest = Manifest::new();
        enabling.install(Path::new("/mods"), &Manifest::new(), &mut manifest).unwrap();
        let load = fs::read_to_string(folder.path().join("mods-available/wsgi_rs.load")).unwrap();
        assert!(load.contains("\nLoadModule wsgi_module /mods/mod_wsgi_rs.so\n"), "{load}");
        assert!(load.starts_with("# Conflicts: wsgi\n"), "{load}");
        assert_eq!(manifest.paths().count(), 2);
    }

    #[test]
    fn a_changed_conf_is_kept() {
        let (folder, enabling) = debian();
        let path = folder.path().join("mods-available/wsgi_rs.conf");
        fs::write(&path, "mine").unwrap();
        let mut manifest = Manifest::new();
        enabling.install(Path::new("/mods"), &Manifest::new(), &mut manifest).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert!(!manifest.contains(&path));
    }

    #[test]
    fn an_enabled_module_is_not_removed() {
        let (folder, enabling) = debian();
        enabling.check_disabled().unwrap();
        symlink("../mods-available/wsgi_rs.load", folder.path().join("mods-enabled/wsgi_rs.load"))
            .unwrap();
        assert!(enabling.check_disabled().unwrap_err().to_string().contains("a2dismod"));
    }
}
