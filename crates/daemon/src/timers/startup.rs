//! `startup-timeout`: the scripts that are loaded at start, and then the first application that a
//! request asks for, must have loaded in time.

use wsgi_core::{level::Level, reason::Reason, timers::unless_zero};

use super::Round;
use crate::clock::Moment;

pub(super) fn check(round: &Round) -> Option<Moment> {
    let daemon = round.daemon;
    let limit = unless_zero(daemon.spec.timers.startup_timeout)?;
    if daemon.is_draining() {
        return None;
    }
    let since = daemon.preload_since.get().or_else(|| daemon.crew.get()?.loading_since())?;
    let due = since.after(limit);
    if round.now < due {
        return Some(due);
    }
    daemon.log.log(
        Level::ERROR,
        &format!(
            "WSGI1223: No application has been loaded in daemon process '{}' within its startup \
             timeout of {} seconds; the process ends ({}).",
            daemon.group(),
            limit.as_secs(),
            Reason::StartupTimeout.name()
        ),
    );
    daemon.end(Reason::StartupTimeout);
    None
}
