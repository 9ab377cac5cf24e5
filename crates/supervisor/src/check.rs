//! The supervisor of a check: a process tries the candidates of a group, another one what is left
//! when a candidate has ended it, and httpd hears what they say. Nothing is served, and each
//! process ends in time, whatever the applications do.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use wsgi_core::{
    check::{Candidate, Finding, Report},
    control::{FromDaemon, GroupSpec, ToDaemon, decode, encode},
};
use wsgi_ipc::{
    process::{self, ProcessHandle},
    scoreboard::End,
    socket,
};

use crate::launch::{self, Launched, Passed, SetupFailure};

/// Longest message of the process.
const LONGEST_MESSAGE: usize = 256 << 10;

/// How long the end of a process is waited for that has closed its socket.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// Has processes of the group try the candidates, each within so many seconds.
pub(crate) fn run(
    httpd: BorrowedFd<'_>,
    group: Box<GroupSpec>,
    candidates: Vec<Candidate>,
    limit: u32,
    descriptors: Vec<OwnedFd>,
) {
    let ended = try_all(httpd, group, candidates, limit, descriptors)
        .unwrap_or_else(|error| Some(format!("no process can be started: {error}")));
    report(httpd, &Report::Ended(ended));
}

fn report(httpd: BorrowedFd<'_>, report: &Report) {
    if let Ok(bytes) = encode(report) {
        // Without httpd nobody wants to know.
        socket::send_packet(httpd, &bytes, &[]).ok();
    }
}

/// Why not everything was tried, if not. What ends its process is not tried again; another process
/// goes on with the rest.
fn try_all(
    httpd: BorrowedFd<'_>,
    group: Box<GroupSpec>,
    candidates: Vec<Candidate>,
    limit: u32,
    descriptors: Vec<OwnedFd>,
) -> io::Result<Option<String>> {
    let [listener, slots, error_log] = <[OwnedFd; 3]>::try_from(descriptors)
        .map_err(|_| io::Error::other("the group came without its descriptors"))?;
    let passed = Passed {
        listener: listener.as_fd(),
        slots: slots.as_fd(),
        error_log: error_log.as_fd(),
        questions: None,
    };
    let mut trial = Trial { httpd, group, limit, rest: candidates.into() };
    while !trial.rest.is_empty() {
        match trial.run(passed)? {
            Course::Done => {}
            Course::Useless(reason) => return Ok(Some(reason)),
            Course::Broken(reason) => {
                trial.tell(Finding { fault: Some(reason), ..Finding::default() });
            }
        }
    }
    Ok(None)
}

/// What is left to try.
struct Trial<'s> {
    httpd: BorrowedFd<'s>,
    group: Box<GroupSpec>,
    /// Seconds for each step.
    limit: u32,
    rest: VecDeque<Candidate>,
}

/// How far one process has come.
enum Course {
    /// It has tried everything.
    Done,
    /// The next candidate has ended it.
    Broken(String),
    /// It could try nothing, and neither could another one.
    Useless(String),
}

impl Course {
    /// Once Python is there, it is a script that has ended the process.
    fn ended(is_ready: bool, why: String) -> Self {
        if is_ready { Self::Broken(why) } else { Self::Useless(why) }
    }
}

impl Trial<'_> {
    /// The next candidate was tried.
    fn tell(&mut self, finding: Finding) {
        self.rest.pop_front();
        report(self.httpd, &Report::Tried(finding));
    }

    /// Has one process try what is left.
    fn run(&mut self, passed: Passed<'_>) -> io::Result<Course> {
        let launched = launch::start(&self.group, passed)?;
        let handle = ProcessHandle::open(launched.pid)?;
        let control = launched.control.as_fd();
        let candidates = self.rest.iter().cloned().collect();
        let message = encode(&ToDaemon::Check { group: self.group.clone(), candidates })?;
        // One that has failed already says why below.
        socket::send_packet(control, &message, &[]).ok();
        let wait = i32::try_from(u64::from(self.limit) * 1000).unwrap_or(i32::MAX);
        let mut is_ready = false;
        while !self.rest.is_empty() {
            if !socket::poll_readable(control, wait)? {
                handle.signal(Signal::KILL)?;
                let why = format!("it has not loaded within {} seconds", self.limit);
                return Ok(Course::ended(is_ready, why));
            }
            let packet = socket::receive_packet(control, LONGEST_MESSAGE).ok().flatten();
            match packet.and_then(|(bytes, _)| decode(&bytes).ok()) {
                Some(FromDaemon::Ready) => is_ready = true,
                Some(FromDaemon::Tried(finding)) => self.tell(finding),
                Some(FromDaemon::Failed(reason)) => return Ok(Course::Useless(reason)),
                Some(_) => {}
                None => {
                    let why = how_it_ended(&self.group, &launched, &handle, is_ready);
                    return Ok(Course::ended(is_ready, why));
                }
            }
        }
        Ok(Course::Done)
    }
}

/// What became of a process that says nothing more.
fn how_it_ended(
    group: &GroupSpec,
    launched: &Launched,
    handle: &ProcessHandle,
    is_ready: bool,
) -> String {
    if let Some(failure) = SetupFailure::read(&launched.setup) {
        return failure.describe(group).1;
    }
    let until = Instant::now() + LAST_BREATH;
    while Instant::now() < until {
        match process::reap_any() {
            Some((pid, End::Signaled(signal))) if pid == launched.pid => {
                return format!(
                    "its process has died of signal {signal}: a C extension, as a rule, that does not fit \
                     this Python or interpreter"
                );
            }
            // The loader's own word for it; what it lacks is in its message.
            Some((pid, End::Exited(127))) if pid == launched.pid && !is_ready => {
                return format!(
                    "{} cannot be loaded because a shared library is missing, usually that of Python: install \
                     it (Debian: libpython3), or the module for the Python that is there",
                    group.program
                );
            }
            Some((pid, End::Exited(status))) if pid == launched.pid => {
                return format!("its process has ended itself with status {status}");
            }
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    // It has closed its socket, and lives.
    handle.signal(Signal::KILL).ok();
    "its process has closed the connection to the supervisor".to_owned()
}
