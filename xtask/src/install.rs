//! `cargo xtask install` and `uninstall`: builds, and puts the stage into the httpd that apxs
//! describes (`wsgi_httpd::install` does the putting).

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use wsgi_httpd::install::{Target, may_write};
use wsgi_httpd::{Apxs, program};

use crate::build;
use crate::project::Project;
use crate::python::Python;
use crate::setup::{self, Needs};

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
    let target = target(options.apxs.as_deref())?;
    check_writable(&target.modules)?;
    let next = target.install(&project.module())?;
    println!("xtask: installed in {}\n{next}", target.modules.display());
    Ok(())
}

/// Removes what the manifest names, and nothing else.
pub(crate) fn uninstall(apxs: Option<&Path>) -> Result<()> {
    let target = target(apxs)?;
    let modules = target.modules.display();
    match target.uninstall()? {
        true => println!("xtask: removed mod_wsgi_rs from {modules}"),
        false => println!("xtask: nothing of mod_wsgi_rs is installed in {modules}"),
    }
    Ok(())
}

fn target(apxs: Option<&Path>) -> Result<Target> {
    let apxs = Apxs::new(apxs);
    Ok(Target { modules: apxs.modules()?, configuration: Some(apxs.configuration()?) })
}

/// An error with the command that would work, when the folder is not ours to write to.
fn check_writable(folder: &Path) -> Result<()> {
    if may_write(folder) {
        return Ok(());
    }
    // By its full path: sudo's own PATH and folder need not lead to it.
    let mut words = vec![std::env::current_exe()?.into_os_string()];
    words.extend(std::env::args_os().skip(1));
    if !words.iter().any(|word| word == "--no-build") {
        words.push("--no-build".into());
    }
    let mut sudo = std::process::Command::new("sudo");
    sudo.args(words);
    bail!("cannot write to {}: run\n\n    {}\n", folder.display(), program::text(&sudo))
}
