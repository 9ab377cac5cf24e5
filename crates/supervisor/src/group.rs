//! A process group: how many processes it should have, which it has, and what follows from the
//! difference.
//!
//! Processes belong to generations. A new configuration or a changed script begins a new one;
//! the processes of older generations drain, and only the newest is kept at its full number.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
    time::Instant,
};

use wsgi_core::{
    control::{FromDaemon, GroupSpec, ToDaemon},
    level::Level,
};
use wsgi_ipc::{
    logline::ErrorLog,
    process::{ProcessHandle, start_time},
    scoreboard::{End, GroupState, Process, ProcessState, ProcessTable, Slots},
};

use crate::{
    backoff::Backoff,
    blocks::{Block, Blocks, Refusal},
    event::{Poller, Token},
    launch::{self, Launched, Passed},
    member::{self, Boards, Heard, Link, Member},
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
    log: ErrorLog,
    boards: Boards,
    blocks: Blocks,
    members: Vec<Member>,
    generation: u64,
    /// Older processes that this generation has taken the place of.
    replaced: usize,
    last_epoch: u64,
    backoff: Backoff,
    /// When slots will have rested.
    slots_rest: Option<Instant>,
    is_ending: bool,
    is_failing: bool,
}

impl Group {
    /// A group without processes, except those that an earlier supervisor has left.
    pub(crate) fn new(handover: Handover, context: &mut Context<'_>) -> io::Result<Self> {
        let boards = map_boards(&handover)?;
        let mut group = Self {
            log: ErrorLog::new(handover.error_log, handover.spec.log_level),
            blocks: Blocks::new(handover.spec.slots),
            spec: handover.spec,
            listener: handover.listener,
            slots: handover.slots,
            last_epoch: boards.table.newest_epoch(),
            boards,
            members: Vec::new(),
            generation: 1,
            replaced: 0,
            backoff: Backoff::default(),
            slots_rest: None,
            is_ending: false,
            is_failing: false,
        };
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
    pub(crate) fn reconfigure(&mut self, handover: Handover) -> io::Result<()> {
        let boards = map_boards(&handover)?;
        if boards.memory != self.boards.memory || handover.spec.slots != self.spec.slots {
            self.blocks = Blocks::new(handover.spec.slots);
            let kept = self.members.iter().filter(|member| member.boards.memory == boards.memory);
            let kept: Vec<Block> = kept.map(Member::block).collect();
            kept.into_iter().for_each(|block| self.blocks.reserve(block));
        }
        self.last_epoch = self.last_epoch.max(boards.table.newest_epoch());
        self.log = ErrorLog::new(handover.error_log, handover.spec.log_level);
        self.spec = handover.spec;
        self.listener = handover.listener;
        self.slots = handover.slots;
        self.boards = boards;
        self.is_ending = false;
        self.is_failing = false;
        self.boards.table.set_group(&GroupState::Serving);
        self.begin_generation();
        Ok(())
    }

    fn begin_generation(&mut self) {
        self.generation += 1;
        self.replaced = 0;
        self.backoff.reset();
    }

    /// The group is no longer configured, or httpd stops (`is_urgent`).
    pub(crate) fn end(&mut self, is_urgent: bool, now: Instant) {
        self.is_ending = true;
        let timeout = self.spec.shutdown_timeout;
        self.members.iter_mut().for_each(|member| member.drain(is_urgent, timeout, now));
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
        if !self.is_ending {
            self.start_missing(context);
            self.drain_replaced(now);
        }
    }

    fn current(&self) -> impl Iterator<Item = &Member> {
        let is_current =
            |member: &&Member| member.generation == self.generation && !member.is_draining();
        self.members.iter().filter(is_current)
    }

    fn start_missing(&mut self, context: &mut Context<'_>) {
        while self.current().count() < self.spec.processes as usize
            && self.slots_rest.is_none()
            && self.backoff.pause(context.now).is_none()
        {
            let block = match self.blocks.take(self.spec.threads, context.now) {
                Ok(block) => block,
                Err(Refusal::Until(rested)) => {
                    self.slots_rest = Some(rested);
                    return;
                }
                Err(Refusal::Full) => {
                    self.make_room();
                    return;
                }
            };
            if let Err(error) = self.start_one(block, context) {
                self.blocks.release(block, None);
                let reason = format!("cannot start a process: {error}");
                self.log
                    .log(Level::ALERT, &format!("WSGI0024: Group '{}': {reason}.", self.name()));
                self.note_failure(&reason, context.now);
            }
        }
    }

    /// All slots belong to processes that finish requests, for longer than replacements come:
    /// the oldest gives way.
    fn make_room(&mut self) {
        let is_candidate = |member: &&mut Member| member.is_draining();
        if self.members.iter().any(|member| member.is_draining() && member.is_killed()) {
            return;
        }
        if let Some(oldest) = self.members.iter_mut().find(is_candidate) {
            self.log.log(
                Level::WARNING,
                &format!(
                    "WSGI1210: Daemon process with pid={} still finishes requests, but its group \
                     has no room left for a new process; killing it.",
                    oldest.process.pid
                ),
            );
            oldest.kill();
        }
    }

    fn start_one(&mut self, block: Block, context: &mut Context<'_>) -> io::Result<()> {
        let passed = Passed {
            listener: self.listener.as_fd(),
            slots: self.slots.as_fd(),
            error_log: self.log.file(),
        };
        let Launched { pid, control, setup } = launch::start(&self.spec, passed)?;
        self.last_epoch += 1;
        // Of the block's last process; httpd has had the time to look.
        self.boards.slots.end_all(block.first, block.count);
        let epoch = self.last_epoch;
        let configure = ToDaemon::Configure {
            group: Box::new(self.spec.clone()),
            epoch,
            first_slot: block.first,
        };
        let id = context.next_id();
        let told = member::tell(&control, &configure)
            .and_then(|()| context.poller.add(&control, Token::Member(id)))
            .and_then(|()| context.poller.add(&setup, Token::Setup(id)));
        let process = Process {
            epoch,
            pid,
            state: ProcessState::Starting,
            first_slot: block.first,
            slots: block.count,
            start_time: start_time(pid).unwrap_or(0),
        };
        let link = Link::Child { control, setup: Some(setup) };
        let mut member = Member::new(id, self.generation, process, link, self.boards.clone());
        if let Err(error) = told {
            // Its death is then handled as every other.
            member.failure = Some(format!("cannot configure the process: {error}"));
            member.kill();
        }
        self.members.push(member);
        Ok(())
    }

    /// One older process for each new one that is ready, and all of them when the new ones are
    /// complete or cannot be started.
    fn drain_replaced(&mut self, now: Instant) {
        let ready = self.current().filter(|member| member.is_ready()).count();
        let is_complete = ready >= self.spec.processes as usize || self.backoff.is_failing();
        let (generation, timeout) = (self.generation, self.spec.shutdown_timeout);
        let older = self
            .members
            .iter_mut()
            .filter(|member| member.generation < generation && !member.is_draining());
        let due = if is_complete { usize::MAX } else { ready.saturating_sub(self.replaced) };
        for member in older.take(due) {
            member.drain(false, timeout, now);
            self.replaced = self.replaced.saturating_add(1);
        }
    }

    /// When [`Self::tend`] has something to do.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let members = self.members.iter().filter_map(Member::deadline).min();
        let is_short = !self.is_ending && self.current().count() < self.spec.processes as usize;
        let start = [self.backoff.pause(now), self.slots_rest];
        let start = start.into_iter().flatten().max().filter(|_| is_short);
        members.into_iter().chain(start).min()
    }

