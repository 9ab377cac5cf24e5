//! `module-config` and `module-location`: for a configuration that somebody else writes.

use std::process::ExitCode;

use anyhow::Result;
use wsgi_httpd::word::quoted;

use crate::installation::{Installation, python_home};
use crate::options::Python;

/// Prints the lines that load the module.
pub(crate) fn configuration(options: &Python) -> Result<ExitCode> {
    let installation = Installation::find()?;
    println!("LoadModule wsgi_module {}", quoted(&installation.module)?);
    if let Some(home) = python_home(options.python_home.as_deref()) {
        println!("WSGIPythonHome {}", quoted(&std::path::absolute(home)?)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints where the module is.
pub(crate) fn location() -> Result<ExitCode> {
    println!("{}", Installation::find()?.module.display());
    Ok(ExitCode::SUCCESS)
}
