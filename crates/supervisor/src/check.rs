//! The supervisor of a check: one process tries the candidates of a group, and httpd hears what it
//! says. Nothing is served, and the process ends in time, whatever the applications do.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use wsgi_core::{
    check::{Candidate, Report},
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

/// Has a process of the group try the candidates within so many seconds.
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

/// Why not everything was tried, if not.
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
    let mut left = candidates.len();
    let deadline = Instant::now() + Duration::from_secs(limit.into());
    let launched = launch::start(&group, passed)?;
    let handle = ProcessHandle::open(launched.pid)?;
    let control = launched.control.as_fd();
    let message = encode(&ToDaemon::Check { group: group.clone(), candidates })?;
    // One that has failed already says why below.
    socket::send_packet(control, &message, &[]).ok();
    while left > 0 {
        let rest = deadline.saturating_duration_since(Instant::now());
        let wait = i32::try_from(rest.as_millis()).unwrap_or(i32::MAX);
        if !socket::poll_readable(control, wait)? {
            handle.signal(Signal::KILL)?;
            return Ok(Some(format!("it has not loaded within {limit} seconds")));
        }
        let packet = socket::receive_packet(control, LONGEST_MESSAGE).ok().flatten();
        match packet.and_then(|(bytes, _)| decode(&bytes).ok()) {
            Some(FromDaemon::Tried(finding)) => {
                left -= 1;
                report(httpd, &Report::Tried(finding));
            }
            Some(FromDaemon::Failed(reason)) => return Ok(Some(reason)),
            Some(_) => {}
            None => return Ok(Some(how_it_ended(&group, &launched, &handle))),
        }
    }
    Ok(None)
}

/// What became of a process that says nothing more.
fn how_it_ended(group: &GroupSpec, launched: &Launched, handle: &ProcessHandle) -> String {
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
            Some((pid, End::Exited(127))) if pid == launched.pid => {
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
