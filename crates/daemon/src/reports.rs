//! Answers to those who ask what the process is doing. The watcher gives them from what it sees of
//! the threads; a Python stack is looked up by an inspector, which answers when it can.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
};

use wsgi_core::{
    control::encode,
    status::inquiry::{Answer, ProcessReport, RequestReport, StackReport, ThreadReport},
};
use wsgi_ipc::inquiries;

use crate::{
    clock::Moment,
    inspector::Inspectors,
    progress::{Seen, WorkerState},
    state::Daemon,
};

/// Looks at stacks that may wait for an interpreter's lock; more would only wait behind them.
const MOST_LOOKS: u32 = 32;

/// Longest URI that is told, in bytes.
const LONGEST_URI: usize = 2048;

/// Why there is no stack although there is a request.
const NOT_YET: &str = "the interpreter is only being made";

/// Whoever has asked.
#[derive(Debug)]
pub(crate) struct Asker {
    socket: OwnedFd,
    /// By this it knows who answers.
    token: u64,
}

impl Asker {
    /// The one whose socket came with a question.
    pub(crate) fn of(descriptors: Vec<OwnedFd>, token: u64) -> Option<Self> {
        Some(Self { socket: descriptors.into_iter().next()?, token })
    }
}

/// Tells what the threads are doing.
pub(crate) fn tell_threads(daemon: &Daemon, asker: &Asker) {
    let now = Moment::now();
    let threads = workers(daemon).map(|(thread, worker)| ThreadReport {
        thread,
        doing: worker.activity.doing(),
        request: worker.look().map(|seen| describe(&seen, now)),
    });
    let report = ProcessReport {
        group: daemon.group().to_owned(),
        epoch: daemon.epoch,
        threads: threads.collect(),
    };
    tell(asker, &Answer::Process(report));
}

/// The threads that serve, by their number. One that was written off is there as long as it is
/// stuck.
fn workers(daemon: &Daemon) -> impl Iterator<Item = (u32, &WorkerState)> {
    let serves = |worker: &WorkerState| {
        worker.has_thread() && (!worker.is_written_off() || worker.busy_since().is_some())
    };
    (1u32..).zip(&daemon.workers).filter(move |(_, worker)| serves(worker))
}

fn describe(seen: &Seen, now: Moment) -> RequestReport {
    let (method, uri) = seen.subject.split_once(' ').unwrap_or((&seen.subject, ""));
    RequestReport {
        number: seen.number,
        method: method.to_owned(),
        uri: uri.get(..uri.floor_char_boundary(LONGEST_URI)).unwrap_or_default().to_owned(),
        application_group: String::from_utf8_lossy(&seen.application_group).into_owned(),
        age: now.since(seen.since).as_secs_f64(),
    }
}

/// Tells the Python stack of a thread while it has that request.
pub(crate) fn tell_stack(daemon: &'static Daemon, asker: Asker, thread: u32, request: u64) {
    let worker = workers(daemon).find(|(number, _)| *number == thread);
    let seen = worker.and_then(|(_, worker)| worker.look());
    match seen.filter(|seen| seen.number == request) {
        Some(seen) => look(daemon, &Arc::new(asker), thread, seen),
        None => {
            let problem = "the request is over".to_owned();
            tell(&asker, &Answer::Stack(empty(daemon, thread, None, Some(problem))));
        }
    }
}

/// Tells the stacks of all threads that have a request, which threads have none, and the stacks of
/// the threads that applications have started.
pub(crate) fn tell_stacks(daemon: &'static Daemon, asker: Asker) {
    let asker = Arc::new(asker);
    for (thread, worker) in workers(daemon) {
        match worker.look() {
            Some(seen) => look(daemon, &asker, thread, seen),
            None => tell(&asker, &Answer::Stack(empty(daemon, thread, None, None))),
        }
    }
    let Some(inspectors) = daemon.inspectors.get() else { return };
    for group in inspectors.application_groups() {
        look_at_others(daemon, inspectors, &asker, group);
    }
}

/// Has the inspector of an interpreter look at the threads that are not ours.
fn look_at_others(
    daemon: &'static Daemon,
    inspectors: &Inspectors,
    asker: &Arc<Asker>,
    group: String,
) {
    if daemon.looks.fetch_add(1, Ordering::Relaxed) >= MOST_LOOKS {
        daemon.looks.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let place = Arc::clone(asker);
    let asked = inspectors.ask(group.clone().as_bytes(), move |host| {
        for lines in host.other_stacks(group.as_bytes()) {
            let application_group = Some(group.clone());
            let stack = StackReport { lines, application_group, ..empty(daemon, 0, None, None) };
            tell(&place, &Answer::Stack(stack));
        }
        daemon.looks.fetch_sub(1, Ordering::Relaxed);
    });
    if asked.is_none() {
        daemon.looks.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Has an inspector look: the answer comes when the interpreter's lock is free, or never.
fn look(daemon: &'static Daemon, asker: &Arc<Asker>, thread: u32, seen: Seen) {
    let request = describe(&seen, Moment::now());
    let report = empty(daemon, thread, Some(request), None);
    let refuse = |report: StackReport| {
        let problem = Some("the interpreter lock has not been free for long".to_owned());
        tell(asker, &Answer::Stack(StackReport { problem, ..report }));
    };
    if daemon.looks.fetch_add(1, Ordering::Relaxed) >= MOST_LOOKS {
        daemon.looks.fetch_sub(1, Ordering::Relaxed);
        return refuse(report);
    }
    let (place, group) = (Arc::clone(asker), seen.application_group.clone());
    let mut started = report.clone();
    let asked = daemon.inspectors.get().and_then(|inspectors| {
        inspectors.ask(&seen.application_group, move |host| {
            match host.stack(&group, seen.identity) {
                Some(lines) => started.lines = lines,
                None => started.problem = Some(NOT_YET.to_owned()),
            }
            daemon.looks.fetch_sub(1, Ordering::Relaxed);
            tell(&place, &Answer::Stack(started));
        })
    });
    if asked.is_none() {
        daemon.looks.fetch_sub(1, Ordering::Relaxed);
        refuse(report);
    }
}

fn empty(
    daemon: &Daemon,
    thread: u32,
    request: Option<RequestReport>,
    problem: Option<String>,
) -> StackReport {
    StackReport {
        group: daemon.group().to_owned(),
        epoch: daemon.epoch,
        pid: std::process::id(),
        thread,
        request,
        application_group: None,
        lines: Vec::new(),
        problem,
    }
}

fn tell(asker: &Asker, answer: &Answer) {
    if let Ok(bytes) = encode(answer) {
        // Whoever has asked may have gone.
        inquiries::answer(asker.socket.as_fd(), asker.token, &bytes).ok();
    }
}
