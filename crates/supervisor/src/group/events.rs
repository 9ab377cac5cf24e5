//! What happens to a group's processes: they speak, fail to start, and end.

use std::time::{Duration, Instant};

use wsgi_core::{control::FromDaemon, level::Level, reason::Reason};
use wsgi_ipc::scoreboard::{End, GroupState, ProcessState};

use crate::{
    backoff,
    event::Poller,
    member::{Heard, Link, Member},
    terms::Terms,
};

use super::{Context, Group};

/// How long a process without requests lives at least that is worth being started at once.
const USEFUL: Duration = Duration::from_secs(1);

impl Group {
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
        let Heard::Message(message) = heard else { return };
        let generation = self.generation;
        let Some(member) = self.members.iter_mut().find(|member| member.id == id) else { return };
        let is_current = member.generation == generation;
        match message {
            FromDaemon::Ready if member.process.state == ProcessState::Starting => {
                member.mark_ready(now);
                self.note_ready(id, is_current);
            }
            FromDaemon::Stale => {
                member.drain(Terms::graceful(&self.spec, Reason::ScriptReload), now);
                if is_current && !self.is_ending {
                    self.replace_all(now);
                }
            }
            FromDaemon::Loaded(script) => {
                member.note_loaded(script.clone());
                if is_current {
                    self.spread(&script);
                }
            }
            // One that was never loaded is nothing that could have changed.
            FromDaemon::Changed { script, mtime }
                if is_current && !member.is_draining() && member.loaded.contains(&script) =>
            {
                self.note_change(&script.path, mtime);
            }
            FromDaemon::Retire(reason) => {
                member.retiring.get_or_insert(reason);
            }
            FromDaemon::Failed(reason) => member.failure = Some(reason),
            // Of a process that was asked to check, which no member is.
            FromDaemon::Tried(_) => {}
            FromDaemon::Ready | FromDaemon::Changed { .. } => {}
        }
    }

    fn note_ready(&mut self, id: u64, is_current: bool) {
        self.judge_size(id);
        self.catch_up(id);
        if self.is_trial(id) {
            self.adopt_trial();
        } else if is_current {
            self.note_success();
        }
    }

    /// A script has changed: nothing that has loaded it takes another request.
    pub(super) fn replace_all(&mut self, now: Instant) {
        self.drop_trial(now);
        self.preload.clear();
        self.begin_generation();
        let terms = Terms::graceful(&self.spec, Reason::ScriptReload);
        self.members.iter_mut().for_each(|member| member.drain(terms, now));
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
            let used = member.was_ready() || matches!(member.link, Link::Orphan(_));
            self.blocks.release(member.block(), used.then_some(context.now));
        }
        self.log_end(&member, end, was_draining, context.now);
        let requests = member.requests();
        self.history.note(&member, end, describe_end(end), requests);
        // Its requests do not run any more, and count no more among the busy threads of the group.
        let block = member.block();
        member.boards.slots.clear(block.first, block.count);
        if self.is_trial(member.id) {
            let reason = member.failure.take().unwrap_or_else(|| describe_end(end));
            self.give_up_trial(&reason);
        }
        if self.is_drained {
            return true;
        }
        if is_current && !member.was_ready() && !self.is_ending {
            let reason = member.failure.take().unwrap_or_else(|| describe_end(end));
            self.note_failure(&reason, context.now);
        } else if is_current {
            self.note_relapse(&member, end, requests, context.now);
        }
        true
    }

    /// A process that dies of itself as soon as it is ready, without having been of any use, is
    /// not started again at once.
    fn note_relapse(&mut self, member: &Member, end: End, requests: u64, now: Instant) {
        let ran = member.ready_since.map(|since| now.saturating_duration_since(since));
        let is_service = self.spec.engine.is_service();
        let enough = if is_service { backoff::LONGEST } else { USEFUL };
        let was_useful = requests > 0 || ran.is_some_and(|ran| ran >= enough);
        let was_killed = end == End::Signaled(libc::SIGKILL) && !is_service;
        if was_useful || was_killed {
            self.relapses.reset();
        } else {
            self.relapses.fail(now);
        }
    }

    fn log_end(&self, member: &Member, end: End, was_draining: bool, now: Instant) {
        let (group, pid) = (self.name(), member.process.pid);
        // An end that was asked for and went well is of no interest.
        let level = if was_draining && end == End::Exited(0) { Level::DEBUG } else { Level::INFO };
        let (how, life) = (describe_end(end), member.describe_life(now));
        self.log.log(level, &format!("Daemon process '{group}' with pid={pid} {how} {life}."));
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

    /// A process could not be started, or died before it was ready.
    pub(super) fn note_failure(&mut self, reason: &str, now: Instant) {
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

    pub(super) fn note_success(&mut self) {
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
}

fn describe_end(end: End) -> String {
    match end {
        End::Exited(status) => format!("exited with status {status}"),
        End::Signaled(signal) => format!("terminated by signal {signal}"),
        End::OutOfMemory => "terminated by signal 9, by the kernel for want of memory".to_owned(),
        End::Unknown => "has ended".to_owned(),
    }
}
