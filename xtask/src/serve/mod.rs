//! `cargo xtask serve`: an application under a private httpd in the foreground.
//!
//! `port` finds a free port, `folder` makes the private ServerRoot and copies what httpd's
//! user could not reach, `config` writes its configuration, `server` starts and stops httpd,
//! `log` shows what it logs. Everything is gone when the command ends.

mod access;
mod config;
mod folder;
mod log;
mod port;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::project::Project;
use crate::python::Python;
use crate::setup::{self, Needs};
use crate::{build, httpd};
use folder::Folder;
use log::Log;
use server::{Outcome, Server};

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

/// Set when the user wants the server to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Catches the signals by which a terminal or a supervisor ends a program.
    fn on_signals() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .context("cannot catch signals")?;
        }
        Ok(Self(flag))
    }

    /// Whether the end was asked for.
    fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
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
    let user = if httpd::is_root() { httpd::User::of_httpd() } else { None };
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
        let mut server = Server::start(folder)?;
        match server.wait_until_it_answers(port, stop, &mut log)? {
            Outcome::PortTaken if options.port.is_none() => continue,
            Outcome::PortTaken => bail!("port {port} was taken while httpd started"),
            Outcome::Stopped => return stopped(server, &mut log),
            Outcome::Answers(status) => announce(port, status, options.port.is_none()),
        }
        while !stop.is_wanted() {
            log.show();
            if let Some(status) = server.ended()? {
                log.show();
                bail!("httpd ended by itself ({status})");
            }
            thread::sleep(Duration::from_millis(100));
        }
        return stopped(server, &mut log);
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
fn stopped(mut server: Server, log: &mut Log) -> Result<ExitCode> {
    println!("\nxtask: stopping httpd");
    server.stop()?;
    log.show();
    Ok(ExitCode::SUCCESS)
}
