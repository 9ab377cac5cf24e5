//! A process group: how many processes it should have, which it has, and what follows from the
//! difference.
//!
//! Processes belong to generations. A new configuration or a changed script begins a new one;
//! the processes of older generations drain, and only the newest is kept at its full number.

mod events;
mod history;
mod linger;
mod operator;
mod reload;
mod retire;
mod start;

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
    time::Instant,
};

use wsgi_core::{
    control::{GroupSpec, ImportScript},
    level::Level,
    reason::Reason,
};
use wsgi_ipc::{
    logline::ErrorLog,
    scoreboard::{GroupState, ProcessState, ProcessTable, Slots},
};

use history::History;
use linger::Linger;
pub(crate) use operator::ForDaemons;
use reload::Reload;

use crate::{
    backoff::Backoff,
    blocks::Blocks,
    event::Poller,
    member::{Boards, Member},
    terms::Terms,
};

/// A group as httpd's parent hands it over.
#[derive(Debug)]
pub(crate) struct Handover {
    /// Its definition.
    pub(crate) spec: GroupSpec,
    /// Its listener.
    pub(crate) listener: OwnedFd,
    /// The memory of its slots.
    pub(crate) slots: OwnedFd,
    /// The memory of its process table.
    pub(crate) table: OwnedFd,
    /// Its error log.
    pub(crate) error_log: OwnedFd,
    /// Where its processes may ask httpd's children.
    pub(crate) questions: Option<OwnedFd>,
}

/// Numbers members, and watches their descriptors.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// What the supervisor waits with.
    pub(crate) poller: &'a Poller,
    /// The last number given to a member.
    pub(crate) last_id: &'a mut u64,
    /// The time of this round.
    pub(crate) now: Instant,
}

impl Context<'_> {
    fn next_id(&mut self) -> u64 {
        *self.last_id += 1;
        *self.last_id
    }
}

/// A process group.
#[derive(Debug)]
pub(crate) struct Group {
    spec: GroupSpec,
    listener: OwnedFd,
    slots: OwnedFd,
    questions: Option<OwnedFd>,
    log: ErrorLog,
    boards: Boards,
    blocks: Blocks,
    members: Vec<Member>,
    generation: u64,
    /// Older processes that this generation has taken the place of.
    replaced: usize,
    /// The member that the next new process takes the place of.
    leaving: Option<u64>,
    /// What the first processes of this generation load before they are ready.
    preload: Vec<ImportScript>,
    reload: Reload,
    memory_check: Option<Instant>,
    linger: Option<Linger>,
    last_epoch: u64,
    /// After processes that were never ready.
    backoff: Backoff,
    /// After processes that died as soon as they were ready.
    relapses: Backoff,
    /// When slots will have rested.
    slots_rest: Option<Instant>,
    is_ending: bool,
    is_failing: bool,
    /// An operator wants no processes.
    is_drained: bool,
    history: History,
}

impl Group {
    /// A group without processes, except those that an earlier supervisor has left.
    pub(crate) fn new(handover: Handover, context: &mut Context<'_>) -> io::Result<Self> {
        let boards = map_boards(&handover)?;
        let mut group = Self {
            log: open_log(handover.error_log, &handover.spec),
            blocks: Blocks::new(handover.spec.slots),
            spec: handover.spec,
            listener: handover.listener,
            slots: handover.slots,
            questions: handover.questions,
            last_epoch: boards.table.newest_epoch(),
            boards,
            members: Vec::new(),
            generation: 1,
            replaced: 0,
            leaving: None,
            preload: Vec::new(),
            reload: Reload::new(),
            memory_check: None,
            linger: None,
            backoff: Backoff::default(),
            relapses: Backoff::default(),
            slots_rest: None,
            is_ending: false,
            is_failing: false,
            is_drained: false,
            history: History::default(),
        };
        group.watch_files(context.now);
        group.adopt_orphans(context);
        group.boards.table.set_group(&GroupState::Serving);
        Ok(group)
    }

    /// The group's name.
    pub(crate) fn name(&self) -> &str {
        &self.spec.engine.process_group
    }

    /// Whether the group is to be forgotten.
    pub(crate) fn is_over(&self) -> bool {
        self.is_ending && self.members.is_empty()
    }

    /// A new configuration: processes are started by it, and take the place of the older ones as
    /// they become ready.
    pub(crate) fn reconfigure(&mut self, handover: Handover, now: Instant) -> io::Result<()> {
        let boards = map_boards(&handover)?;
        if boards.memory != self.boards.memory {
            self.blocks = Blocks::new(0);
        }
        self.blocks.resize(handover.spec.slots);
        let kept = self.members.iter().filter(|member| member.boards.memory == boards.memory);
        kept.for_each(|member| self.blocks.reserve(member.block()));
        self.last_epoch = self.last_epoch.max(boards.table.newest_epoch());
        self.log = open_log(handover.error_log, &handover.spec);
        let is_kept = handover.spec.keeps_on_restart
            && handover.spec == self.spec
            && boards.memory == self.boards.memory
            && !self.is_ending
            && !self.is_failing;
        // What a process says it has loaded is only its word: nobody else runs that.
        let is_same_user = (&handover.spec.identity, &handover.spec.chroot)
            == (&self.spec.identity, &self.spec.chroot);
        self.spec = handover.spec;
        self.listener = handover.listener;
        self.slots = handover.slots;
        self.questions = handover.questions;
        self.boards = boards;
        self.is_ending = false;
        self.linger = None;
        if is_kept && !self.is_drained {
            // httpd has opened its log again, perhaps because it was rotated.
            self.members.iter().for_each(|member| member.pass_error_log(self.log.file()));
            return Ok(());
        }
        self.watch_files(now);
        self.drop_trial(now);
        self.is_failing = false;
        self.is_drained = false;
        self.boards.table.set_group(&GroupState::Serving);
        self.preload = if is_same_user { self.loaded_now() } else { Vec::new() };
        self.begin_generation();
        self.end_unfinished(now);
        Ok(())
    }

