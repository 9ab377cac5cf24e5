//! Where a group's processes come from: new ones, and those an earlier supervisor has left.

use std::{io, os::fd::AsFd, time::Instant};

use wsgi_core::{control::ToDaemon, level::Level, reason::Reason};
use wsgi_ipc::{
    process::{ProcessHandle, start_time},
    scoreboard::{End, Process, ProcessState},
};

use crate::{
    blocks::{Block, Refusal},
    event::Token,
    launch::{self, Launched, Passed},
    member::{self, Link, Member, Terms},
};

use super::{Context, Group};

impl Group {
    /// Starts processes up to the configured number, as far as back-off and slots allow.
    pub(super) fn start_missing(&mut self, context: &mut Context<'_>) {
        while self.current().count() < self.spec.processes as usize
            && self.slots_rest.is_none()
            && self.backoff.pause(context.now).is_none()
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
    fn make_room(&mut self, now: Instant) {
        if self.members.is_empty() {
            // Not a matter of time: httpd has made fewer slots than one process needs.
            self.note_failure("there are not enough request slots", now);
            return;
        }
        if self.members.iter().any(|member| member.is_draining() && member.is_killed()) {
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

    fn start_one(&mut self, block: Block, context: &mut Context<'_>) -> io::Result<()> {
        let passed = Passed {
            listener: self.listener.as_fd(),
            slots: self.slots.as_fd(),
            error_log: self.log.file(),
        };
        let Launched { pid, control, setup } = launch::start(&self.spec, passed)?;
        self.prioritize(pid);
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
