//! `cargo xtask install` and `uninstall`, the way apxs does it: into the module folder of the
//! httpd that apxs describes.
//!
//! `manifest` remembers what was installed, `debian` makes the files for `a2enmod`. httpd
//! itself is neither started nor reconfigured.

mod debian;
mod manifest;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::build;
use crate::httpd::Httpd;
use crate::process;
use crate::project::Project;
use crate::python::Python;
use crate::setup::{self, Needs};
use debian::Enabling;
use manifest::Manifest;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// The apxs of the httpd.
    pub(crate) apxs: Option<PathBuf>,
    /// The interpreters to build for.
    pub(crate) pythons: Vec<PathBuf>,
    /// Take the stage as it is.
    pub(crate) is_built: bool,
}

/// Builds and installs.
pub(crate) fn install(project: &Project, options: &Options) -> Result<()> {
    if !options.is_built {
        setup::ensure(Needs::Build)?;
        build::stage(project, &Python::chosen(&options.pythons)?)?;
    } else if !project.module().exists() {
        bail!("target/stage holds no module: leave --no-build away");
    }
    let httpd = Httpd::new(options.apxs.as_deref());
    let modules = httpd.modules()?;
    check_writable(&modules)?;
    let enabling = Enabling::of(&httpd.configuration()?);

    let old = Manifest::read(&modules)?;
    let mut new = Manifest::new();
    copy_stage(project, &modules, &mut new)?;
    if let Some(enabling) = &enabling {
        enabling.install(&project.root.join("conf"), &modules, &old, &mut new)?;
    }
    for path in old.without(&new) {
        remove_file(path)?;
    }
    new.write(&modules)?;
    println!("xtask: installed in {}", modules.display());
    match enabling {
        Some(enabling) => enabling.explain(),
        None => println!(
            "Add this line to httpd's configuration:\n\n    LoadModule wsgi_module {}\n",
            modules.join("mod_wsgi_rs.so").display()
        ),
    }
    Ok(())
}

/// Removes what the manifest names, and nothing else.
pub(crate) fn uninstall(apxs: Option<&Path>) -> Result<()> {
    let httpd = Httpd::new(apxs);
    let modules = httpd.modules()?;
    let manifest = Manifest::read(&modules)?;
    if manifest.is_empty() {
        println!("xtask: nothing of mod_wsgi_rs is installed in {}", modules.display());
        return Ok(());
    }
    check_writable(&modules)?;
    if let Some(enabling) = Enabling::of(&httpd.configuration()?) {
        enabling.check_disabled()?;
    }
    for path in manifest.paths() {
        remove_file(path)?;
    }
    Manifest::remove(&modules)?;
    println!("xtask: removed mod_wsgi_rs from {}", modules.display());
    Ok(())
}

/// Copies the module and the folder beside it; the module last.
fn copy_stage(project: &Project, modules: &Path, manifest: &mut Manifest) -> Result<()> {
    let helpers = modules.join("mod_wsgi_rs");
    fs::create_dir_all(&helpers).with_context(|| format!("cannot make {}", helpers.display()))?;
    for entry in fs::read_dir(project.stage().join("mod_wsgi_rs"))? {
        let entry = entry?;
        let target = helpers.join(entry.file_name());
        build::place(&entry.path(), &target)?;
        manifest.add(target);
    }
    let module = modules.join("mod_wsgi_rs.so");
    build::place(&project.module(), &module)?;
    manifest.add(module);
    Ok(())
}

/// An error with the command that would work, when the folder is not ours to write to.
fn check_writable(folder: &Path) -> Result<()> {
    if rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok() {
        return Ok(());
    }
    // By its full path: sudo's own PATH and folder need not lead to it.
    let mut words = vec![std::env::current_exe()?.into_os_string()];
    words.extend(std::env::args_os().skip(1));
    let is_install = words.iter().any(|word| word == "install");
    if is_install && !words.iter().any(|word| word == "--no-build") {
        words.push("--no-build".into());
    }
    let mut sudo = std::process::Command::new("sudo");
    sudo.args(words);
    bail!("cannot write to {}: run\n\n    {}\n", folder.display(), process::text(&sudo))
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
