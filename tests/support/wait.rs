//! Waiting for what a server does, without sleeping longer than it takes.

use std::time::{Duration, Instant};

/// Longest wait for anything a server should do at once.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `check` gives something; panics with `what` after the deadline.
#[track_caller]
pub fn poll<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
