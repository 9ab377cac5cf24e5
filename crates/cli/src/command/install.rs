//! `install` and `uninstall`: the module in the folder of an httpd.

use std::process::ExitCode;

use anyhow::{Result, bail};
use wsgi_httpd::install::{Target, may_write};
use wsgi_httpd::{Apxs, Httpd, Wanted};

use crate::installation::Installation;
use crate::options::Install;

/// Copies the module with what belongs to it.
pub(crate) fn install(options: &Install) -> Result<ExitCode> {
    let installation = Installation::find()?;
    let target = target(options)?;
    if installation.module == target.module() {
        bail!("{} is installed there already", installation.module.display());
    }
    if !may_write(&target.modules) {
        bail!(
            "no permission to write to {}: run the command with sudo, or name another folder with \
             --modules-directory",
            target.modules.display()
        );
    }
    let next = target.install(&installation.module)?;
    print!("Installed {}\n{next}", target.module().display());
    Ok(ExitCode::SUCCESS)
}

/// Removes what was installed.
pub(crate) fn uninstall(options: &Install) -> Result<ExitCode> {
    let target = target(options)?;
    let modules = target.modules.display();
    match target.uninstall()? {
        true => println!("Removed mod_wsgi_rs from {modules}"),
        false => println!("Nothing of mod_wsgi_rs is installed in {modules}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn target(options: &Install) -> Result<Target> {
    if let Some(modules) = &options.modules_directory {
        return Ok(Target { modules: modules.clone(), configuration: None });
    }
    if options.apxs.is_some() {
        let apxs = Apxs::new(options.apxs.as_deref());
        return Ok(Target { modules: apxs.modules()?, configuration: Some(apxs.configuration()?) });
    }
    let httpd = Httpd::find(&Wanted::default())?;
    Ok(Target { modules: httpd.modules, configuration: httpd.configuration })
}
