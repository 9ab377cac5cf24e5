//! The commands, one file each.

mod check;
mod install;
mod module;
mod server;

use std::process::ExitCode;

use anyhow::Result;

use crate::options::{Command, reference};
use crate::{run, talk};

/// Runs one.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::StartServer(options) => server::start(*options),
        Command::SetupServer(options) => server::set_up(*options),
        Command::Check(options) => check::run(&options),
        Command::Status { talk, json } => talk::status(&talk, json),
        Command::Dump(options) => talk::dump(&options),
        Command::Reload(options) => talk::reload(&options),
        Command::Drain { group, place } => talk::drain(&place, &group),
        Command::ModuleConfig(options) => module::configuration(&options),
        Command::ModuleLocation => module::location(),
        Command::Install(options) => install::install(&options),
        Command::Uninstall(options) => install::uninstall(&options),
        Command::Reference => {
            print!("{}", reference::page());
            Ok(ExitCode::SUCCESS)
        }
        Command::RunHttpd { words } => run::become_httpd(&words),
    }
}
