//! The private httpd of `serve`: its start up to the first answer.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use wsgi_httpd::{Apxs, Log, Server, Stop};

use super::config;
use super::folder::Folder;

/// How long the first answer may take: the application is imported for it.
const START: Duration = Duration::from_secs(60);

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

/// A server that has been started, and where its first words go.
#[derive(Debug)]
pub(crate) struct Started {
    /// The server.
    pub(crate) server: Server,
    output: PathBuf,
    number: PathBuf,
}

impl Started {
    /// Starts httpd in the folder.
    pub(crate) fn new(folder: &Folder) -> Result<Self> {
        let root = folder.root();
        let output = root.join("logs/output");
        let written = File::create(&output)?;
        let mut command = Command::new(Apxs::new(None).httpd()?);
        command
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
            .stdout(written.try_clone()?)
            .stderr(written);
        let number = root.join(config::PID_FILE);
        Ok(Self { server: Server::start(&mut command)?, output, number })
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
            if let Some(status) = self.server.ended()? {
                log.show();
                let said = fs::read_to_string(&self.output).unwrap_or_default();
                if said.contains("could not bind to address") {
                    return Ok(Outcome::PortTaken);
                }
                bail!("httpd did not start ({status})\n{}", said.trim_end());
            }
            // httpd writes its number when it has its port; before that, another server may have
            // it, and answer there.
            if self.number.exists()
                && let Some(status) = status_of_root(port)
            {
                log.show();
                return Ok(Outcome::Answers(status));
            }
            thread::sleep(Duration::from_millis(50));
        }
        log.show();
        bail!("httpd started, but nothing answered on port {port} within {} s", START.as_secs());
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
