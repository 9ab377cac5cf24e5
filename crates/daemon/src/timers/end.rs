//! `shutdown-timeout`: the process ends then, whatever the application does: requests that do not
//! finish, threads that do not end, `atexit` callbacks that hang.

use wsgi_core::{level::Level, timers::unless_zero};

use super::Round;
use crate::{clock::Moment, state::Drain};

#[derive(Debug, Default)]
pub(super) struct ForcedEnd {
    deadline: Option<Moment>,
}

impl ForcedEnd {
    pub(super) fn check(&mut self, round: &Round) -> Option<Moment> {
        let daemon = round.daemon;
        if daemon.drain() != Drain::Stop && !daemon.is_finalizing() {
            return None;
        }
        let limit = unless_zero(daemon.spec.shutdown_timeout)?;
        let deadline = *self.deadline.get_or_insert_with(|| round.now.after(limit));
        if round.now >= deadline {
            daemon.log.log(
                Level::INFO,
                &format!(
                    "Aborting daemon process '{}' after its shutdown timeout of {} seconds.",
                    daemon.group(),
                    limit.as_secs()
                ),
            );
            // SAFETY: ends the process as it stands; what still runs has had its time.
            unsafe { libc::_exit(1) };
        }
        Some(deadline)
    }
}
