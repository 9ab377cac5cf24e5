//! The end of a server, and what is examined then.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::httpd::Httpd;
use super::process::{self, Process};
use super::wait::DEADLINE;

/// Runs what a destructor has to do. It may fail its test, but once only: a second panic that left a
/// destructor would end the run, and with it every other test.
pub fn at_end(work: impl FnOnce()) {
    let has_failed = std::thread::panicking();
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work))
        && !has_failed
    {
        resume_unwind(payload);
    }
}

impl Httpd {
    /// Stops the server and waits until all its processes are gone; what is left, as text.
    pub fn stop(&self) -> Vec<String> {
        self.end(libc::SIGTERM)
    }

    /// Ends httpd's parent with a signal; what is wrong afterwards.
    pub fn end(&self, signal: i32) -> Vec<String> {
        if self.stopped.replace(true) {
            return Vec::new();
        }
        let mut wrong = self.zombies();
        self.running.set(self.log().len());
        self.signal(signal);
        let status = self.wait_for_exit();
        match status {
            None => wrong.push("httpd did not end".to_owned()),
            Some(status) if signal == libc::SIGTERM && !status.success() => {
                wrong.push(format!("httpd ended with {:?} {:?}", status.code(), status.signal()));
            }
            Some(_) => {}
        }
        wrong.extend(self.survivors());
        wrong
    }

    fn wait_for_exit(&self) -> Option<ExitStatus> {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            if let Some(status) = self.child.borrow_mut().try_wait().expect("wait for httpd") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Ended for good below; the failure is reported by the caller.
        let _ = self.child.borrow_mut().kill();
        let _ = self.child.borrow_mut().wait();
        None
    }

    /// Processes that have ended and that nobody waits for. One that has just ended is waited for
    /// in a moment.
    fn zombies(&self) -> Vec<String> {
        let unwaited = || -> Vec<String> {
            let tree = self.processes();
            let zombies =
                tree.iter().filter(|process| process.is_zombie() && process.parent() != self.pid());
            zombies.map(|one| format!("a zombie: {} {}", one.pid, one.name())).collect()
        };
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let zombies = unwaited();
            if zombies.is_empty() || Instant::now() >= deadline {
                return zombies;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Processes left a few seconds after httpd's end; they are killed, and named.
    fn survivors(&self) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(8);
        let mut left;
        loop {
            let alive = |one: &&Process| one.is_alive();
            left = self.seen.borrow().iter().filter(alive).cloned().collect::<BTreeSet<_>>();
            left.extend(process::users_of(&self.root));
            if left.is_empty() || Instant::now() > end {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let name =
            |one: &Process| format!("left over: {} {} {}", one.pid, one.name(), one.command());
        let names = left.iter().map(name).collect();
        left.iter().for_each(|one| one.signal(libc::SIGKILL));
        names
    }

    /// Ends a server that did not start.
    pub(super) fn abandon(&self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.root);
    }

    /// Stops the server, and fails the test that has left something.
    fn finish(&self) {
        let mut wrong = self.stop();
        wrong.extend(self.expectations.borrow().violations(&self.log(), self.running.get()));
        if !self.root.exists() {
            return;
        }
        if std::thread::panicking() || !wrong.is_empty() {
            println!("---- log of {} ----\n{}", self.root.display(), self.log_text());
        }
        if std::env::var_os("WSGI_TEST_KEEP").is_none() {
            // The folder of the run is removed at exit in any case.
            let _ = fs::remove_dir_all(&self.root);
        }
        assert!(std::thread::panicking() || wrong.is_empty(), "after the test: {wrong:#?}");
    }
}

impl Drop for Httpd {
    fn drop(&mut self) {
        at_end(|| self.finish());
    }
}
