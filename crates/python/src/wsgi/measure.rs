//! What one request costs: its input and output, its waits for the interpreter's lock, its CPU
//! time, and when it passed where.
//!
//! Nobody is measured until somebody asks ([`switch_on`]). Until then a request has no
//! [`Measure`], and at each place where one would be used pays for a load and a branch: no clock
//! is read. What becomes of the figures is `metrics`' business.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};
use std::time::{Duration, Instant};

use wsgi_core::{
    head::RequestHead,
    metrics::{Cpu, Figures, Flow, Stamps},
};

use crate::{clock, log, metrics::thread_cpu};

/// Whether requests that begin from now on are measured.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Measures requests from now on, in every interpreter of the process and until its end: somebody
/// records metrics, sends telemetry or listens to events.
pub(crate) fn switch_on() {
    IS_ON.store(true, Ordering::Relaxed);
}

/// Whether requests are measured.
pub(crate) fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// The figures of a request as they grow. An application may read and write in several threads,
/// and others look on.
#[derive(Debug)]
pub(crate) struct Measure {
    /// What was known before the application was called.
    before: Stamps,
    input: Counter,
    output: Counter,
    lock: Counter,
    application_start: AtomicI64,
    application_finish: AtomicI64,
    /// Of the thread when the application was called, and of the application in the end.
    cpu: [AtomicCpu; 2],
}

impl Measure {
    /// The measure of a request that begins, if anybody wants it; `daemon_start` is 0 embedded.
    pub(crate) fn begin(head: &RequestHead<'_>, daemon_start: i64) -> Option<Self> {
        is_on().then(|| Self {
            before: Stamps {
                request_start: head.request_start,
                queue_start: head.queue_start,
                daemon_start,
                ..Stamps::default()
            },
            input: Counter::default(),
            output: Counter::default(),
            lock: Counter::default(),
            application_start: AtomicI64::new(0),
            application_finish: AtomicI64::new(0),
            cpu: <[AtomicCpu; 2]>::default(),
        })
    }

    /// The application is about to be called by this thread, `now` µs since the epoch.
    pub(crate) fn begin_application(&self, now: i64) {
        let [start, _] = &self.cpu;
        start.set(thread_cpu());
        self.application_start.store(now, Ordering::Relaxed);
    }

    /// See [`finish_application`]; `now` is in µs since the epoch.
    fn finish_application(&self, now: i64) {
        let [start, used] = &self.cpu;
        let begun = self.application_start.load(Ordering::Relaxed);
        if begun == 0 {
            return;
        }
        let elapsed = now.saturating_sub(begun);
        let elapsed = Duration::from_micros(u64::try_from(elapsed).unwrap_or(0));
        used.set(thread_cpu().since(start.get()).at_most(elapsed));
        self.application_finish.store(now, Ordering::Relaxed);
    }

    /// The figures so far.
    pub(crate) fn figures(&self) -> Figures {
        let [_, used] = &self.cpu;
        Figures {
            input: self.input.get(),
            output: self.output.get(),
            lock: self.lock.get(),
            cpu: used.get(),
            stamps: Stamps {
                application_start: self.application_start.load(Ordering::Relaxed),
                application_finish: self.application_finish.load(Ordering::Relaxed),
                ..self.before
            },
        }
    }
}

/// The application and what it returned have ended, in the thread that began it.
pub(crate) fn finish_application(measure: Option<&Arc<Measure>>) {
    let activity = log::activity();
    if measure.is_none() && activity.is_none() {
        return;
    }
    let now = now();
    if let Some(measure) = measure {
        measure.finish_application(now);
    }
    if let Some(activity) = activity {
        activity.finish_application(now);
    }
}

/// Reads a part of the request body.
pub(crate) fn reading<E>(
    measure: Option<&Arc<Measure>>,
    read: impl FnOnce() -> Result<usize, E>,
) -> Result<usize, E> {
    let Some(measure) = measure else { return read() };
    let start = Instant::now();
    let result = read();
    measure.input.take(start.elapsed());
    let bytes = result.as_ref().map_or(0, |length| *length);
    measure.input.add(1, u64::try_from(bytes).unwrap_or(u64::MAX));
    result
}

/// Takes note of blocks that the application has produced.
pub(crate) fn produced(measure: Option<&Arc<Measure>>, blocks: usize, bytes: u64) {
    if let Some(measure) = measure {
        measure.output.add(u64::try_from(blocks).unwrap_or(u64::MAX), bytes);
    }
}

/// Sends a part of the response.
pub(crate) fn sending<T>(measure: Option<&Arc<Measure>>, send: impl FnOnce() -> T) -> T {
    let Some(measure) = measure else { return send() };
    let start = Instant::now();
    let result = send();
    measure.output.take(start.elapsed());
    result
}

/// Waits for an interpreter's lock, as part of the request that this thread serves, if any.
pub(crate) fn waiting_for_lock(wait: impl FnOnce()) {
    let waited = match log::activity() {
        Some(activity) => Duration::from_nanos(activity.waiting_for_lock(clock::nanoseconds, wait)),
        None if is_on() => {
            let start = Instant::now();
            wait();
            start.elapsed()
        }
        None => return wait(),
    };
    if !is_on() {
        return;
    }
    log::with_measure(|measure| {
        measure.lock.take(waited);
        measure.lock.add(1, 0);
    });
}

/// Microseconds since the epoch.
pub(crate) fn now() -> i64 {
    clock::since_epoch()
}

/// A [`Flow`] that grows.
#[derive(Debug, Default)]
struct Counter {
    count: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Counter {
    fn add(&self, count: u64, bytes: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn take(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn get(&self) -> Flow {
        Flow {
            count: self.count.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
        }
    }
}

/// A [`Cpu`] that others may look at, in µs.
#[derive(Debug, Default)]
struct AtomicCpu {
    user: AtomicU64,
    system: AtomicU64,
}

impl AtomicCpu {
    fn set(&self, cpu: Cpu) {
        for (place, time) in [(&self.user, cpu.user), (&self.system, cpu.system)] {
            place.store(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    fn get(&self) -> Cpu {
        Cpu {
            user: Duration::from_micros(self.user.load(Ordering::Relaxed)),
            system: Duration::from_micros(self.system.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test: the switch is the process's.
    #[test]
    fn a_request_is_measured_only_once_somebody_asked() {
        let mut head = RequestHead::empty();
        head.request_start = 5;
        assert!(Measure::begin(&head, 7).is_none());
        assert_eq!(reading::<()>(None, || Ok(3)), Ok(3));
        switch_on();
        let measure = Arc::new(Measure::begin(&head, 7).unwrap());
        let start = now();
        measure.begin_application(start);
        reading(Some(&measure), || Err(())).unwrap_err();
        reading::<()>(Some(&measure), || Ok(3)).unwrap();
        produced(Some(&measure), 2, 40);
        sending(Some(&measure), || std::thread::sleep(Duration::from_millis(2)));
        waiting_for_lock(|| {});
        finish_application(Some(&measure));
        let figures = measure.figures();
        assert_eq!((figures.input.count, figures.input.bytes), (2, 3));
        assert_eq!((figures.output.count, figures.output.bytes), (2, 40));
        assert!(figures.output.time >= Duration::from_millis(2));
        assert_eq!(figures.lock, Flow::default(), "this thread serves no request");
        let stamps = figures.stamps;
        assert_eq!((stamps.request_start, stamps.daemon_start), (5, 7));
        assert_eq!(stamps.application_start, start);
        assert!(stamps.application_finish >= start + 2000);
        assert!(figures.cpu.total() < Duration::from_secs(1));
    }
}