    fn begin_generation(&mut self) {
        self.generation += 1;
        self.replaced = 0;
        self.reload.forget();
        self.backoff.reset();
        self.relapses.reset();
    }

    /// Processes of older generations that are not ready yet have come too late: nobody has sent
    /// them anything, and nobody will. Without this, restarts that follow each other faster than
    /// processes start would use up the slots.
    fn end_unfinished(&mut self, now: Instant) {
        let generation = self.generation;
        let terms = Terms::urgent(&self.spec, Reason::GracefulSignal);
        let late = self.members.iter_mut().filter(|member| {
            member.generation < generation && member.process.state == ProcessState::Starting
        });
        late.for_each(|member| member.drain(terms, now));
    }

    /// The scripts that the processes of this generation have loaded.
    fn loaded_now(&self) -> Vec<ImportScript> {
        let mut scripts: Vec<ImportScript> = Vec::new();
        for script in self.current().flat_map(|member| &member.loaded) {
            if !scripts.contains(script) {
                scripts.push(script.clone());
            }
        }
        scripts
    }

    /// The group is no longer configured, or httpd stops (`is_urgent`).
    pub(crate) fn end(&mut self, is_urgent: bool, now: Instant) {
        self.is_ending = true;
        let terms = match is_urgent {
            true => Terms::urgent(&self.spec, Reason::ShutdownSignal),
            false => Terms::graceful(&self.spec, Reason::GracefulSignal),
        };
        self.members.iter_mut().for_each(|member| member.drain(terms, now));
    }

    /// Does what is due: starts what is missing, drains what is replaced, kills what is late.
    pub(crate) fn tend(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        for member in &mut self.members {
            if member.enforce(now) {
                let (group, pid) = (&self.spec.engine.process_group, member.process.pid);
                self.log.log(
                    Level::INFO,
                    &format!(
                        "Daemon process '{group}' with pid={pid} has not ended within its \
                         shutdown timeout; killing it."
                    ),
                );
            }
        }
        self.slots_rest = self.slots_rest.filter(|rested| *rested > now);
        if !self.is_ending && !self.is_drained {
            self.look_at_files(now);
            self.look_at_memory(now);
            self.choose_leaving(now);
            self.start_missing(context);
            self.drain_replaced(now);
            self.drain_leaving(now);
            self.start_trial(context);
            self.end_if_idle(now);
        }
    }

    /// The processes that are to stay.
    fn current(&self) -> impl Iterator<Item = &Member> {
        let is_current = |member: &&Member| {
            let is_leaving = self.leaving == Some(member.id);
            member.generation == self.generation && !member.is_draining() && !is_leaving
        };
        self.members.iter().filter(is_current)
    }

    /// One older process for each new one that is ready, and all of them when the new ones are
    /// complete or cannot be started.
    fn drain_replaced(&mut self, now: Instant) {
        let ready = self.current().filter(|member| member.is_ready()).count();
        let is_complete = ready >= self.spec.processes as usize || self.backoff.is_failing();
        if is_complete {
            self.preload.clear();
        }
        let generation = self.generation;
        let terms = Terms::graceful(&self.spec, Reason::GracefulSignal);
        let older = self
            .members
            .iter_mut()
            .filter(|member| member.generation < generation && !member.is_draining());
        let due = if is_complete { usize::MAX } else { ready.saturating_sub(self.replaced) };
        for member in older.take(due) {
            member.drain(terms, now);
            self.replaced = self.replaced.saturating_add(1);
        }
    }

    /// When processes may be started again.
    fn pause(&self, now: Instant) -> Option<Instant> {
        self.backoff.pause(now).max(self.relapses.pause(now))
    }

    /// When [`Self::tend`] has something to do.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let members = self.members.iter().filter_map(Member::deadline).min();
        let is_short = !self.is_ending && self.current().count() < self.spec.processes as usize;
        let start = [self.pause(now), self.slots_rest];
        let start = start.into_iter().flatten().max().filter(|_| is_short);
        let upkeep = [
            self.next_retirement(),
            self.reload.deadline(),
            self.memory_check,
            self.linger.as_ref().map(Linger::deadline),
        ];
        let upkeep = upkeep.into_iter().flatten().filter(|_| !self.is_ending);
        members.into_iter().chain(start).chain(upkeep).min()
    }
}

fn open_log(file: OwnedFd, spec: &GroupSpec) -> ErrorLog {
    let log = ErrorLog::new(file, spec.log_level);
    log.with_format(spec.log_format, &spec.engine.process_group)
}

fn map_boards(handover: &Handover) -> io::Result<Boards> {
    let stat = rustix::fs::fstat(&handover.slots)?;
    Ok(Boards {
        table: Rc::new(ProcessTable::writer(handover.table.as_fd())?),
        slots: Rc::new(Slots::map(handover.slots.as_fd(), handover.spec.slots)?),
        memory: (stat.st_dev, stat.st_ino),
    })
}
