//! `shutdown-timeout`: the process ends then, whatever the application does: requests that do not
//! finish, threads that do not end, `atexit` callbacks that hang.

use std::time::Duration;

use wsgi_core::{level::Level, reason::Reason, timers::unless_zero};

use wsgi_python::Runtime;

use super::Round;
use crate::{
    clock::Moment,
    state::{Daemon, Drain},
};

/// What is left to a process that could never end by itself.
const HOPELESS: Duration = Duration::from_secs(1);

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
        let limit = unless_zero(daemon.spec.shutdown_timeout).or_else(|| without_end(daemon))?;
        let deadline = *self.deadline.get_or_insert_with(|| round.now.after(limit));
        if round.now >= deadline {
            daemon.log.log(
                Level::INFO,
                &format!(
                    "Aborting daemon process '{}' {}: it has not ended within its shutdown timeout of \
                     {} seconds.",
                    daemon.group(),
                    daemon.epitaph(),
                    limit.as_secs()
                ),
            );
            Runtime::note_abort();
            // SAFETY: ends the process as it stands; what still runs has had its time.
            unsafe { libc::_exit(1) };
        }
        Some(deadline)
    }
}

/// Without a limit, a process whose interpreter lock is not to be had would wait for ever.
fn without_end(daemon: &Daemon) -> Option<Duration> {
    (daemon.reason() == Some(Reason::DeadlockTimeout)).then_some(HOPELESS)
}
