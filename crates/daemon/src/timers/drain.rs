//! The end of a drain: when its time is over, or when nobody waits for what still runs.

use std::time::Duration;

use wsgi_core::reason::Reason;

use super::Round;
use crate::{clock::Moment, state::Drain};

/// How often to look whether only stuck requests are left.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct DrainLimit {
    end: Option<Moment>,
}

impl DrainLimit {
    /// The drain is to become a stop then, or sooner.
    pub(super) fn limit(&mut self, end: Moment) {
        self.end = Some(self.end.map_or(end, |sooner| sooner.min(end)));
    }

    pub(super) fn check(&mut self, round: &Round) -> Option<Moment> {
        if round.daemon.drain() != Drain::Graceful {
            return None;
        }
        let is_stuck = !round.busy.is_empty() && round.hopeful().next().is_none();
        if is_stuck || self.end.is_some_and(|end| round.now >= end) {
            let reason = round.daemon.reason().unwrap_or(Reason::ShutdownSignal);
            round.daemon.begin_drain(Drain::Stop, reason);
            return None;
        }
        let has_stuck = round.busy.iter().any(|busy| busy.worker.is_written_off());
        self.end.into_iter().chain(has_stuck.then(|| round.now.after(LOOK))).min()
    }
}
