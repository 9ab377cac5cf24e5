//! The time limits of a daemon group that its own processes watch over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Seconds (and requests) after which a process, or one of its requests, has had its time; 0 is
/// never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timers {
    /// Requests that a process serves.
    pub maximum_requests: u32,
    /// From the first attempt to load an application until one is loaded.
    pub startup_timeout: u32,
    /// Without the interpreter lock.
    pub deadlock_timeout: u32,
    /// Without a request.
    pub inactivity_timeout: u32,
    /// Of one request, before it is scaled by the number of threads.
    pub request_timeout: u32,
    /// That an interrupted request still has.
    pub interrupt_timeout: u32,
}

impl Timers {
    /// When a request of a process with this many threads is overdue: the more threads there are,
    /// the less one that is stuck hurts. `None` when it never is.
    pub fn request_limit(&self, threads: u32) -> Option<Duration> {
        let limit = unless_zero(self.request_timeout)?;
        Some(limit.mul_f64(1.0 + f64::from(threads.max(1)).ln()))
    }
}

/// Seconds where 0 means never.
pub fn unless_zero(seconds: u32) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_more_time_where_there_are_more_threads() {
        let timers = Timers { request_timeout: 10, ..Timers::default() };
        for (threads, expected) in [(0, 10.0), (1, 10.0), (5, 26.09), (10, 33.03), (25, 42.19)] {
            let limit = timers.request_limit(threads).unwrap().as_secs_f64();
            assert!((limit - expected).abs() < 0.01, "{threads}: {limit}");
        }
        assert_eq!(Timers::default().request_limit(5), None);
    }
}
