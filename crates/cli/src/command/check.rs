//! `check`: tries every application of a configuration (`httpd -t -D WSGI_CHECK`).

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use wsgi_httpd::{Httpd, Wanted, program};

use crate::options::Check;

/// Has httpd read the configuration and the module try what it mounts; shows what they say.
pub(crate) fn run(options: &Check) -> Result<ExitCode> {
    let wanted = Wanted { program: options.httpd_executable.clone(), ..Wanted::default() };
    let httpd = Httpd::find(&wanted)?;
    let file = match &options.configuration {
        Some(file) => {
            Some(file.canonicalize().with_context(|| format!("cannot find {}", file.display()))?)
        }
        None => None,
    };
    let mut command = program_with_variables(&httpd, file.as_deref());
    command.args(["-t", "-D", "WSGI_CHECK"]);
    for define in &options.defines {
        command.args(["-D", define]);
    }
    if let Some(file) = file {
        command.arg("-f").arg(file);
    }
    command.stdin(Stdio::null());
    let status = command.status().with_context(|| program::text(&command))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// httpd, with the variables that a file `envvars` beside its configuration sets, as apachectl has it:
/// Debian's configuration cannot be read without.
fn program_with_variables(httpd: &Httpd, configuration: Option<&Path>) -> Command {
    let usual = httpd.configuration_file();
    let folder = configuration.or(usual.as_deref()).and_then(Path::parent);
    let variables = folder.map(|folder| folder.join("envvars")).filter(|file| file.is_file());
    let Some(variables) = variables else { return Command::new(&httpd.program) };
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", ". \"$0\" && exec \"$@\""]).arg(variables).arg(&httpd.program);
    shell
}
