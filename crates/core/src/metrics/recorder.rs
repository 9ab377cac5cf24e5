//! What a process counts of its requests: since the beginning, and since it was asked last.

use std::time::Duration;

use super::{
    Cpu, Figures, Flow, Phase, Times,
    slots::{Done, Slots},
};

/// A request that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Finished {
    /// Its figures.
    pub figures: Figures,
    /// The response's status; 0 when there was none.
    pub status: u16,
}

/// What the process uses of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// CPU time since it began.
    pub cpu: Cpu,
    /// Bytes of memory.
    pub memory: u64,
    /// The most it ever used.
    pub memory_peak: u64,
}

/// What an interval counts, apart from its slots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Interval {
    count: u64,
    statuses: [u64; 5],
    input: Flow,
    output: Flow,
    lock_waits: u64,
    phases: [Times; Phase::ALL.len()],
}

/// The counts of a process. Times are those of a clock that is never set.
#[derive(Debug)]
pub struct Recorder {
    threads: usize,
    slots: Slots,
    interval: Interval,
    interval_start: Duration,
    cpu_at_start: Cpu,
    count: u64,
    busy: Duration,
}

/// An interval as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its length.
    pub period: Duration,
    /// Requests that have ended.
    pub count: u64,
    /// The same per second.
    pub throughput: f64,
    /// By hundreds of their status, from 100 to 500; without a response they count with the last.
    pub statuses: [u64; 5],
    /// Share of its threads' time that the process has used.
    pub capacity: f64,
    /// CPU seconds per second, in user and in system mode.
    pub cpu_rates: [f64; 2],
    /// Of the ended requests.
    pub input: Flow,
    /// Of the ended requests.
    pub output: Flow,
    /// How often they have waited for the interpreter's lock.
    pub lock_waits: u64,
    /// Their times, in the order of [`Phase::ALL`].
    pub phases: [Times; Phase::ALL.len()],
    /// Requests that can run at a time.
    pub threads: usize,
    /// Places that have been used since the beginning.
    pub started: usize,
    /// Requests that run.
    pub active: usize,
    /// What was done in each of the `threads` places.
    pub slots: Vec<Done>,
}

/// The counts since the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Requests that have ended.
    pub count: u64,
    /// The time that they took together.
    pub busy: Duration,
    /// Requests that run.
    pub active: usize,
    /// Places by number, and requests that have ended there.
    pub slots: Vec<(usize, u64)>,
}

impl Recorder {
    /// Begins to count for a process with so many request threads.
    pub fn new(threads: usize, now: Duration, cpu: Cpu) -> Self {
        Self {
            threads,
            slots: Slots::new(threads),
            interval: Interval::default(),
            interval_start: now,
            cpu_at_start: cpu,
            count: 0,
            busy: Duration::ZERO,
        }
    }

    /// A request begins in a thread (counted from 1); the place to be told at its end.
    pub fn begin(&mut self, thread: u32, now: Duration) -> usize {
        let preferred = usize::try_from(thread).unwrap_or(usize::MAX).saturating_sub(1);
        self.slots.begin(preferred, now)
    }

    /// A request has ended; one that was not run after all is nothing.
    pub fn end(&mut self, place: usize, finished: Option<&Finished>, now: Duration) {
        let duration = self.slots.end(place, finished, now);
        if let Some(finished) = finished {
            self.count += 1;
            self.busy += duration;
            self.interval.add(finished);
        }
    }

    /// The interval that ends now; another one begins.
    pub fn drain(&mut self, now: Duration, cpu: Cpu) -> Report {
        let period = now.saturating_sub(self.interval_start);
        let used = cpu.since(self.cpu_at_start);
        let mut slots = self.slots.drain(now);
        let busy: Duration = slots.iter().map(|done| done.busy).sum();
        slots.resize(self.threads, Done::default());
        self.interval_start = now;
        self.cpu_at_start = cpu;
        let interval = std::mem::take(&mut self.interval);
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let (count, threads) = (interval.count as f64, self.threads as f64);
        Report {
            period,
            count: interval.count,
            throughput: rate(count, period),
            statuses: interval.statuses,
            capacity: share(rate(busy.as_secs_f64(), period), threads),
            cpu_rates: [used.user, used.system].map(|time| rate(time.as_secs_f64(), period)),
            input: interval.input,
            output: interval.output,
            lock_waits: interval.lock_waits,
            phases: interval.phases,
            threads: self.threads,
            started: self.slots.used(),
            active: self.slots.active(),
            slots,
        }
    }

