//! The server in the foreground: its start, the signals it gets, and its end.
//!
//! At a terminal this command stays, in front of httpd: Ctrl-C then reaches it alone and httpd is
//! stopped in order, with everything below it. Elsewhere (a service manager, a container) httpd
//! takes this command's place, so that whoever started it deals with httpd itself.

use std::io::{IsTerminal, stdin, stdout};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use wsgi_httpd::{Log, Server, program};

use crate::site::Site;
use crate::{conf, files, refusal, terminal};

/// How often the server is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long httpd may take to open its port.
const START: Duration = Duration::from_secs(60);

/// Starts the server and stays until its end.
pub(crate) fn serve(site: &Site) -> Result<ExitCode> {
    let words = files::starting_httpd(site)?;
    if !stdin().is_terminal() && !stdout().is_terminal() {
        let (program, arguments) = words.split_first().context("no program")?;
        let error = Command::new(program).args(arguments).arg("-DFOREGROUND").exec();
        bail!("cannot start {program}: {error}");
    }
    let signals = signals()?;
    let mut log = Log::new(conf::log_file(site, &site.options.logs.error_log_name)?);
    log.added();
    // Through ourselves: httpd then ends with us even when we are killed.
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run-httpd").args(&words).arg("-DFOREGROUND");
    let server = Server::start(&mut command)?;
    // Now: a terminal that has gone is none.
    Front { site, server, log, has_terminal: stdin().is_terminal() }.stay(&signals)
}

/// The signals this process gets, one after the other.
fn signals() -> Result<Receiver<i32>> {
    let (sender, signals) = mpsc::channel();
    let mut caught = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1]).context("signals")?;
    thread::spawn(move || {
        for signal in caught.forever() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(signals)
}

/// A server and the terminal it was started from.
struct Front<'s> {
    site: &'s Site,
    server: Server,
    log: Log,
    has_terminal: bool,
}

impl Front<'_> {
    /// Passes signals on until the end.
    fn stay(mut self, signals: &Receiver<i32>) -> Result<ExitCode> {
        let started = Instant::now();
        let mut is_ready = false;
        loop {
            if let Some(status) = self.server.ended()? {
                return Err(ended(self.site, status, &mut self.log));
            }
            let listen = &self.site.options.listen;
            if !is_ready && listens(listen.host.as_deref(), listen.port) {
                is_ready = true;
                let urls = terminal::strong(&self.site.urls().join(" "));
                terminal::say(&format!("Serving at {urls}  (Ctrl-C ends it)"));
            }
            if !is_ready && started.elapsed() > START {
                self.server.stop()?;
                let (port, seconds) = (self.site.options.listen.port, START.as_secs());
                bail!("httpd did not open port {port} within {seconds} s: see its error log");
            }
            match signals.recv_timeout(LOOK) {
                Ok(signal) if self.obey(signal)? => return Ok(ExitCode::SUCCESS),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("cannot hear signals"),
            }
        }
    }

    /// Does what a signal asks for; whether that was the end.
    fn obey(&mut self, signal: i32) -> Result<bool> {
        match signal {
            SIGUSR1 => self.server.signal(Signal::USR1)?,
            // From a terminal it means that the terminal has gone.
            SIGHUP if !self.has_terminal => self.server.signal(Signal::HUP)?,
            _ => {
                terminal::say("\nStopping");
                self.server.stop()?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// In the process that becomes httpd: ends with the command that started it.
pub(crate) fn become_httpd(words: &[std::ffi::OsString]) -> Result<ExitCode> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    let (program, arguments) = words.split_first().context("no program")?;
    let error = Command::new(program).args(arguments).exec();
    bail!("cannot start {}: {error}", program.display());
}

/// Whether somebody listens where the server is to.
fn listens(host: Option<&str>, port: u16) -> bool {
    let named = (host.unwrap_or("0.0.0.0"), port).to_socket_addrs();
    // One that stands for all addresses is none to go to.
    let reachable = named.into_iter().flatten().map(|mut address| {
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        address
    });
    reachable.into_iter().any(|address| TcpStream::connect_timeout(&address, LOOK).is_ok())
}

/// The error for an httpd that ended by itself.
fn ended(site: &Site, status: ExitStatus, log: &mut Log) -> anyhow::Error {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("with {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => String::from("somehow"),
    };
    let said = String::from_utf8_lossy(&log.added()).into_owned();
    let last = said.lines().next_back().unwrap_or("its error log says nothing").to_owned();
    let folder = site.options.logs.log_directory.as_ref().unwrap_or(&site.root);
    anyhow::anyhow!("httpd ended {how}; see the error log in {}: {last}", folder.display())
}

/// Has httpd read the configuration, and the module try every application.
pub(crate) fn check(site: &Site) -> Result<()> {
    let words = files::httpd(site)?;
    let Some((httpd, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(httpd);
    command.args(arguments).arg("-t");
    if !site.options.application.skip_check {
        terminal::progress("Loading the application once");
        command.arg("-DWSGI_CHECK");
    }
    command.stdin(std::process::Stdio::null());
    let output = command.output().with_context(|| program::text(&command))?;
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    if !output.status.success() {
        bail!("{}", refusal::explain(&text, &site.httpd));
    }
    refusal::warnings(&text).for_each(terminal::warning);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_found_by_whatever_the_host_is_called() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in [None, Some("127.0.0.1"), Some("0.0.0.0"), Some("localhost")] {
            assert!(listens(host, port), "{host:?}");
        }
        for host in ["127.0.0.2", "no such name"] {
            assert!(!listens(Some(host), port), "{host}");
        }
        if let Ok(listener) = TcpListener::bind("[::1]:0") {
            assert!(listens(Some("::"), listener.local_addr().unwrap().port()));
        }
    }
}
