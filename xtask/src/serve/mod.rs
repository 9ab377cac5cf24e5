//! `cargo xtask serve`: an application under a private httpd in the foreground.
//!
//! `folder` makes the private ServerRoot and copies what httpd's user could not reach, `config`
//! writes its configuration, `server` starts httpd. Everything is gone when the command ends.

mod config;
mod folder;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use wsgi_httpd::server::{End, PATIENCE};
use wsgi_httpd::{Log, Stop, User, is_root, port};

use crate::build;
use crate::project::Project;
use crate::python::Python;
use crate::setup::{self, Needs};
use folder::Folder;
use server::{Outcome, Started};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// A script instead of the example application.
    pub(crate) script: Option<PathBuf>,
    /// This port and no other.
    pub(crate) port: Option<u16>,
    /// Serve inside httpd's children.
    pub(crate) is_embedded: bool,
}

/// Sets the machine up, builds, serves until a signal comes, and cleans up.
pub(crate) fn run(project: &Project, options: &Options) -> Result<ExitCode> {
    let script = match &options.script {
        Some(script) => folder::existing_script(script)?,
        None => project.root.join("examples/hello/hello.wsgi"),
    };
    if let Some(port) = options.port {
        port::check(port)?; // before a build that would be for nothing
    }
    setup::ensure(Needs::Build)?;
    build::stage(project, &Python::chosen(&[])?)?;

    let stop = Stop::on_signals()?;
    let user = if is_root() { User::of_httpd() } else { None };
    let folder = Folder::new(project, &script, options.script.is_none(), user)?;
    let result = serve(&folder, options, &stop);
    folder.remove()?;
    result
}

/// Starts httpd on the first port that is free, and stays until the end.
fn serve(folder: &Folder, options: &Options, stop: &Stop) -> Result<ExitCode> {
    let mut log = Log::new(folder.log());
    for port in port::candidates(options.port) {
        if port::check(port).is_err() && options.port.is_none() {
            continue;
        }
        config::write(folder, port, options.is_embedded)?;
        let mut started = Started::new(folder)?;
        match started.wait_until_it_answers(port, stop, &mut log)? {
            Outcome::PortTaken if options.port.is_none() => continue,
            Outcome::PortTaken => bail!("port {port} was taken while httpd started"),
            Outcome::Stopped => return stopped(started, &mut log),
            Outcome::Answers(status) => announce(port, status, options.port.is_none()),
        }
        while !stop.is_wanted() {
            log.show();
            if let Some(status) = started.server.ended()? {
                log.show();
                bail!("httpd ended by itself ({status})");
            }
            thread::sleep(Duration::from_millis(100));
        }
        return stopped(started, &mut log);
    }
    bail!("no free port found from {} on; name one with --port", port::FIRST);
}

/// Says where the application is.
fn announce(port: u16, status: u16, was_chosen_by_us: bool) {
    if was_chosen_by_us && port != port::FIRST {
        println!("xtask: port {} is taken, using {port}", port::FIRST);
    }
    if status >= 500 {
        println!("xtask: the application answers with {status}, see the log lines above");
    }
    println!("\n    http://127.0.0.1:{port}/\n\nCtrl-C ends it.");
}

/// The end the user asked for.
fn stopped(mut started: Started, log: &mut Log) -> Result<ExitCode> {
    println!("\nxtask: stopping httpd");
    if started.server.stop()? == End::Killed {
        eprintln!("xtask: httpd did not stop within {} s, it was killed", PATIENCE.as_secs());
    }
    log.show();
    Ok(ExitCode::SUCCESS)
}