    /// A member has said something on its control socket. `false` when it is not of this group.
    pub(crate) fn hear(&mut self, id: u64, context: &mut Context<'_>) -> bool {
        let Some(member) = self.members.iter_mut().find(|member| member.id == id) else {
            return false;
        };
        let heard = member.hear(context.poller);
        self.obey(id, heard, context.now);
        true
    }

    fn obey(&mut self, id: u64, heard: Heard, now: Instant) {
        let Some(member) = self.members.iter_mut().find(|member| member.id == id) else { return };
        match heard {
            Heard::Message(FromDaemon::Ready) if member.process.state == ProcessState::Starting => {
                member.set_state(ProcessState::Ready);
                if member.generation == self.generation {
                    self.note_success();
                }
            }
            Heard::Message(FromDaemon::Stale) => {
                let is_news = member.generation == self.generation;
                member.mark_draining(self.spec.shutdown_timeout, now);
                if is_news && !self.is_ending {
                    self.replace_all(now);
                }
            }
            Heard::Message(FromDaemon::Failed(reason)) => member.failure = Some(reason),
            Heard::Message(FromDaemon::Ready) | Heard::Nothing | Heard::Silence => {}
        }
    }

    /// A script has changed: nothing that has loaded it takes another request.
    fn replace_all(&mut self, now: Instant) {
        self.begin_generation();
        let timeout = self.spec.shutdown_timeout;
        self.members.iter_mut().for_each(|member| member.drain(false, timeout, now));
    }

    /// The child of a member has become a daemon, or reports why not.
    pub(crate) fn hear_setup(&mut self, id: u64, context: &mut Context<'_>) -> bool {
        let Some(place) = self.members.iter().position(|member| member.id == id) else {
            return false;
        };
        self.take_setup(place, context.poller);
        true
    }

    fn take_setup(&mut self, place: usize, poller: &Poller) {
        let Some(member) = self.members.get_mut(place) else { return };
        if let Some(failure) = member.take_setup(poller) {
            let (tag, text) = failure.describe(&self.spec);
            let group = &self.spec.engine.process_group;
            self.log.log(
                Level::ALERT,
                &format!("{tag}: Daemon process of group '{group}' failed to start: {text}."),
            );
            member.failure = Some(text);
        }
    }

