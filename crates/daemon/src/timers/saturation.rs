//! One line when all threads of the group have been busy for longer than a second, and no second
//! one within a minute.

use std::{os::fd::AsFd, time::Duration};

use wsgi_core::level::Level;
use wsgi_ipc::socket;

use super::{Busy, Round};
use crate::clock::Moment;

/// How long all threads must have been busy.
const LONG: Duration = Duration::from_secs(1);
/// From one line to the next.
const SILENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Saturation {
    since: Option<Moment>,
    silent_until: Option<Moment>,
}

impl Saturation {
    pub(super) fn check(&mut self, round: &Round) -> Option<Moment> {
        let threads = round.daemon.spec.threads as usize;
        if threads == 0 || round.hopeful().count() < threads || round.daemon.is_draining() {
            self.since = None;
            return None;
        }
        if self.silent_until.is_some_and(|end| round.now < end) {
            return None;
        }
        let due = self.since.get_or_insert(round.now).after(LONG);
        if round.now < due {
            return Some(due);
        }
        if let Some(oldest) = oldest(round) {
            let queued = socket::waiting(round.daemon.listener.as_fd()).ok();
            if queued.is_some_and(|queued| queued > 0) || is_stalled(round) {
                self.silent_until = Some(round.now.after(SILENCE));
                report(round, oldest, queued);
            }
        }
        None
    }
}

/// Whether no thread has got to another request: without a queue it takes that to call them busy
/// all the time.
fn is_stalled(round: &Round) -> bool {
    round.hopeful().all(|busy| round.now.since(busy.since) >= LONG)
}

/// The longest request, if this process is to speak: the whole group must be busy, and the process
/// with the first of its requests speaks for all.
fn oldest(round: &Round) -> Option<&Busy> {
    let daemon = round.daemon;
    let (first, count) = daemon.slots.active();
    let own = daemon.first_slot..daemon.first_slot + daemon.spec.slots_per_process();
    let is_ours = first.is_some_and(|first| own.contains(&first));
    let is_full = count >= daemon.spec.threads.saturating_mul(daemon.spec.processes);
    round.hopeful().min_by_key(|busy| busy.since).filter(|_| is_ours && is_full)
}

fn report(round: &Round, oldest: &Busy, queued: Option<u32>) {
    let daemon = round.daemon;
    let Some(seen) = oldest.worker.look() else { return };
    let all = daemon.spec.threads.saturating_mul(daemon.spec.processes);
    let age = round.now.since(seen.since).as_secs_f64();
    let queued = queued.map_or_else(|| "?".to_owned(), |queued| queued.to_string());
    daemon.log.log(
        Level::WARNING,
        &format!(
            "WSGI1225: Daemon process group '{}': {all} of {all} threads busy, oldest '{}' for \
             {age:.1} s, {queued} queued.",
            daemon.group(),
            seen.subject
        ),
    );
}
