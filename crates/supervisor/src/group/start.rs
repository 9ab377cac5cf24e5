//! Where a group's processes come from: new ones, and those an earlier supervisor has left.

use std::{io, os::fd::AsFd, time::Instant};

use wsgi_core::{
    control::{ImportScript, ToDaemon},
    level::Level,
    reason::Reason,
};
use wsgi_ipc::{
    process::{ProcessHandle, start_time},
    scoreboard::{End, Process, ProcessState},
};

use crate::{
    blocks::{Block, Refusal},
    event::Token,
    launch::{self, Launched, Passed},
    member::{self, Link, Member},
    terms::Terms,
};

use super::{Context, Group};

/// What a new process is for, and what it loads before it is ready.
enum Purpose {
    /// To serve in this generation.
    Serve { preload: Vec<ImportScript> },
    /// To find out whether changed code loads, and then to be the first of the next generation.
    Trial { preload: Vec<ImportScript> },
}

/// Bytes of script names that a configuration message has room for.
const ROOM: usize = 64 << 10;

/// As many scripts as fit a message; the rest is loaded by its first requests.
fn fitting(scripts: Vec<ImportScript>) -> Vec<ImportScript> {
    let mut room = ROOM;
    let fits = |script: &ImportScript| {
        let needed = 64 + script.path.len() + script.application_group.len();
        room = room.saturating_sub(needed);
        room > 0
    };
    scripts.into_iter().take_while(fits).collect()
}

impl Group {
    /// Starts processes up to the configured number, as far as back-off and slots allow.
    pub(super) fn start_missing(&mut self, context: &mut Context<'_>) {
        while self.current().count() < self.spec.processes as usize
            && self.slots_rest.is_none()
            && self.pause(context.now).is_none()
        {
            let block = match self.blocks.take(self.spec.slots_per_process(), context.now) {
                Ok(block) => block,
                Err(Refusal::Until(rested)) => {
                    self.slots_rest = Some(rested);
                    return;
                }
                Err(Refusal::Full) => {
                    self.make_room(context.now);
                    return;
                }
            };
            let purpose = Purpose::Serve { preload: self.preload_now() };
            if let Err(reason) = self.start_one(block, purpose, context) {
                self.note_failure(&reason, context.now);
            }
        }
    }

    /// What a new process loads before it is ready: what the one has that it takes the place of.
    /// A process that is replaced because nobody used it is not missed.
    fn preload_now(&self) -> Vec<ImportScript> {
        let leaving = self.members.iter().find(|member| self.leaving == Some(member.id));
        match leaving {
            Some(member) if member.retiring == Some(Reason::InactivityTimeout) => Vec::new(),
            Some(member) => member.loaded.clone(),
            None => self.preload.clone(),
        }
    }

    /// Starts a process of the next generation, which counts only once it is ready; its number.
    pub(super) fn start_beside(&mut self, context: &mut Context<'_>) -> Option<u64> {
        let block = self.blocks.take(self.spec.slots_per_process(), context.now).ok()?;
        let purpose = Purpose::Trial { preload: self.loaded_now() };
        self.start_one(block, purpose, context).ok()
    }

    /// All slots belong to processes that finish requests, for longer than replacements come:
    /// the oldest gives way.
    fn make_room(&mut self, now: Instant) {
        if self.members.is_empty() {
            // Not a matter of time: httpd has made fewer slots than one process needs.
            self.note_failure("there are not enough request slots", now);
            return;
        }
        let is_serving = self.members.iter().any(Member::is_ready);
        if is_serving
            || self.members.iter().any(|member| member.is_draining() && member.is_killed())
        {
            // There will be room when one of those that drain has ended; nobody waits for it.
            return;
        }
        if let Some(oldest) = self.members.iter_mut().find(|member| member.is_draining()) {
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

    /// Starts a process in these slots; the reason if that is impossible, which is logged.
    fn start_one(
        &mut self,
        block: Block,
        purpose: Purpose,
        context: &mut Context<'_>,
    ) -> Result<u64, String> {
        self.try_start(block, purpose, context).map_err(|error| {
            self.blocks.release(block, None);
            let reason = format!("cannot start a process: {error}");
            self.log.log(Level::ALERT, &format!("WSGI0024: Group '{}': {reason}.", self.name()));
            reason
        })
    }

    fn try_start(
        &mut self,
        block: Block,
        purpose: Purpose,
        context: &mut Context<'_>,
    ) -> io::Result<u64> {
        let passed = Passed {
            listener: self.listener.as_fd(),
            slots: self.slots.as_fd(),
            error_log: self.log.file(),
            questions: self.questions.as_ref().map(AsFd::as_fd),
        };
        let Launched { pid, control, setup } = launch::start(&self.spec, passed)?;
        self.prioritize(pid);
        self.last_epoch += 1;
        // Of the block's last process; httpd has had the time to look.
        self.boards.slots.clear(block.first, block.count);
        let epoch = self.last_epoch;
        let (preload, is_trial) = match purpose {
            Purpose::Serve { preload } => (preload, false),
            Purpose::Trial { preload } => (preload, true),
        };
        let configure = ToDaemon::Configure {
            group: Box::new(self.spec.clone()),
            epoch,
            first_slot: block.first,
            preload: fitting(preload),
            is_trial,
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
        let generation = self.generation + u64::from(is_trial);
        let mut member = Member::new(id, generation, process, link, self.boards.clone());
        if let Err(error) = told {
            // Its death is then handled as every other.
            member.failure = Some(format!("cannot configure the process: {error}"));
            member.kill();
        }
        self.members.push(member);
        Ok(id)
    }

    /// `cpu-priority`: from here, because only root may raise it; before the process is configured,
    /// because its threads take it over when they begin.
    fn prioritize(&self, pid: u32) {
        let priority = self.spec.limits.priority;
        if priority != 0
            && let Err(error) = launch::set_priority(pid, priority)
        {
            self.log.log(
                Level::WARNING,
                &format!(
                    "WSGI0075: Unable to set the CPU priority of daemon process '{}' with \
                     pid={pid} to {priority}: {error}.",
                    self.name()
                ),
            );
        }
    }

    /// An earlier supervisor has died: its processes finish what they run, in slots that nobody
    /// else may have meanwhile.
    pub(super) fn adopt_orphans(&mut self, context: &mut Context<'_>) {
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
            let terms = Terms::graceful(&self.spec, Reason::ShutdownSignal);
            member.mark_draining(terms, context.now);
            self.blocks.reserve(member.block());
            self.members.push(member);
        }
    }
}
