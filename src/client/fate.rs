//! What has become of a request that nobody answers, and the failures that follow.

use std::{
    thread,
    time::{Duration, Instant},
};

use wsgi_ipc::scoreboard::{End, GroupState, ProcessState};

use crate::{
    request::{Failure, Job, subject},
    resolved::Group,
    supervisor::Link,
};

/// How long the supervisor may take to notice the end of a process.
const NOTICE: Duration = Duration::from_secs(1);

/// Where a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// No process has started it.
    Queued,
    /// A living process runs it.
    Running,
    /// The process that ran it is gone; how it ended, in words.
    Dead(String),
}

/// Looks for a request among those that processes have started.
pub(super) fn of(link: &Link, request_id: u64) -> Fate {
    let Some(started) = link.slots.find(request_id) else { return Fate::Queued };
    match link.processes.process(started.epoch) {
        Some(process) => match process.state {
            ProcessState::Ended(end) => Fate::Dead(describe(process.pid, end)),
            _ => Fate::Running,
        },
        None => Fate::Dead("a process that is not known any more".into()),
    }
}

/// The same after an end of file: gives the supervisor time to notice the death.
pub(super) fn after_end_of_file(link: &Link, request_id: u64) -> Fate {
    let deadline = Instant::now() + NOTICE;
    loop {
        match of(link, request_id) {
            Fate::Running if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            fate => return fate,
        }
    }
}

fn describe(pid: u32, end: End) -> String {
    match end {
        End::Exited(status) => format!("process {pid} ended with exit code {status}"),
        End::Signaled(signal) => {
            format!("process {pid} was terminated by signal {signal} ({})", signal_name(signal))
        }
        End::OutOfMemory => {
            format!("process {pid} was killed by the kernel for want of memory (SIGKILL)")
        }
        End::Unknown => format!("process {pid} is gone"),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGHUP => "SIGHUP",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGXCPU => "SIGXCPU",
        _ => "see signal(7)",
    }
}

/// The group cannot start processes: for as long as that lasts, nobody will take the request.
pub(super) fn failing(job: &Job<'_>, group: &Group, link: &Link) -> Option<Failure> {
    let GroupState::Failing(reason) = link.processes.group() else { return None };
    let text = format!(
        "Daemon process group '{}' cannot start processes: {reason}: {}",
        group.definition.name,
        subject(job.request)
    );
    Some(Failure::new(503, 1008, text).with_retry_after())
}

/// The daemon ended before it had sent the response's head.
pub(super) fn died(job: &Job<'_>, group: &Group, how: &str) -> Failure {
    let text = format!(
        "Daemon process group '{}': {how} before it had sent complete response headers: {}",
        group.definition.name,
        subject(job.request)
    );
    Failure::new(502, 146, text)
}

/// The response's head did not come in time.
pub(super) fn timed_out(job: &Job<'_>, group: &Group) -> Failure {
    let text = format!(
        "Timeout when reading response headers from daemon process '{}': {}",
        group.definition.name,
        subject(job.request)
    );
    Failure::new(504, 145, text)
}

/// A header of the response does not fit `header-buffer-size`.
pub(super) fn header_too_long(job: &Job<'_>, group: &Group) -> Failure {
    let text = format!(
        "Response header of more than header-buffer-size={} bytes from daemon process '{}': {}",
        group.definition.header_buffer_size,
        group.definition.name,
        subject(job.request)
    );
    Failure::new(500, 144, text)
}

/// No thread of the group took the request in time.
pub(super) fn queue_timed_out(job: &Job<'_>, group: &Group) -> Failure {
    let text = format!(
        "Queue timeout expired for WSGI daemon process '{}': {}",
        group.definition.name,
        subject(job.request)
    );
    Failure::new(504, 84, text)
}

/// Every process turned the request away.
pub(super) fn nobody_takes_it(job: &Job<'_>, group: &Group) -> Failure {
    let text = format!(
        "No process of daemon process group '{}' takes the request: {}",
        group.definition.name,
        subject(job.request)
    );
    Failure::new(503, 124, text).with_retry_after()
}

/// The file of the response was lost on its way.
pub(super) fn no_descriptor(job: &Job<'_>, group: &Group, why: &str) -> Failure {
    let name = &group.definition.name;
    let text = format!("Daemon process group '{name}': {why}: {}", subject(job.request));
    Failure::new(503, 1034, text).with_retry_after()
}

/// The listener has no room, or there is none.
pub(super) fn cannot_connect(job: &Job<'_>, group: &Group, why: &std::io::Error) -> Failure {
    let code = if why.kind() == std::io::ErrorKind::WouldBlock { 116 } else { 117 };
    let text = format!(
        "Unable to connect to WSGI daemon process '{}' within {} s: {why}: {}",
        group.definition.name,
        group.definition.connect_timeout.as_secs(),
        subject(job.request)
    );
    Failure::new(503, code, text).with_retry_after()
}

/// The daemon said something that is no answer.
pub(super) fn garbled(job: &Job<'_>, group: &Group, why: &str) -> Failure {
    let text = format!(
        "Unusable response from daemon process '{}': {why}: {}",
        group.definition.name,
        subject(job.request)
    );
    Failure::new(502, 147, text)
}
