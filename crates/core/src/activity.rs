//! What a thread does with its request, for those who look on: a few atomics that the request path
//! writes and nobody waits for.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// What a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Doing {
    /// It has no request.
    Idle = 0,
    /// It loads the application or runs it.
    Running = 1,
    /// It waits for the interpreter's lock.
    WaitingForGil = 2,
    /// It waits for the request body.
    Reading = 3,
    /// It sends the response.
    Sending = 4,
}

impl Doing {
    /// All, in the order of their numbers.
    const ALL: [Self; 5] =
        [Self::Idle, Self::Running, Self::WaitingForGil, Self::Reading, Self::Sending];
}

/// A clock that is never set, in ns. (`Instant` takes three times as long to say how much has passed.)
pub type Clock = fn() -> u64;

/// One thread's request. An application may read and write in several threads at once: then what
/// is seen is what one of them does, and the times are those of all. It may lie in memory that
/// processes share: it consists of atomics, in this order.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Activity {
    doing: AtomicU8,
    /// ns since the request began.
    lock: AtomicU64,
    send: AtomicU64,
    /// µs since the epoch, 0 when the application was not called.
    application_start: AtomicI64,
    /// µs.
    application: AtomicU64,
}

/// What a request's time went into, in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Waits for the interpreter's lock.
    pub lock: u64,
    /// In the application, from its call until what it returned was closed; `None` when it was
    /// not called.
    pub application: Option<u64>,
    /// Writes towards httpd.
    pub send: u64,
}

impl Activity {
    /// A request begins.
    pub fn begin(&self) {
        self.lock.store(0, Ordering::Relaxed);
        self.send.store(0, Ordering::Relaxed);
        self.application_start.store(0, Ordering::Relaxed);
        self.application.store(0, Ordering::Relaxed);
        self.set(Doing::Running);
    }

    /// The request is over.
    pub fn end(&self) -> Spent {
        self.set(Doing::Idle);
        let was_called = self.application_start.load(Ordering::Relaxed) != 0;
        let application = self.application().saturating_mul(1000);
        Spent {
            lock: self.lock.load(Ordering::Relaxed),
            application: was_called.then_some(application),
            send: self.send.load(Ordering::Relaxed),
        }
    }

    /// µs in the application, once that has ended.
    pub fn application(&self) -> u64 {
        self.application.load(Ordering::Relaxed)
    }

    /// What the thread does now.
    pub fn doing(&self) -> Doing {
        let number = usize::from(self.doing.load(Ordering::Relaxed));
        Doing::ALL.get(number).copied().unwrap_or(Doing::Idle)
    }

    fn set(&self, doing: Doing) {
        self.doing.store(doing as u8, Ordering::Relaxed);
    }

    /// Does `work` as what it is called, and returns to what was done before.
    pub fn during<T>(&self, doing: Doing, work: impl FnOnce() -> T) -> T {
        let before = self.doing.load(Ordering::Relaxed);
        self.set(doing);
        let result = work();
        self.doing.store(before, Ordering::Relaxed);
        result
    }

    /// Waits for the interpreter's lock, for so many ns of `clock`.
    pub fn waiting_for_lock(&self, clock: Clock, wait: impl FnOnce()) -> u64 {
        let start = clock();
        self.during(Doing::WaitingForGil, wait);
        let waited = clock().saturating_sub(start);
        self.lock.fetch_add(waited, Ordering::Relaxed);
        waited
    }

    /// Sends.
    pub fn sending<T>(&self, clock: Clock, send: impl FnOnce() -> T) -> T {
        let start = clock();
        let result = self.during(Doing::Sending, send);
        self.send.fetch_add(clock().saturating_sub(start), Ordering::Relaxed);
        result
    }

    /// The application is about to be called, `now` µs since the epoch.
    pub fn begin_application(&self, now: i64) {
        self.application_start.store(now, Ordering::Relaxed);
    }

    /// The application and what it returned have ended, `now` µs since the epoch.
    pub fn finish_application(&self, now: i64) {
        let started = self.application_start.load(Ordering::Relaxed);
        // A clock that was set back makes no time of it.
        let took = u64::try_from(now.saturating_sub(started)).unwrap_or(0);
        self.application.store(took, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_seen_in_its_phases_and_leaves_its_times() {
        let activity = Activity::default();
        assert_eq!(activity.doing(), Doing::Idle);
        activity.begin();
        assert_eq!(activity.doing(), Doing::Running);
        static NOW: AtomicU64 = AtomicU64::new(100);
        let clock: Clock = || NOW.fetch_add(1, Ordering::Relaxed);
        activity.waiting_for_lock(clock, || {
            assert_eq!(activity.doing(), Doing::WaitingForGil);
            NOW.fetch_add(50, Ordering::Relaxed);
        });
        activity.begin_application(1_000_000);
        activity.during(Doing::Reading, || assert_eq!(activity.doing(), Doing::Reading));
        activity.sending(clock, || {
            assert_eq!(activity.doing(), Doing::Sending);
            NOW.fetch_add(20, Ordering::Relaxed);
        });
        assert_eq!(activity.doing(), Doing::Running);
        activity.finish_application(1_000_500);
        let spent = activity.end();
        assert_eq!(spent, Spent { lock: 51, application: Some(500_000), send: 21 });
        assert_eq!(activity.doing(), Doing::Idle);
    }

    #[test]
    fn the_next_request_begins_with_nothing() {
        let activity = Activity::default();
        activity.begin();
        activity.begin_application(5);
        activity.finish_application(3);
        assert_eq!(activity.end().application, Some(0), "the clock was set back");
        activity.begin();
        assert_eq!(activity.end(), Spent::default());
    }
}
