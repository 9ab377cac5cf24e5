//! What has become of a group's processes, for those who ask.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use wsgi_core::status::inquiry::EndedReport;
use wsgi_ipc::scoreboard::End;

use crate::member::Member;

/// Ended processes that are remembered one by one.
const REMEMBERED: usize = 20;

/// Ended processes.
#[derive(Debug, Default)]
pub(crate) struct History {
    by_reason: BTreeMap<String, u64>,
    last: VecDeque<EndedReport>,
}

impl History {
    /// A process has ended, in words.
    pub(super) fn note(&mut self, member: &Member, end: End, how: String, requests: u64) {
        let reason = reason(member, end);
        *self.by_reason.entry(reason.to_owned()).or_default() += 1;
        self.last.truncate(REMEMBERED - 1);
        self.last.push_front(EndedReport {
            pid: member.process.pid,
            ended: seconds(SystemTime::now()),
            how,
            reason: reason.to_owned(),
            requests,
            age: member.age().unwrap_or(Duration::ZERO).as_secs_f64(),
        });
    }

    /// How many have ended, by their reason.
    pub(super) fn by_reason(&self) -> BTreeMap<String, u64> {
        self.by_reason.clone()
    }

    /// The last ones, the newest first.
    pub(super) fn last(&self) -> Vec<EndedReport> {
        self.last.iter().cloned().collect()
    }
}

/// Why it has ended: what it was asked to do, or what has happened to it.
fn reason(member: &Member, end: End) -> &'static str {
    match (member.reason(), end) {
        (_, End::OutOfMemory) => "out_of_memory",
        (Some(reason), _) => reason.name(),
        (None, _) if !member.was_ready() => "failed_start",
        (None, End::Signaled(_)) => "crash",
        (None, End::Exited(_)) => "exit",
        (None, End::Unknown) => "unknown",
    }
}

/// Seconds since the epoch.
pub(super) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
