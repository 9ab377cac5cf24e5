//! Installing the module the way apxs does it: into the module folder of an httpd.
//!
//! `manifest` remembers what was installed, `debian` makes the files for `a2enmod`. httpd
//! itself is neither started nor reconfigured.

mod debian;
mod manifest;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::place::{make_folder, place};
use debian::Enabling;
use manifest::Manifest;

/// Where to: the folders of an httpd.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its modules.
    pub modules: PathBuf,
    /// Its configuration, where that is known.
    pub configuration: Option<PathBuf>,
}

/// Whether the user may install there.
pub fn may_write(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

impl Target {
    /// Copies a module, with the folder beside it, and removes what an earlier installation had
    /// and this one does not. The result says what to do next.
    pub fn install(&self, module: &Path) -> Result<String> {
        let enabling = self.enabling();
        let old = Manifest::read(&self.modules)?;
        let mut new = Manifest::new();
        let mut said = String::new();
        copy(module, &self.modules, &mut new)?;
        if let Some(enabling) = &enabling {
            said = enabling.install(&self.modules, &old, &mut new)?;
        }
        for path in old.without(&new) {
            remove_file(path)?;
        }
        new.write(&self.modules)?;
        let next = match enabling {
            Some(enabling) => enabling.next_steps(),
            None => format!(
                "Add this line to httpd's configuration:\n\n    LoadModule wsgi_module {}\n",
                self.module().display()
            ),
        };
        Ok(said + &next)
    }

    /// Removes what the manifest names, and nothing else; false when there is nothing.
    pub fn uninstall(&self) -> Result<bool> {
        let manifest = Manifest::read(&self.modules)?;
        if manifest.is_empty() {
            return Ok(false);
        }
        if !may_write(&self.modules) {
            bail!("cannot write to {}: run the command as root", self.modules.display());
        }
        if let Some(enabling) = self.enabling() {
            enabling.check_disabled()?;
        }
        for path in manifest.paths() {
            remove_file(path)?;
        }
        Manifest::remove(&self.modules)?;
        Ok(true)
    }

    /// The module's file once it is installed.
    pub fn module(&self) -> PathBuf {
        self.modules.join("mod_wsgi_rs.so")
    }

    fn enabling(&self) -> Option<Enabling> {
        Enabling::of(self.configuration.as_deref()?)
    }
}

/// Copies the module and the folder beside it; the module last.
fn copy(module: &Path, modules: &Path, manifest: &mut Manifest) -> Result<()> {
    let helpers = modules.join("mod_wsgi_rs");
    make_folder(&helpers)?;
    let beside = module.with_file_name("mod_wsgi_rs");
    let entries =
        fs::read_dir(&beside).with_context(|| format!("cannot read {}", beside.display()))?;
    for entry in entries {
        let entry = entry?;
        if !entry.file_type()?.is_file() || entry.file_name() == "manifest.txt" {
            continue;
        }
        let target = helpers.join(entry.file_name());
        place(&entry.path(), &target)?;
        manifest.add(target);
    }
    let installed = modules.join("mod_wsgi_rs.so");
    place(module, &installed)?;
    manifest.add(installed);
    Ok(())
}

/// Removes a file that may be gone already.
fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
