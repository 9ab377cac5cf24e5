//! What a group tells those who ask about it, and what an operator may have it do.

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::Instant,
};

use wsgi_core::{
    control::ToDaemon,
    level::Level,
    reason::Reason,
    status::inquiry::{Asked, GroupReport, MemberReport},
};
use wsgi_ipc::{
    inquiries, process,
    scoreboard::{GroupState, ProcessState},
    socket,
};

use crate::{member::Member, terms::Terms};

use super::{Group, history::seconds};

/// A question for daemons.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ForDaemons {
    /// What do the threads do?
    Report,
    /// Which Python code do they run?
    Stack(Option<(u32, u64)>),
}

impl ForDaemons {
    /// For the process with this token.
    fn with(self, token: u64) -> ToDaemon {
        match self {
            Self::Report => ToDaemon::Report { token },
            Self::Stack(of) => ToDaemon::Stack { token, of },
        }
    }
}

impl Group {
    /// What is known of the group without its daemons.
    pub(crate) fn report(&self) -> GroupReport {
        let (state, reason) = match self.boards.table.group() {
            _ if self.is_ending => ("ending", None),
            GroupState::Failing(reason) if self.is_drained => ("drained", Some(reason)),
            GroupState::Failing(reason) => ("failing", Some(reason)),
            GroupState::Serving => ("serving", None),
        };
        GroupReport {
            name: self.name().to_owned(),
            state: state.to_owned(),
            reason,
            wanted_processes: self.spec.processes,
            threads: self.spec.threads,
            queue: socket::waiting(self.listener.as_fd()).ok(),
            ends: self.history.by_reason(),
            ended: self.history.last(),
            processes: self.members.iter().map(describe).collect(),
        }
    }

    /// The processes that can answer, or the one with a number if it can. One that starts would
    /// answer too late, when it is ready.
    fn able(&self, epoch: Option<u64>) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| {
            member.process.state != ProcessState::Starting
                && epoch.is_none_or(|epoch| member.process.epoch == epoch)
        })
    }

    /// How many processes can answer a question for all of them, or for the one with a number.
    pub(crate) fn answering(&self, epoch: Option<u64>) -> usize {
        self.able(epoch).count()
    }

    /// Who will be asked a question, each with a token of its own.
    pub(crate) fn asked(&self, epoch: Option<u64>) -> Vec<Asked> {
        let members = self.able(epoch).filter_map(|member| {
            Some(Asked {
                // Without one it is not asked: nobody could tell its answer from a false one.
                token: inquiries::new_token().ok()?,
                group: self.name().to_owned(),
                epoch: member.process.epoch,
                pid: member.process.pid,
            })
        });
        members.collect()
    }

    /// Passes a question on to them.
    pub(crate) fn ask(&self, question: ForDaemons, asked: &[Asked], asker: BorrowedFd<'_>) {
        for of in asked.iter().filter(|of| of.group == self.name()) {
            for member in self.able(Some(of.epoch)) {
                member.ask(&question.with(of.token), asker);
            }
        }
    }

    /// An operator wants new processes: each takes the place of an older one when it is ready. A
    /// group that was drained serves again.
    pub(crate) fn renew(&mut self, now: Instant) {
        self.log.log(
            Level::NOTICE,
            &format!("Daemon process group '{}' is reloaded on demand.", self.name()),
        );
        self.drop_trial(now);
        self.is_failing = false;
        self.is_drained = false;
        self.boards.table.set_group(&GroupState::Serving);
        self.preload = self.loaded_now();
        self.begin_generation();
        self.end_unfinished(now);
    }

    /// An operator wants no processes: those that are there finish their requests.
    pub(crate) fn drain(&mut self, now: Instant) {
        self.log.log(
            Level::NOTICE,
            &format!(
                "Daemon process group '{}' is drained on demand; it serves again when it is \
                 reloaded.",
                self.name()
            ),
        );
        self.drop_trial(now);
        self.is_drained = true;
        let reason = "it was drained by an operator".to_owned();
        self.boards.table.set_group(&GroupState::Failing(reason));
        let terms = Terms::graceful(&self.spec, Reason::GracefulSignal);
        self.members.iter_mut().for_each(|member| member.drain(terms, now));
    }
}

fn describe(member: &Member) -> MemberReport {
    let state = match member.process.state {
        ProcessState::Starting => "starting",
        ProcessState::Ready => "ready",
        ProcessState::Draining | ProcessState::Ended(_) => "draining",
    };
    MemberReport {
        epoch: member.process.epoch,
        pid: member.process.pid,
        state: state.to_owned(),
        started: seconds(member.started),
        requests: member.requests(),
        memory: process::resident_size(member.process.pid).unwrap_or(0),
        threads: None,
    }
}
