//! What the process knows about its requests, once somebody asks for it.
//!
//! `usage.rs` is what it uses of the machine; `telemetry.rs` reports to somebody else, with `slow.rs`
//! about requests and `collector.rs` about garbage collections. The rules are [`wsgi_core::metrics`] and
//! [`wsgi_core::telemetry`]; here are the clocks and the locks. The figures of a request come from [`crate::wsgi::measure`].

pub(crate) mod collector;
mod slow;
mod telemetry;
mod usage;

pub(crate) use usage::thread_cpu;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};

use wsgi_core::{
    control::EngineSpec,
    exchange::Outcome,
    metrics::{Finished, Recorder, Report, Totals, Usage},
};

use slow::SlowRequests;
use telemetry::Telemetry;

use crate::{
    lease::{Lease, lock},
    wsgi::measure::{self, now},
};

/// The counts of this process.
#[derive(Debug)]
pub(crate) struct Metrics {
    clock: Instant,
    /// When the process's Python began, µs since the epoch.
    start: i64,
    /// Somebody has called `start_recording_metrics()`.
    is_recording: AtomicBool,
    counts: Mutex<Counts>,
    telemetry: Option<Telemetry>,
}

#[derive(Debug)]
struct Counts {
    recorder: Recorder,
    /// When the interval began, µs since the epoch.
    interval_start: i64,
}

/// An interval with its stamps, µs since the epoch.
#[derive(Debug)]
pub(crate) struct Sample {
    /// When it began.
    pub(crate) start: i64,
    /// When it ended.
    pub(crate) stop: i64,
    /// What was counted in it.
    pub(crate) report: Report,
    /// What the process used at its end.
    pub(crate) usage: Usage,
}

/// Everything since the beginning.
#[derive(Debug)]
pub(crate) struct Cumulative {
    /// When the process's Python began, µs since the epoch.
    pub(crate) start: i64,
    /// Now.
    pub(crate) now: i64,
    /// How long that is.
    pub(crate) age: Duration,
    /// What was counted.
    pub(crate) totals: Totals,
    /// What the process uses.
    pub(crate) usage: Usage,
}

impl Metrics {
    /// The counts of a process.
    pub(crate) fn new(spec: &EngineSpec) -> Self {
        let (clock, start) = (Instant::now(), now());
        let threads = usize::try_from(spec.threads_per_process).unwrap_or(usize::MAX);
        // Service scripts serve no requests.
        let telemetry = Some(spec).filter(|spec| !spec.is_service()).and_then(Telemetry::new);
        if telemetry.is_some() {
            measure::switch_on();
        }
        let recorder = Recorder::new(threads, Duration::ZERO, usage::cpu());
        Self {
            clock,
            start,
            is_recording: AtomicBool::new(false),
            counts: Mutex::new(Counts { recorder, interval_start: start }),
            telemetry,
        }
    }

    /// Counts requests from now on, for [`Self::sample`] and [`Self::cumulative`]; not where they are
    /// reported to somebody else, because nobody can ask for an interval twice.
    pub(crate) fn record(&self) {
        if self.telemetry.is_some() || self.is_recording.swap(true, Ordering::Relaxed) {
            return;
        }
        // Somebody else may have had them counted already: the first interval begins now.
        self.drain();
        measure::switch_on();
    }

    /// The interval since the last call, where metrics are recorded.
    pub(crate) fn sample(&self) -> Option<Sample> {
        self.is_recording.load(Ordering::Relaxed).then(|| self.drain())
    }

    fn drain(&self) -> Sample {
        let usage = usage::current();
        let mut counts = lock(&self.counts);
        let stop = now();
        let start = std::mem::replace(&mut counts.interval_start, stop);
        let report = counts.recorder.drain(self.clock.elapsed(), usage.cpu);
        Sample { start, stop, report, usage }
    }

    /// The counts since recording began, where metrics are recorded.
    pub(crate) fn cumulative(&self) -> Option<Cumulative> {
        self.is_recording.load(Ordering::Relaxed).then(|| Cumulative {
            start: self.start,
            now: now(),
            age: self.clock.elapsed(),
            totals: lock(&self.counts).recorder.totals(),
            usage: usage::current(),
        })
    }

    /// Requests in progress.
    fn active(&self) -> usize {
        lock(&self.counts).recorder.active()
    }

    /// A request begins that is measured, in a thread counted from 1. `head` is its encoded head.
    pub(crate) fn begin<'m>(
        &'m self,
        lease: &'m Arc<Lease>,
        head: &[u8],
        thread: u32,
    ) -> Option<Running<'m>> {
        lease.measure()?;
        let (place, active) = {
            let recorder = &mut lock(&self.counts).recorder;
            (recorder.begin(thread, self.clock.elapsed()), recorder.active())
        };
        if let Some(slow) = self.slow() {
            slow.begin(place, slow::Running::begin(head, lease, thread, active));
        }
        Some(Running { metrics: self, lease, place, process: std::process::id() })
    }

    fn slow(&self) -> Option<&SlowRequests> {
        self.telemetry.as_ref()?.slow.as_ref()
    }
}

/// A measured request until its end.
#[derive(Debug)]
pub(crate) struct Running<'m> {
    metrics: &'m Metrics,
    lease: &'m Lease,
    place: usize,
    process: u32,
}

impl Running<'_> {
    /// The request has ended.
    pub(crate) fn end(self, outcome: Outcome) {
        let Self { metrics, lease, place, process } = self;
        if std::process::id() != process {
            // A copy that the application forked: the lock may be held by a thread that it has not.
            return;
        }
        let status = match outcome {
            Outcome::Stale => None,
            Outcome::Failed(status) => Some(status),
            Outcome::Completed | Outcome::Truncated => Some(lease.response().status()),
        };
        let figures = lease.measure().map(|measure| measure.figures());
        let finished = status.zip(figures).map(|(status, figures)| Finished { figures, status });
        let now = metrics.clock.elapsed();
        let active = {
            let recorder = &mut lock(&metrics.counts).recorder;
            recorder.end(place, finished.as_ref(), now);
            recorder.active()
        };
        if let Some(slow) = metrics.slow() {
            slow.end(place, status, active);
        }
    }
}
