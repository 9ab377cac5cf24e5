//! A private httpd in the foreground: start and stop.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};

/// How long httpd may take to stop before it is killed.
const END: Duration = Duration::from_secs(20);

/// A running httpd; stopped when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
}

/// How httpd came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In order.
    Stopped,
    /// It did not listen.
    Killed,
}

impl Server {
    /// Starts httpd in a process group of its own, so that a Ctrl-C reaches us alone and httpd is
    /// stopped in order.
    pub fn start(command: &mut Command) -> Result<Self> {
        command.process_group(0).stdin(Stdio::null());
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        Ok(Self { child })
    }

    /// The exit status, when httpd has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot wait for httpd")
    }

    /// Sends httpd's parent a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        rustix::process::kill_process(Pid::from_child(&self.child), signal)
            .context("cannot signal httpd")
    }

    /// Stops httpd and waits for it; kills its process group when it does not listen.
    pub fn stop(&mut self) -> Result<End> {
        if self.ended()?.is_some() {
            return Ok(End::Stopped);
        }
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, Signal::TERM).context("cannot stop httpd")?;
        let asked = Instant::now();
        while asked.elapsed() < END {
            if self.ended()?.is_some() {
                return Ok(End::Stopped);
            }
            thread::sleep(Duration::from_millis(20));
        }
        rustix::process::kill_process_group(pid, Signal::KILL).context("cannot kill httpd")?;
        self.child.wait().context("cannot wait for httpd")?;
        Ok(End::Killed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only errors on the way out get here with a running httpd, and those are reported.
        let _ = self.stop();
    }
}

/// Time that [`Server::stop`] leaves httpd, for messages.
pub const PATIENCE: Duration = END;
