//! The private httpd: start, wait for its first answer, stop.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use super::Stop;
use super::folder::Folder;
use super::log::Log;
use crate::httpd::Httpd;

/// How long the first answer may take: the application is imported for it.
const START: Duration = Duration::from_secs(60);

/// How long httpd may take to stop before it is killed.
const END: Duration = Duration::from_secs(20);

/// What became of a start.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The application answered with this status.
    Answers(u16),
    /// Somebody else took the port in between.
    PortTaken,
    /// The user asked for the end before the first answer.
    Stopped,
}

/// A running httpd; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    output: std::path::PathBuf,
}

impl Server {
    /// Starts httpd in the foreground of a process group of its own, so that a Ctrl-C reaches
    /// us alone and httpd is stopped in order.
    pub(crate) fn start(folder: &Folder) -> Result<Self> {
        let root = folder.root();
        let output = root.join("logs/output");
        let written = File::create(&output)?;
        let child = Command::new(Httpd::new(None).program()?)
            .arg("-d")
            .arg(root)
            .arg("-f")
            .arg(root.join("httpd.conf"))
            .arg("-DFOREGROUND")
            // The developer's own settings (PYTHONPATH, a venv, …) are none of the server's.
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .current_dir(root)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(written.try_clone()?)
            .stderr(written)
            .spawn()
            .context("cannot start httpd")?;
        Ok(Self { child, output })
    }

    /// Asks for `/` until an answer comes.
    pub(crate) fn wait_until_it_answers(
        &mut self,
        port: u16,
        stop: &Stop,
        log: &mut Log,
    ) -> Result<Outcome> {
        let started = Instant::now();
        while started.elapsed() < START {
            log.show();
            if stop.is_wanted() {
                return Ok(Outcome::Stopped);
            }
            if let Some(status) = self.ended()? {
                log.show();
                let said = fs::read_to_string(&self.output).unwrap_or_default();
                if said.contains("could not bind to address") {
                    return Ok(Outcome::PortTaken);
                }
                bail!("httpd did not start ({status})\n{}", said.trim_end());
            }
            if let Some(status) = status_of_root(port) {
                log.show();
                return Ok(Outcome::Answers(status));
            }
            thread::sleep(Duration::from_millis(50));
        }
        log.show();
        bail!("httpd started, but nothing answered on port {port} within {} s", START.as_secs());
    }

    /// The exit status, when httpd has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot wait for httpd")
    }

    /// Stops httpd and waits for it; kills its process group when it does not listen.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, Signal::TERM).context("cannot stop httpd")?;
        let asked = Instant::now();
        while asked.elapsed() < END {
            if self.ended()?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        eprintln!("xtask: httpd did not stop within {} s, killing it", END.as_secs());
        rustix::process::kill_process_group(pid, Signal::KILL).context("cannot kill httpd")?;
        self.child.wait().context("cannot wait for httpd")?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only errors on the way out get here with a running httpd, and those are reported.
        let _ = self.stop();
    }
}

/// The status of one request for `/`, or nothing while nobody answers.
fn status_of_root(port: u16) -> Option<u16> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(64).read_to_end(&mut answer).ok()?;
    status(&String::from_utf8_lossy(&answer))
}

/// The number in a status line.
fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_the_first_line() {
        assert_eq!(status("HTTP/1.1 404 Not Found\r\nServer: x"), Some(404));
        assert_eq!(status("HTTP/1.1 200 OK"), Some(200));
        assert_eq!(status("SSH-2.0-x"), None);
    }
}