    /// Requests that run.
    pub fn active(&self) -> usize {
        self.slots.active()
    }

    /// The counts since the beginning.
    pub fn totals(&self) -> Totals {
        Totals {
            count: self.count,
            busy: self.busy,
            active: self.slots.active(),
            slots: self.slots.completed().collect(),
        }
    }
}

impl Interval {
    fn add(&mut self, Finished { figures, status }: &Finished) {
        self.count += 1;
        let class = match status {
            100..=499 => usize::from(status / 100 - 1),
            _ => 4,
        };
        if let Some(count) = self.statuses.get_mut(class) {
            *count += 1;
        }
        for (total, flow) in
            [(&mut self.input, &figures.input), (&mut self.output, &figures.output)]
        {
            total.count += flow.count;
            total.bytes += flow.bytes;
            total.time += flow.time;
        }
        self.lock_waits += figures.lock.count;
        for (times, phase) in self.phases.iter_mut().zip(Phase::ALL) {
            if let Some(time) = figures.time_in(phase) {
                times.add(time);
            }
        }
    }
}

/// So much per second; nothing for an interval without length.
fn rate(amount: f64, period: Duration) -> f64 {
    if period.is_zero() { 0.0 } else { amount / period.as_secs_f64() }
}

/// The share of `whole`, at most all of it: places that were added beyond it count as well.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn cpu(user: u64, system: u64) -> Cpu {
        Cpu { user: at(user), system: at(system) }
    }

    fn with_status(status: u16) -> Finished {
        Finished { status, ..Finished::default() }
    }

    #[test]
    fn an_interval_begins_where_the_last_one_ended() {
        let mut recorder = Recorder::new(2, at(10), cpu(1, 1));
        let place = recorder.begin(1, at(11));
        recorder.end(place, Some(&with_status(200)), at(13));
        let report = recorder.drain(at(14), cpu(3, 2));
        assert_eq!((report.period, report.count, report.throughput), (at(4), 1, 0.25));
        assert_eq!((report.capacity, report.cpu_rates), (0.25, [0.5, 0.25]));
        assert_eq!((report.threads, report.started, report.active), (2, 1, 0));
        assert_eq!(report.slots.iter().map(|done| done.completed).collect::<Vec<_>>(), [1, 0]);
        let report = recorder.drain(at(15), cpu(3, 2));
        assert_eq!((report.period, report.count, report.cpu_rates), (at(1), 0, [0.0, 0.0]));
        assert_eq!(recorder.totals().count, 1);
        assert_eq!(recorder.totals().busy, at(2));
    }

    #[test]
    fn every_request_counts_with_one_status() {
        let mut recorder = Recorder::new(1, at(0), cpu(0, 0));
        for status in [100, 200, 304, 404, 499, 500, 999, 0] {
            let place = recorder.begin(1, at(0));
            recorder.end(place, Some(&with_status(status)), at(0));
        }
        let report = recorder.drain(at(0), cpu(0, 0));
        assert_eq!(report.statuses, [1, 1, 1, 2, 3]);
        assert_eq!(report.statuses.iter().sum::<u64>(), report.count);
        assert_eq!((report.throughput, report.capacity), (0.0, 0.0), "no time has passed");
    }

    #[test]
    fn what_was_not_run_does_not_count() {
        let mut recorder = Recorder::new(1, at(0), cpu(0, 0));
        let place = recorder.begin(1, at(0));
        assert_eq!(recorder.totals().active, 1);
        recorder.end(place, None, at(1));
        assert_eq!(recorder.drain(at(2), cpu(0, 0)).count, 0);
        assert_eq!(recorder.totals().slots, [(0, 0)]);
    }

    #[test]
    fn more_threads_than_expected_are_no_more_than_all() {
        let mut recorder = Recorder::new(1, at(0), cpu(0, 0));
        let places: Vec<_> = (1..=3).map(|thread| recorder.begin(thread, at(0))).collect();
        assert_eq!(places, [0, 1, 2]);
        let report = recorder.drain(at(5), cpu(0, 0));
        assert_eq!((report.capacity, report.slots.len(), report.active), (1.0, 1, 3));
        let mut service = Recorder::new(0, at(0), cpu(0, 0));
        assert_eq!(service.drain(at(5), cpu(0, 0)).capacity, 0.0);
    }
}