    /// The process with this id has ended. `false` when it is not of this group.
    pub(crate) fn note_end(&mut self, pid: u32, end: End, context: &mut Context<'_>) -> bool {
        let is_it = |member: &Member| {
            member.process.pid == pid && matches!(member.link, Link::Child { .. })
        };
        let place = self.members.iter().position(is_it);
        place.is_some_and(|place| self.bury(place, end, context))
    }

    /// A process of an earlier supervisor has ended.
    pub(crate) fn note_orphan_end(&mut self, id: u64, context: &mut Context<'_>) -> bool {
        let place = self.members.iter().position(|member| member.id == id);
        place.is_some_and(|place| self.bury(place, End::Unknown, context))
    }

    fn bury(&mut self, place: usize, end: End, context: &mut Context<'_>) -> bool {
        // What it wrote before its end may not have been read yet.
        self.take_setup(place, context.poller);
        while let Some(member) = self.members.get_mut(place).filter(|member| member.has_message()) {
            let (id, heard) = (member.id, member.hear(context.poller));
            if heard == Heard::Silence {
                break;
            }
            self.obey(id, heard, context.now);
        }
        let mut member = self.members.remove(place);
        let was_draining = member.is_draining();
        let is_current = member.generation == self.generation && !was_draining;
        member.bury(end, context.poller);
        if member.boards.memory == self.boards.memory {
            let used = member.was_ready || matches!(member.link, Link::Orphan(_));
            self.blocks.release(member.block(), used.then_some(context.now));
        }
        self.log_end(&member, end, was_draining);
        if is_current && !member.was_ready && !self.is_ending {
            let reason = member.failure.take().unwrap_or_else(|| describe_end(end));
            self.note_failure(&reason, context.now);
        }
        true
    }

    fn log_end(&self, member: &Member, end: End, was_draining: bool) {
        let (group, pid) = (self.name(), member.process.pid);
        // An end that was asked for and went well is of no interest.
        let level = if was_draining && end == End::Exited(0) { Level::DEBUG } else { Level::INFO };
        let how = describe_end(end);
        self.log.log(level, &format!("Daemon process '{group}' with pid={pid} {how}."));
        if !was_draining {
            self.log.log(
                Level::INFO,
                &format!(
                    "Daemon process '{group}' with pid={pid} has died; deregistering and \
                     restarting it."
                ),
            );
        }
    }

    fn note_failure(&mut self, reason: &str, now: Instant) {
        self.backoff.fail(now);
        let serves = self.members.iter().any(Member::is_ready);
        if self.backoff.is_failing() && !serves && !self.is_failing {
            self.is_failing = true;
            self.boards.table.set_group(&GroupState::Failing(reason.to_owned()));
            self.log.log(
                Level::ERROR,
                &format!(
                    "WSGI1211: Daemon process group '{}' cannot be started: {reason}; its requests \
                     are answered with 503 until a further attempt succeeds.",
                    self.name()
                ),
            );
        }
    }

    fn note_success(&mut self) {
        self.backoff.reset();
        if self.is_failing {
            self.is_failing = false;
            self.boards.table.set_group(&GroupState::Serving);
            self.log.log(
                Level::NOTICE,
                &format!("Daemon process group '{}' serves again.", self.name()),
            );
        }
    }

    /// An earlier supervisor has died: its processes finish what they run, in slots that nobody
    /// else may have meanwhile.
    fn adopt_orphans(&mut self, context: &mut Context<'_>) {
        for mut process in self.boards.table.unfinished() {
            let is_same = start_time(process.pid) == Some(process.start_time);
            let handle = ProcessHandle::open(process.pid).ok().filter(|_| is_same);
            let id = context.next_id();
            let watched = handle.filter(|handle| {
                context.poller.add(handle.descriptor(), Token::Orphan(id)).is_ok()
            });
            let Some(handle) = watched else {
                process.state = ProcessState::Ended(End::Unknown);
                self.boards.table.set_state(&process);
                continue;
            };
            let boards = self.boards.clone();
            let mut member = Member::new(id, 0, process, Link::Orphan(handle), boards);
            member.mark_draining(self.spec.shutdown_timeout, context.now);
            self.blocks.reserve(member.block());
            self.members.push(member);
        }
    }
}

fn map_boards(handover: &Handover) -> io::Result<Boards> {
    let stat = rustix::fs::fstat(&handover.slots)?;
    Ok(Boards {
        table: Rc::new(ProcessTable::writer(handover.table.as_fd())?),
        slots: Rc::new(Slots::map(handover.slots.as_fd(), handover.spec.slots)?),
        memory: (stat.st_dev, stat.st_ino),
    })
}

fn describe_end(end: End) -> String {
    match end {
        End::Exited(status) => format!("exited with status {status}"),
        End::Signaled(signal) => format!("terminated by signal {signal}"),
        End::Unknown => "has ended".to_owned(),
    }
}
