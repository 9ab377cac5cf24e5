//! What a group counts of its requests: their status, and how long each part of them took.

use serde::{Deserialize, Serialize};

/// A part of a request's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Part {
    /// From httpd's turning to the group until a thread has taken the request.
    Queue = 0,
    /// Waits for the interpreter's lock.
    GilWait = 1,
    /// From the call of the application until what it returned is closed.
    Application = 2,
    /// Writes of the response towards httpd.
    Send = 3,
}

impl Part {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Queue, Self::GilWait, Self::Application, Self::Send];

    /// Its name in JSON and in the names of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::GilWait => "gil_wait",
            Self::Application => "application",
            Self::Send => "send",
        }
    }
}

/// Upper borders of the histograms in µs; one more count is for what is longer.
pub const BORDERS: [u64; 18] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Counts of a histogram.
pub const BUCKETS: usize = BORDERS.len() + 1;

/// The place of a time in ns in a histogram; a border counts with what is below it.
pub fn bucket(time: u64) -> usize {
    BORDERS.iter().position(|border| time <= border * 1000).unwrap_or(BORDERS.len())
}

/// Kinds of statuses: hundreds from 100 to 500, and responses that have none.
pub const STATUSES: usize = 6;

/// Names of the kinds.
pub const STATUS_NAMES: [&str; STATUSES] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// The kind of a status; 0 is none.
pub fn status_kind(status: u16) -> usize {
    match status / 100 {
        hundreds @ 1..=5 => usize::from(hundreds) - 1,
        _ => STATUSES - 1,
    }
}

/// A request that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// The response's status; 0 when there was none.
    pub status: u16,
    /// Times by [`Part`] in ns, where it has them.
    pub times: [Option<u64>; Part::ALL.len()],
}

/// Times by size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// Counts below each border (and above the one before), then of what is longer.
    pub counts: [u64; BUCKETS],
    /// All times together in ns.
    pub sum: u64,
}

impl Histogram {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |all, count| all.saturating_add(*count))
    }

    /// All times together in seconds.
    #[allow(clippy::cast_precision_loss, reason = "a sum that long needs no such precision")]
    pub fn seconds(&self) -> f64 {
        self.sum as f64 / 1e9
    }
}

/// What a group has counted since httpd's start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Requests by the kind of their status.
    pub statuses: [u64; STATUSES],
    /// Times by [`Part`].
    pub times: [Histogram; Part::ALL.len()],
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn borders_count_with_what_is_below() {
        for (time, place) in [
            (0, 0),
            (100_000, 0),
            (100_001, 1),
            (1_000_000, 3),
            (60_000_000_000, 17),
            (61_000_000_000, 18),
            (u64::MAX, 18),
        ] {
            assert_eq!(bucket(time), place, "{time}");
        }
    }

    #[test]
    fn every_status_has_a_kind() {
        let kinds = [100, 204, 302, 404, 599, 0, 99, 600, 999].map(status_kind);
        assert_eq!(kinds, [0, 1, 2, 3, 4, 5, 5, 5, 5]);
    }

    proptest! {
        #[test]
        fn longer_is_never_in_a_lower_bucket(one in any::<u64>(), other in any::<u64>()) {
            let (short, long) = (one.min(other), one.max(other));
            let places = [short, long].map(bucket);
            prop_assert!(places[0] <= places[1] && places[1] < BUCKETS);
        }
    }
}
