//! Requests that take long (WSGISlowRequests): those that run and those that have ended since the
//! last report.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use wsgi_core::{
    head::{Key, RequestHead, flag},
    keys,
    telemetry::Slow,
};

use crate::{
    lease::{Lease, lock},
    wsgi::measure::now,
};

/// Most running requests of a report.
const MOST_RUNNING: usize = 16;

/// Ended requests that wait for their report, for each thread; the oldest give way.
const KEPT_PER_THREAD: usize = 4;

/// The requests of a process.
#[derive(Debug)]
pub(super) struct SlowRequests {
    threshold: Duration,
    captures_user_agent: bool,
    kept: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By place in the recorder.
    running: Vec<Option<Running>>,
    ended: VecDeque<Slow>,
}

/// A request that runs.
#[derive(Debug, Clone)]
pub(super) struct Running {
    /// Its encoded head: who needs it later has no other copy.
    pub(super) head: Arc<[u8]>,
    pub(super) lease: Arc<Lease>,
    pub(super) thread: u32,
    /// Requests in progress, itself among them.
    pub(super) active: usize,
    begun: Instant,
    start: i64,
}

impl Running {
    /// A request that begins now.
    pub(super) fn begin(head: &[u8], lease: &Arc<Lease>, thread: u32, active: usize) -> Self {
        let (head, lease) = (Arc::from(head), Arc::clone(lease));
        Self { head, lease, thread, active, begun: Instant::now(), start: now() }
    }

    fn record(&self, duration: Duration, captures_user_agent: bool) -> Slow {
        let mut figures = self.lease.measure().map(|measure| measure.figures()).unwrap_or_default();
        let stamps = &mut figures.stamps;
        if stamps.application_start != 0 && stamps.application_finish == 0 {
            stamps.application_finish = now();
        }
        let status = self.lease.response().status();
        let record = Slow {
            start: self.start,
            duration,
            thread: self.thread,
            figures,
            status,
            active: [self.active, 0],
            ..Slow::default()
        };
        describe(record, &self.head, captures_user_agent)
    }
}

/// Adds what the head says.
fn describe(mut record: Slow, head: &[u8], captures_user_agent: bool) -> Slow {
    let Ok(head) = RequestHead::decode(head) else { return record };
    let [method, scheme, host, script_name, path_info, protocol, client, agent] =
        &mut record.subject;
    let is_encrypted = head.has(flag::HTTPS);
    *scheme = if is_encrypted { "https" } else { "http" }.to_owned();
    for (key, value) in head.entries() {
        let (Key::Known(number), Some(value)) = (key, value) else { continue };
        let text = || String::from_utf8_lossy(value).into_owned();
        match keys::name_of(number) {
            Some("REQUEST_METHOD") => *method = text(),
            Some("SERVER_NAME") => *host = text(),
            Some("SCRIPT_NAME") => *script_name = text(),
            Some("PATH_INFO") => *path_info = text(),
            Some("SERVER_PROTOCOL") => *protocol = text(),
            Some("REMOTE_ADDR") => *client = text(),
            Some("HTTP_USER_AGENT") if captures_user_agent => *agent = text(),
            Some("mod_wsgi.request_id") => record.log_id = text(),
            Some("mod_wsgi.server_pid") => record.server_pid = text().parse().unwrap_or(0),
            _ => {}
        }
    }
    record
}

impl SlowRequests {
    /// No request yet.
    pub(super) fn new(threshold: Duration, captures_user_agent: bool, threads: u32) -> Self {
        let threads = usize::try_from(threads).unwrap_or(usize::MAX);
        let kept = threads.saturating_mul(KEPT_PER_THREAD).max(MOST_RUNNING);
        Self { threshold, captures_user_agent, kept, state: Mutex::default() }
    }

    /// A request begins in a place.
    pub(super) fn begin(&self, place: usize, running: Running) {
        let mut state = lock(&self.state);
        if state.running.len() <= place {
            state.running.resize(place + 1, None);
        }
        if let Some(slot) = state.running.get_mut(place) {
            *slot = Some(running);
        }
    }

    /// The request in a place has ended, with this status; `None` was none after all.
    pub(super) fn end(&self, place: usize, status: Option<u16>, active: usize) {
        let running = lock(&self.state).running.get_mut(place).and_then(Option::take);
        let Some((running, status)) = running.zip(status) else { return };
        let duration = running.begun.elapsed();
        if duration < self.threshold {
            return;
        }
        let mut record = running.record(duration, self.captures_user_agent);
        record.is_completed = true;
        record.status = status;
        record.active[1] = active;
        let mut state = lock(&self.state);
        if state.ended.len() >= self.kept {
            state.ended.pop_front();
        }
        state.ended.push_back(record);
    }

    /// What is to be reported now.
    pub(super) fn due(&self) -> Vec<Slow> {
        let (running, ended) = {
            let mut state = lock(&self.state);
            let running: Vec<Running> = state.running.iter().flatten().cloned().collect();
            (running, std::mem::take(&mut state.ended))
        };
        let running = running.into_iter().filter_map(|running| {
            let duration = running.begun.elapsed();
            let is_slow = duration >= self.threshold;
            is_slow.then(|| running.record(duration, self.captures_user_agent))
        });
        running.take(MOST_RUNNING).chain(ended).collect()
    }
}
