//! How often the watcher looks at requests: every second while there are any, and not at all in
//! an idle process, which costs no processor time.
//!
//! The first request after a pause wakes the watcher. All timers are whole seconds, so none is
//! missed between two looks: whoever needs an exact time finds it in the round before.

use std::time::Duration;

use super::Round;
use crate::clock::Moment;

/// Between two looks.
const TICK: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: u64,
    due: Option<Moment>,
}

impl Activity {
    pub(super) fn check(&mut self, round: &Round) -> Option<Moment> {
        if self.due.is_some_and(|due| round.now < due) {
            return self.due;
        }
        let begun = round.daemon.begun();
        let is_active = begun != self.begun || !round.is_idle();
        self.begun = begun;
        let was_watched = round.daemon.is_watched();
        if is_active {
            round.daemon.keep_watching();
        } else if was_watched {
            // Looked at once more: a request that begins right now may still think that it is
            // watched.
            round.daemon.unwatch();
        }
        self.due = (is_active || was_watched).then(|| round.now.after(TICK));
        self.due
    }
}
