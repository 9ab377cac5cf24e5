//! `inactivity-timeout`: a process that has served requests and then none for a while is replaced
//! by one that has loaded nothing.

use wsgi_core::{reason::Reason, timers::unless_zero};

use super::Round;
use crate::{clock::Moment, progress::WorkerState};

pub(super) fn check(round: &Round) -> Option<Moment> {
    let limit = unless_zero(round.daemon.spec.timers.inactivity_timeout)?;
    if round.hopeful().next().is_some() {
        return None;
    }
    let last = round.daemon.workers.iter().filter_map(WorkerState::idle_since).max()?;
    let due = last.after(limit);
    if round.now < due {
        return Some(due);
    }
    round.daemon.retire(Reason::InactivityTimeout);
    None
}
