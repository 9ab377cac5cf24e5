//! How long to wait before the next attempt when processes die before they are ready.

use std::time::{Duration, Instant};

/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause.
pub(crate) const LONGEST: Duration = Duration::from_secs(10);

/// Failed attempts after which a group counts as failing: requests are then answered instead of
/// waiting.
const FAILING: u32 = 3;

/// Attempts to start processes of one group.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    pause_ends: Option<Instant>,
}

impl Backoff {
    /// A process died before it was ready. Those that die together count once.
    pub(crate) fn fail(&mut self, now: Instant) {
        if self.pause_ends.is_some_and(|end| now < end) {
            return;
        }
        let doublings = self.failures.min(10);
        self.failures = self.failures.saturating_add(1);
        self.pause_ends = Some(now + (FIRST * 2u32.pow(doublings)).min(LONGEST));
    }

    /// A process was ready, or the group has a new configuration.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// When the current pause ends; `None` when a process may be started now.
    pub(crate) fn pause(&self, now: Instant) -> Option<Instant> {
        self.pause_ends.filter(|end| now < *end)
    }

    /// Whether it is time to tell clients.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures >= FAILING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut now = Instant::now();
        let mut backoff = Backoff::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            backoff.fail(now);
            backoff.fail(now);
            let end = backoff.pause(now).unwrap();
            pauses.push((end - now).as_millis());
            now = end;
            assert_eq!(backoff.pause(now), None);
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert!(backoff.is_failing());
        backoff.reset();
        assert!(!backoff.is_failing() && backoff.pause(now).is_none());
    }
}
