//! The daemon process as its threads share it: who it is, what it was given, whether it drains.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
};

use rustix::event::EventfdFlags;
use wsgi_core::{
    control::{FromDaemon, GroupSpec, encode},
    level::Level,
    reason::Reason,
};
use wsgi_ipc::{
    logline::ErrorLog,
    scoreboard::{Slots, Tallies},
    socket,
};

use crate::{
    announcer::Announcer,
    clock::{Moment, SharedMoment},
    crew::Crew,
    inspector::Inspectors,
    kept::Kept,
    leader::{Leader, View},
    progress::{Running, WorkerState},
    startup::Descriptors,
};

/// Requests ended by internal errors after which the process is replaced.
const MOST_PANICS: u32 = 3;

/// How urgently the process shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Drain {
    /// Not at all.
    No = 0,
    /// When everything that runs has finished.
    Graceful = 1,
    /// At the end of the shutdown timeout.
    Stop = 2,
}

/// One daemon process.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// The group.
    pub(crate) spec: GroupSpec,
    /// Number of this process in its group.
    pub(crate) epoch: u64,
    /// First of its slots.
    pub(crate) first_slot: u32,
    /// The group's slots.
    pub(crate) slots: Slots,
    /// What requests have come to, by slot.
    pub(crate) tallies: Tallies,
    /// The group's listener.
    pub(crate) listener: OwnedFd,
    /// The control socket to the supervisor.
    pub(crate) control: OwnedFd,
    /// Where to ask httpd's children, if the group may.
    pub(crate) questions: Option<OwnedFd>,
    /// Standard error.
    pub(crate) log: ErrorLog,
    /// Wakes the watcher.
    pub(crate) wake: OwnedFd,
    /// One for each worker thread, and as many for threads that take the place of stuck ones.
    pub(crate) workers: Vec<WorkerState>,
    /// The worker threads, once they run.
    pub(crate) crew: OnceLock<Crew>,
    /// What waits for the interpreters, once there are any.
    pub(crate) inspectors: OnceLock<Inspectors>,
    /// What tells applications of events of the process, once there are any.
    pub(crate) announcer: OnceLock<Announcer>,
    /// Since when the scripts that are loaded at start have been running.
    pub(crate) preload_since: SharedMoment,
    /// When the process began.
    pub(crate) start: Moment,
    /// Requests that were answered; counted only where they are limited.
    answered: AtomicU32,
    /// The watcher looks at the requests from time to time.
    is_watched: AtomicBool,
    is_retiring: AtomicBool,
    /// Requests that an internal error has ended.
    panics: AtomicU32,
    /// Looks at stacks that somebody has asked for and that wait.
    pub(crate) looks: AtomicU32,
    /// Which of the idle worker threads waits for requests.
    pub(crate) leader: Leader,
    /// What it waits for.
    pub(crate) kept: Kept,
    drain: AtomicU8,
    reason: OnceLock<Reason>,
    is_stale: AtomicBool,
    is_finalizing: AtomicBool,
}

