//! One daemon process as the supervisor knows it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use rustix::process::{Pid, Signal};
use wsgi_core::{
    control::{FromDaemon, ImportScript, ToDaemon, decode, encode},
    reason::Reason,
};
use wsgi_ipc::{
    process::{ProcessHandle, resident_size},
    scoreboard::{End, Process, ProcessState, Slots, TableWriter},
    socket,
};

use crate::{blocks::Block, event::Poller, launch::SetupFailure, terms::Terms};

/// Messages a process has reason to send in its life; more is an attempt to keep us busy.
const MESSAGES: u32 = 4096;

/// Longest message of a daemon.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Scripts of a process that are remembered at most, and the longest name of one.
const SCRIPTS: usize = 500;
const LONGEST_PATH: usize = 4096;

/// What a process has beyond its shutdown timeout to end by itself.
const GRACE: Duration = Duration::from_secs(1);

/// How often a process that still finishes requests is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The memory through which a process is seen by httpd.
#[derive(Debug, Clone)]
pub(crate) struct Boards {
    /// The process table, which we write.
    pub(crate) table: Rc<TableWriter>,
    /// The request slots, which the processes write.
    pub(crate) slots: Rc<Slots>,
    /// Tells one slots memory from another.
    pub(crate) memory: (u64, u64),
}

/// How a process is reached.
#[derive(Debug)]
pub(crate) enum Link {
    /// Our child.
    Child {
        /// Its control socket.
        control: OwnedFd,
        /// The pipe on which it reports a failed start, until it has become a daemon.
        setup: Option<OwnedFd>,
    },
    /// A child of a supervisor that has died. SIGTERM from the kernel makes it drain.
    Orphan(ProcessHandle),
}

/// One daemon process.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its number among all members of all groups.
    pub(crate) id: u64,
    /// Which replacement of the group's processes it belongs to.
    pub(crate) generation: u64,
    /// Its entry in the process table.
    pub(crate) process: Process,
    pub(crate) link: Link,
    pub(crate) boards: Boards,
    /// Why it cannot start, by its own or its child's account.
    pub(crate) failure: Option<String>,
    /// Since when it has taken requests.
    pub(crate) ready_since: Option<Instant>,
    /// Bytes of memory it had when it was ready.
    pub(crate) size_at_start: u64,
    /// The scripts it has loaded.
    pub(crate) loaded: Vec<ImportScript>,
    /// When it was started.
    since: Instant,
    /// The same by the clock on the wall.
    pub(crate) started: SystemTime,
    /// Another process shall take its place, for this reason.
    pub(crate) retiring: Option<Reason>,
    messages: u32,
    look_at: Option<Instant>,
    /// How it was asked to end.
    terms: Option<Terms>,
    is_killed: bool,
}

/// What a process has said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A message.
    Message(FromDaemon),
    /// Nothing that means anything.
    Nothing,
    /// Nothing more will come.
    Silence,
}

impl Member {
    /// A process that has just been started or found.
    pub(crate) fn new(
        id: u64,
        generation: u64,
        process: Process,
        link: Link,
        boards: Boards,
    ) -> Self {
        boards.table.enter(&process);
        Self {
            id,
            generation,
            process,
            link,
            boards,
            failure: None,
            ready_since: None,
            size_at_start: 0,
            loaded: Vec::new(),
            since: Instant::now(),
            started: SystemTime::now(),
            retiring: None,
            messages: 0,
            look_at: None,
            terms: None,
            is_killed: false,
        }
    }

    /// Its slots.
    pub(crate) fn block(&self) -> Block {
        Block { first: self.process.first_slot, count: self.process.slots }
    }

    /// Whether it takes requests.
    pub(crate) fn is_ready(&self) -> bool {
        self.process.state == ProcessState::Ready
    }

    /// Whether it takes no more requests.
    pub(crate) fn is_draining(&self) -> bool {
        self.process.state == ProcessState::Draining
    }

    /// Whether it was killed by us.
    pub(crate) fn is_killed(&self) -> bool {
        self.is_killed
    }

    /// Whether it has taken requests at some time.
    pub(crate) fn was_ready(&self) -> bool {
        self.ready_since.is_some()
    }

    /// It takes requests from now on.
    pub(crate) fn mark_ready(&mut self, now: Instant) {
        self.ready_since = Some(now);
        self.size_at_start = resident_size(self.process.pid).unwrap_or(0);
        self.set_state(ProcessState::Ready);
    }

    /// It has loaded a script.
    pub(crate) fn note_loaded(&mut self, script: ImportScript) {
        let longest = script.path.len().max(script.application_group.len());
        let is_plausible = self.loaded.len() < SCRIPTS && longest <= LONGEST_PATH;
        if is_plausible && !self.loaded.contains(&script) {
            self.loaded.push(script);
        }
    }

    /// Has it load a script that it has not loaded.
    pub(crate) fn preload(&self, script: &ImportScript) {
        if let Link::Child { control, .. } = &self.link
            && !self.loaded.contains(script)
        {
            // One that does not read loads it when it is asked for it.
            tell(control, &ToDaemon::Preload(script.clone())).ok();
        }
    }

    /// Requests it has begun.
    pub(crate) fn requests(&self) -> u64 {
        self.boards.slots.begun(self.process.first_slot, self.process.slots)
    }

    /// What it has done, for the line about its end.
    pub(crate) fn describe_life(&self, now: Instant) -> String {
        let requests = self.requests();
        let age = now.saturating_duration_since(self.since).as_secs_f64();
        let reason = match self.terms {
            Some(terms) => format!(" ({})", terms.reason.name()),
            None => String::new(),
        };
        format!("after {requests} requests in {age:.1} s{reason}")
    }

