//! `deadlock-timeout`: the lock of every interpreter in which a request runs is taken and given
//! back every second. A process in which that does not succeed for so long is ended.

use std::{collections::BTreeMap, time::Duration};

use wsgi_core::{level::Level, reason::Reason, timers::unless_zero};

use super::Round;
use crate::{clock::Moment, inspector::Answer};

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Deadlock {
    /// The attempts that have not succeeded, by application group.
    attempts: BTreeMap<Vec<u8>, (Answer<()>, Moment)>,
    next: Option<Moment>,
}

impl Deadlock {
    pub(super) fn check(&mut self, round: &Round) -> Option<Moment> {
        let limit = unless_zero(round.daemon.spec.timers.deadlock_timeout)?;
        if round.daemon.is_draining() {
            return None;
        }
        self.attempts.retain(|_, (answer, _)| answer.get().is_none());
        let oldest = self.attempts.iter().min_by_key(|(_, (_, since))| *since);
        if let Some((group, (_, since))) = oldest
            && round.now >= since.after(limit)
        {
            expire(round, group, limit);
            return None;
        }
        self.attempt(round);
        self.attempts.values().map(|(_, since)| since.after(limit)).min()
    }

    fn attempt(&mut self, round: &Round) {
        if round.is_idle() || self.next.is_some_and(|next| round.now < next) {
            return;
        }
        let Some(inspectors) = round.daemon.inspectors.get() else { return };
        self.next = Some(round.now.after(PAUSE));
        for group in groups(round) {
            if self.attempts.contains_key(&group) {
                continue;
            }
            let asked = group.clone();
            if let Some(answer) = inspectors.ask(&group, move |host| host.take_turn(&asked)) {
                self.attempts.insert(group, (answer, round.now));
            }
        }
    }
}

/// The interpreters in which something runs.
fn groups(round: &Round) -> Vec<Vec<u8>> {
    let busy = round.busy.iter().filter_map(|busy| busy.worker.application_group());
    let is_preloading = round.daemon.preload_since.get().is_some();
    let scripts = round.daemon.spec.engine.import_scripts.iter().filter(|_| is_preloading);
    busy.chain(scripts.map(|script| script.application_group.clone().into_bytes())).collect()
}

fn expire(round: &Round, group: &[u8], limit: Duration) {
    let daemon = round.daemon;
    let mut record = format!(
        "WSGI1222: The lock of interpreter '{}' of daemon process '{}' has not been free for {} \
         seconds; the process ends ({}).",
        String::from_utf8_lossy(group),
        daemon.group(),
        limit.as_secs(),
        Reason::DeadlockTimeout.name()
    );
    for seen in round.busy.iter().filter_map(|busy| busy.worker.look()) {
        let age = round.now.since(seen.since).as_secs_f64();
        record.push_str(&format!(
            "\nRequest in progress for {age:.1} seconds in thread {:#018x}: {}",
            seen.identity, seen.subject
        ));
    }
    daemon.log.log(Level::ERROR, &record);
    // Nobody can stop the threads while they are looked at; the process ends in any case.
    if !wsgi_python::write_stacks(daemon.log.file()) && !wsgi_python::ask_for_stacks() {
        let text = "This version of Python cannot show stacks without its interpreter lock.";
        daemon.log.log(Level::INFO, text);
    }
    daemon.end(Reason::DeadlockTimeout);
}
