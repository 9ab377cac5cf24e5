//! `check`: tries every application of a configuration (`httpd -t -D WSGI_CHECK`).

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use wsgi_httpd::{Httpd, Wanted, program};

use crate::options::Check;

/// Has httpd read the configuration and the module try what it mounts; shows what they say.
pub(crate) fn run(options: &Check) -> Result<ExitCode> {
    let wanted = Wanted { program: options.httpd_executable.clone(), ..Wanted::default() };
    let httpd = Httpd::find(&wanted)?;
    let mut command = Command::new(&httpd.program);
    command.args(["-t", "-D", "WSGI_CHECK"]);
    for define in &options.defines {
        command.args(["-D", define]);
    }
    if let Some(file) = &options.configuration {
        let file =
            file.canonicalize().with_context(|| format!("cannot find {}", file.display()))?;
        command.arg("-f").arg(file);
    }
    command.stdin(Stdio::null());
    let status = command.status().with_context(|| program::text(&command))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