    /// How long it has lived.
    pub(crate) fn age(&self) -> Option<Duration> {
        Instant::now().checked_duration_since(self.since)
    }

    /// Why it ends, or shall be replaced.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.terms.map(|terms| terms.reason).or(self.retiring)
    }

    /// Has it answer a question of somebody who has the other end of `asker`.
    pub(crate) fn ask(&self, question: &ToDaemon, asker: BorrowedFd<'_>) {
        if let Link::Child { control, .. } = &self.link
            && let Ok(question) = encode(question)
        {
            // One that does not read does not answer.
            socket::try_send_packet(control.as_fd(), &question, &[asker]).ok();
        }
    }

    /// Gives it the group's error log as it is now.
    pub(crate) fn pass_error_log(&self, log: BorrowedFd<'_>) {
        if let Link::Child { control, .. } = &self.link
            && let Ok(message) = encode(&ToDaemon::ErrorLog)
        {
            // One that does not read keeps the log it has.
            socket::try_send_packet(control.as_fd(), &message, &[log]).ok();
        }
    }

    /// Enters a state in the process table.
    pub(crate) fn set_state(&mut self, state: ProcessState) {
        self.process.state = state;
        self.boards.table.set_state(&self.process);
    }

    /// Asks the process to end; terms never become less urgent.
    pub(crate) fn drain(&mut self, terms: Terms, now: Instant) {
        if self.terms.is_some_and(|known| known.is_urgent || !terms.is_urgent) {
            return;
        }
        let Terms { reason, limit, .. } = terms;
        let message =
            if terms.is_urgent { ToDaemon::Stop } else { ToDaemon::Drain { reason, limit } };
        self.mark_draining(terms, now);
        let told = match &self.link {
            Link::Child { control, .. } => tell(control, &message),
            // It has its SIGTERM; a second one changes nothing.
            Link::Orphan(_) => Ok(()),
        };
        if told.is_err() {
            // Its socket is full or closed, so it does not listen: the signal is another way.
            self.signal(Signal::TERM);
        }
    }

    /// The process drains, by our wish or its own.
    pub(crate) fn mark_draining(&mut self, terms: Terms, now: Instant) {
        self.set_state(ProcessState::Draining);
        self.terms = Some(terms);
        self.look_at = terms.time().map(|time| now + time + GRACE);
    }

    /// Whether the time of a draining process is over: then it is killed. One that may take as
    /// long as its requests do gets more time.
    pub(crate) fn enforce(&mut self, now: Instant) -> bool {
        if self.look_at.is_none_or(|look_at| now < look_at) {
            return false;
        }
        let is_busy = self.boards.slots.any_active(self.process.first_slot, self.process.slots);
        if is_busy && self.terms.is_some_and(|terms| terms.is_patient()) {
            self.look_at = Some(now + LOOK_AGAIN);
            return false;
        }
        self.kill();
        true
    }

    /// When [`Self::enforce`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// Ends the process by force.
    pub(crate) fn kill(&mut self) {
        self.look_at = None;
        self.is_killed = true;
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // An error means that it has ended, which is reported another way.
        match &self.link {
            Link::Orphan(handle) => {
                handle.signal(signal).ok();
            }
            // A child keeps its id until it is reaped, which ends this member.
            Link::Child { .. } => {
                let pid = i32::try_from(self.process.pid).ok().and_then(Pid::from_raw);
                pid.map(|pid| rustix::process::kill_process(pid, signal));
            }
        }
    }

    /// Whether [`Self::hear`] would not wait.
    pub(crate) fn has_message(&self) -> bool {
        let Link::Child { control, .. } = &self.link else { return false };
        socket::poll_readable(control.as_fd(), 0).unwrap_or(false)
    }

    /// Reads one message of the process.
    pub(crate) fn hear(&mut self, poller: &Poller) -> Heard {
        let Link::Child { control, .. } = &self.link else { return Heard::Nothing };
        match socket::receive_packet(control.as_fd(), LONGEST_MESSAGE) {
            Ok(Some((bytes, _))) => {
                self.messages += 1;
                if self.messages > MESSAGES {
                    poller.remove(control);
                    return Heard::Silence;
                }
                decode(&bytes).map_or(Heard::Nothing, Heard::Message)
            }
            // A message that is too long.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Heard::Nothing,
            // Its death, if that is what it means, is reported another way.
            Ok(None) | Err(_) => {
                poller.remove(control);
                Heard::Silence
            }
        }
    }

    /// Reads the report of the child, if there is one.
    pub(crate) fn take_setup(&mut self, poller: &Poller) -> Option<SetupFailure> {
        let Link::Child { setup, .. } = &mut self.link else { return None };
        let setup = setup.take()?;
        poller.remove(&setup);
        SetupFailure::read(&setup)
    }

    /// The process is gone.
    pub(crate) fn bury(&mut self, end: End, poller: &Poller) {
        self.set_state(ProcessState::Ended(end));
        match &self.link {
            Link::Child { control, .. } => poller.remove(control),
            Link::Orphan(handle) => poller.remove(handle.descriptor()),
        }
    }
}

/// Sends a message to a daemon, without waiting for one that does not read.
pub(crate) fn tell(control: &OwnedFd, message: &ToDaemon) -> io::Result<()> {
    socket::try_send_packet(control.as_fd(), &encode(message)?, &[])
}
