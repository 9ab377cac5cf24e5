//! `mod-wsgi-rs`: the command for the people who run applications.
//!
//! | file or folder | holds |
//! |---|---|
//! | `options` | the command line: every command and option with its help |
//! | `application`, `django` | what APP is |
//! | `installation` | the module and the Pythons it was installed for |
//! | `site` | what follows from the options: a server, completely decided |
//! | `conf` | its `httpd.conf` |
//! | `files` | its folder: configuration, scripts, apachectl |
//! | `run` | the server in the foreground, its signals and its end |
//! | `refusal` | httpd's words about a configuration, as one line with the remedy |
//! | `talk` | questions to a running server |
//! | `command` | the commands, one file each |
//!
//! Data flows one way: options → site → conf and files → httpd. Nothing is started before all that
//! can be known has been checked.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod application;
mod command;
mod conf;
mod django;
mod files;
mod installation;
mod options;
mod refusal;
mod run;
mod site;
mod talk;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use options::{Cli, absent};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => match absent::explain(&error) {
            Some(text) => {
                terminal::error(&text);
                return ExitCode::FAILURE;
            }
            // Help, too, is an error to clap; it prints and ends as it should.
            None => error.exit(),
        },
    };
    match command::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            terminal::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
