//! What the watcher does as time passes, one file a rule: `activity` (how often to look),
//! `inactivity`,
//! `request`, `startup`, `deadlock`, `saturation`, `drain` and `end`.
//!
//! A rule is asked in every round of the watcher, does what is due and says when it wants to be
//! asked again at the latest. Rules do not know of each other: each holds whatever the others are
//! set to.

mod activity;
mod deadlock;
mod drain;
mod end;
mod inactivity;
mod request;
mod saturation;
mod startup;

use crate::{clock::Moment, progress::WorkerState, state::Daemon};

/// What all rules look at in one round.
#[derive(Debug)]
pub(crate) struct Round {
    /// The process.
    pub(crate) daemon: &'static Daemon,
    /// The time of the round.
    pub(crate) now: Moment,
    /// The requests in progress.
    pub(crate) busy: Vec<Busy>,
}

/// A worker in a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Busy {
    /// Number of the worker, from 0.
    pub(crate) index: usize,
    /// The worker.
    pub(crate) worker: &'static WorkerState,
    /// When the request was taken.
    pub(crate) since: Moment,
}

impl Round {
    fn begin(daemon: &'static Daemon) -> Self {
        let busy = daemon.workers.iter().enumerate().filter_map(|(index, worker)| {
            let since = worker.busy_since()?;
            Some(Busy { index, worker, since })
        });
        // The time is read last: no request began after it.
        let busy = busy.collect();
        Self { daemon, busy, now: Moment::now() }
    }

    /// Whether nothing of the application runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.busy.is_empty() && self.daemon.preload_since.get().is_none()
    }

    /// The requests in progress, except those that nobody waits for any more.
    pub(crate) fn hopeful(&self) -> impl Iterator<Item = &Busy> {
        self.busy.iter().filter(|busy| !busy.worker.is_written_off())
    }
}

/// The rules of one process.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    activity: activity::Activity,
    request: request::RequestTimeout,
    deadlock: deadlock::Deadlock,
    saturation: saturation::Saturation,
    drain: drain::DrainLimit,
    end: end::ForcedEnd,
}

impl Rules {
    /// Does what is due; says when the next thing is.
    pub(crate) fn check(&mut self, daemon: &'static Daemon) -> Option<Moment> {
        let round = Round::begin(daemon);
        let dues = [
            self.activity.check(&round),
            inactivity::check(&round),
            self.request.check(&round),
            startup::check(&round),
            self.deadlock.check(&round),
            self.saturation.check(&round),
            self.drain.check(&round),
            // Last: it may follow from what the others have done.
            self.end.check(&round),
        ];
        dues.into_iter().flatten().min()
    }

    /// A drain is to become a stop then.
    pub(crate) fn limit_drain(&mut self, end: Moment) {
        self.drain.limit(end);
    }
}

#[cfg(test)]
mod tests;