impl Daemon {
    /// The process that the supervisor has described.
    pub(crate) fn new(
        spec: GroupSpec,
        epoch: u64,
        first_slot: u32,
        descriptors: Descriptors,
    ) -> io::Result<Self> {
        let end = first_slot.checked_add(spec.slots_per_process());
        let end = end.filter(|end| *end <= spec.slots);
        let end = end.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "slots beyond the group's")
        })?;
        let log = ErrorLog::standard_error(spec.log_level);
        let log = log.with_format(spec.log_format, &spec.engine.process_group);
        let workers = spec.slots_per_process() as usize;
        // At times several processes are woken for one connection.
        rustix::io::ioctl_fionbio(&descriptors.listener, true)?;
        let kept = Kept::new(most_kept(&spec), workers)?;
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            epoch,
            first_slot,
            slots: Slots::map(descriptors.slots.as_fd(), spec.slots)?,
            tallies: Tallies::writer(descriptors.slots.as_fd(), end)?,
            listener: descriptors.listener,
            control: descriptors.control,
            questions: descriptors.questions,
            log,
            wake,
            workers: (0..workers).map(|_| WorkerState::default()).collect(),
            leader: Leader::default(),
            kept,
            spec,
            crew: OnceLock::new(),
            inspectors: OnceLock::new(),
            announcer: OnceLock::new(),
            preload_since: SharedMoment::default(),
            start: Moment::now(),
            answered: AtomicU32::new(0),
            is_watched: AtomicBool::new(false),
            is_retiring: AtomicBool::new(false),
            panics: AtomicU32::new(0),
            looks: AtomicU32::new(0),
            drain: AtomicU8::new(0),
            reason: OnceLock::new(),
            is_stale: AtomicBool::new(false),
            is_finalizing: AtomicBool::new(false),
        })
    }

    /// The group's name.
    pub(crate) fn group(&self) -> &str {
        &self.spec.engine.process_group
    }

    /// How urgently the process shall end.
    pub(crate) fn drain(&self) -> Drain {
        match self.drain.load(Ordering::Acquire) {
            0 => Drain::No,
            1 => Drain::Graceful,
            _ => Drain::Stop,
        }
    }

    /// Whether the process takes no new request.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain() != Drain::No
    }

    /// Takes no new request from now on. A request to drain never becomes less urgent, and the
    /// first reason stays.
    pub(crate) fn begin_drain(&self, drain: Drain, reason: Reason) {
        self.reason.set(reason).ok();
        let before = self.drain.fetch_max(drain as u8, Ordering::AcqRel);
        if before == 0 && drain != Drain::No {
            let (group, reason) = (self.group(), self.reason().unwrap_or(reason).name());
            self.log.log(
                Level::INFO,
                &format!("Shutdown requested for daemon process '{group}' ({reason})."),
            );
        }
        self.wake();
        self.leader.wake_all();
    }

    /// Why the process drains.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }

    /// A script has changed: the supervisor shall replace the whole group.
    pub(crate) fn begin_stale(&self) {
        if !self.is_stale.swap(true, Ordering::Relaxed) {
            self.begin_drain(Drain::Graceful, Reason::ScriptReload);
            self.tell(&FromDaemon::Stale);
        }
    }

    /// The process has had its time: it serves on until another one has taken its place.
    pub(crate) fn retire(&self, reason: Reason) {
        if !self.is_retiring.swap(true, Ordering::Relaxed) {
            self.tell(&FromDaemon::Retire(reason));
        }
    }

    /// The process ends now, by its own decision: another one may be started already.
    pub(crate) fn end(&self, reason: Reason) {
        self.begin_drain(Drain::Stop, reason);
        self.retire(reason);
    }

    /// An internal error has ended a request: whatever it has left behind, it shall not be for ever.
    pub(crate) fn note_panic(&self) {
        if self.panics.fetch_add(1, Ordering::Relaxed) + 1 == MOST_PANICS {
            self.retire(Reason::InternalErrors);
        }
    }

    /// Whether this process may have one more kept connection: no more than its share of the group's.
    /// The kernel wakes those that wait for new ones in their order, which would give all to the
    /// process that was started first.
    pub(crate) fn has_share_left(&self) -> bool {
        let processes = u64::from(self.spec.processes);
        let (own, all) = self.slots.count_kept(self.first_slot, self.spec.slots_per_process());
        own < most_kept(&self.spec) as u64
            && own.saturating_mul(processes) < all.saturating_add(processes)
    }

    /// A request begins in a worker.
    pub(crate) fn begin_request<'a>(
        &'a self,
        worker: &'a WorkerState,
        head: &'a [u8],
    ) -> Running<'a> {
        let running = worker.begin(head);
        if !self.is_watched.load(Ordering::Relaxed) {
            self.watch();
        }
        running
    }

    /// A request has been answered in a worker; `is_activity` says that it defers the end of an
    /// idle process.
    pub(crate) fn note_answered(&self, worker: &WorkerState, is_activity: bool) {
        let timers = &self.spec.timers;
        if timers.inactivity_timeout > 0 && is_activity {
            worker.note_idle();
        }
        if timers.maximum_requests > 0 {
            let answered = self.answered.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if answered >= timers.maximum_requests {
                self.note_budget_spent();
            }
        }
    }

    fn note_budget_spent(&self) {
        if self.spec.engine.run_once {
            // The application was told that it runs once: it has no second request.
            self.end(Reason::MaximumRequests);
        } else {
            self.retire(Reason::MaximumRequests);
        }
    }

    /// The watcher shall look at what runs.
    pub(crate) fn watch(&self) {
        if !self.is_watched.swap(true, Ordering::Relaxed) {
            self.wake();
        }
    }

    /// The watcher goes on looking, without being called.
    pub(crate) fn keep_watching(&self) {
        self.is_watched.store(true, Ordering::Relaxed);
    }

    /// The watcher looks no longer, unless it is called.
    pub(crate) fn unwatch(&self) {
        self.is_watched.store(false, Ordering::Relaxed);
    }

    /// Whether the watcher is to look at what runs.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// Requests begun since the process began.
    pub(crate) fn begun(&self) -> u64 {
        self.workers.iter().map(WorkerState::begun).sum()
    }

    /// Why the process ends, what it has done and for how long: for its last line in the log.
    pub(crate) fn epitaph(&self) -> String {
        let reason = self.reason().map_or("end of its script", Reason::name);
        let age = Moment::now().since(self.start).as_secs_f64();
        format!("({reason}) after {} requests in {age:.1} seconds", self.begun())
    }

    /// All worker threads have ended; what is left is the interpreter's end.
    pub(crate) fn begin_finalizing(&self) {
        self.is_finalizing.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether all worker threads have ended.
    pub(crate) fn is_finalizing(&self) -> bool {
        self.is_finalizing.load(Ordering::Acquire)
    }

    /// Wakes the watcher.
    pub(crate) fn wake(&self) {
        // Full means that the watcher is being woken already.
        rustix::io::write(&self.wake, &1u64.to_ne_bytes()).ok();
    }

    /// Sends a message to the supervisor.
    pub(crate) fn tell(&self, message: &FromDaemon) {
        let Ok(bytes) = encode(message) else { return };
        // A supervisor that is gone has closed the socket: the watcher sees that and drains.
        socket::send_packet(self.control.as_fd(), &bytes, &[]).ok();
    }
}

impl View for Daemon {
    fn is_leaving(&self) -> bool {
        self.is_draining()
    }

    fn is_asleep(&self, index: u32) -> bool {
        self.workers.get(index as usize).is_some_and(WorkerState::is_asleep)
    }
}

/// How many connections a process of the group keeps. Each can have a request, of which all but the
/// quick ones need a thread.
fn most_kept(spec: &GroupSpec) -> usize {
    2 * spec.slots_per_process() as usize
}
