//! Planned replacement: a process that has had its time serves on until another one is ready, and
//! never two of a group at once.

use std::time::{Duration, Instant};

use wsgi_core::{level::Level, reason::Reason, timers::unless_zero};
use wsgi_ipc::process;

use crate::{member::Member, terms::Terms};

use super::Group;

/// How often the size of processes is looked at.
const MEMORY_CHECK: Duration = Duration::from_secs(1);

impl Group {
    /// Picks the next process to be replaced, unless one is being replaced already.
    pub(super) fn choose_leaving(&mut self, now: Instant) {
        let generation = self.generation;
        let is_here = |member: &Member| member.generation == generation && member.is_ready();
        let is_leaving = |member: &Member| self.leaving == Some(member.id) && is_here(member);
        if self.members.iter().any(is_leaving) {
            return;
        }
        self.leaving = None;
        let limit = unless_zero(self.spec.restart_interval);
        for member in self.members.iter_mut().filter(|member| is_here(member)) {
            let is_old =
                limit.zip(member.ready_since).is_some_and(|(age, since)| now >= since + age);
            if is_old {
                member.retiring.get_or_insert(Reason::RestartInterval);
            }
        }
        let mut here = self.members.iter().filter(|member| is_here(member));
        let next = here.find_map(|member| Some((member, member.retiring?)));
        let Some((member, reason)) = next else { return };
        self.leaving = Some(member.id);
        self.log.log(
            Level::INFO,
            &format!(
                "Daemon process '{}' with pid={} is to be replaced ({}).",
                self.name(),
                member.process.pid,
                reason.name()
            ),
        );
    }

    /// A process that has loaded what it needs is larger than it may become.
    pub(super) fn judge_size(&self, id: u64) {
        let limit = self.spec.memory_soft_limit;
        let member = self.members.iter().find(|member| member.id == id);
        let Some(member) = member.filter(|member| limit > 0 && member.size_at_start > limit) else {
            return;
        };
        self.log.log(
            Level::WARNING,
            &format!(
                "WSGI1216: Daemon process '{}' with pid={} has {} bytes when it starts, more than \
                 its memory-soft-limit={limit}: it is not replaced for that.",
                self.name(),
                member.process.pid,
                member.size_at_start
            ),
        );
    }

    /// Marks processes that have grown beyond `memory-soft-limit`.
    pub(super) fn look_at_memory(&mut self, now: Instant) {
        let limit = self.spec.memory_soft_limit;
        if limit == 0 {
            self.memory_check = None;
            return;
        }
        if self.memory_check.is_some_and(|next| now < next) {
            return;
        }
        self.memory_check = Some(now + MEMORY_CHECK);
        let candidates = self.members.iter_mut().filter(|member| {
            // One that was too large from the start would be replaced for ever.
            member.is_ready() && member.retiring.is_none() && member.size_at_start <= limit
        });
        for member in candidates {
            let size = process::resident_size(member.process.pid).unwrap_or(0);
            if size > limit {
                member.retiring = Some(Reason::MemorySoftLimit);
                let (group, pid) = (&self.spec.engine.process_group, member.process.pid);
                self.log.log(
                    Level::INFO,
                    &format!(
                        "Daemon process '{group}' with pid={pid} has grown to {size} bytes, more \
                         than its memory-soft-limit={limit}."
                    ),
                );
            }
        }
    }

    /// The process that is being replaced ends when the group is complete without it.
    pub(super) fn drain_leaving(&mut self, now: Instant) {
        let ready = self.current().filter(|member| member.is_ready()).count();
        if ready < self.spec.processes as usize {
            return;
        }
        let Some(leaving) = self.leaving.take() else { return };
        let Some(member) = self.members.iter_mut().find(|member| member.id == leaving) else {
            return;
        };
        let reason = member.retiring.unwrap_or(Reason::GracefulSignal);
        member.drain(Terms::graceful(&self.spec, reason), now);
    }

    /// When the oldest process has reached `restart-interval`.
    pub(super) fn next_retirement(&self) -> Option<Instant> {
        if self.is_ending || self.leaving.is_some() {
            return None;
        }
        let age = unless_zero(self.spec.restart_interval)?;
        let due = self.current().filter(|member| member.retiring.is_none());
        due.filter_map(|member| Some(member.ready_since? + age)).min()
    }
}
