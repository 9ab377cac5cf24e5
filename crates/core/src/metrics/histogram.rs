//! Durations counted by size: octaves of a millisecond, each in four equal parts.

use std::time::Duration;

/// Octaves: 1 ms to 65536 ms.
const OCTAVES: u32 = 16;

/// Parts of an octave.
const PARTS: u32 = 4;

/// Number of counts: the last is for what is longer than all octaves.
pub const BUCKETS: usize = (OCTAVES * PARTS) as usize + 1;

/// Counts of durations by size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram([u32; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, duration: Duration) {
        if let Some(count) = self.0.get_mut(bucket(duration)) {
            *count = count.saturating_add(1);
        }
    }

    /// The counts, the shortest durations first.
    pub fn counts(&self) -> &[u32; BUCKETS] {
        &self.0
    }
}

/// The place of a duration; what is shorter than a millisecond counts with the shortest.
fn bucket(duration: Duration) -> usize {
    let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let Some(octave) = (microseconds / 1000).checked_ilog2() else { return 0 };
    if octave >= OCTAVES {
        return BUCKETS - 1;
    }
    let start = 1000u64 << octave;
    // Four times less than the octave's length is less than four.
    let part = (microseconds - start).saturating_mul(PARTS.into()) / start;
    octave as usize * PARTS as usize + usize::try_from(part).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn borders() {
        for (microseconds, place) in [
            (0, 0),
            (999, 0),
            (1000, 0),
            (1249, 0),
            (1250, 1),
            (1999, 3),
            (2000, 4),
            (2500, 5),
            (3999, 7),
            (4000, 8),
            (32_768_000, 60),
            (65_535_999, 63),
            (65_536_000, 64),
            (u64::MAX, 64),
        ] {
            assert_eq!(bucket(Duration::from_micros(microseconds)), place, "{microseconds} µs");
        }
    }

    proptest! {
        #[test]
        fn longer_never_counts_before_shorter(one in 0u64..100_000_000, other in 0u64..100_000_000) {
            let (short, long) = (one.min(other), one.max(other));
            let places = [short, long].map(|time| bucket(Duration::from_micros(time)));
            prop_assert!(places[0] <= places[1] && places[1] < BUCKETS);
        }

        #[test]
        fn every_duration_is_counted_once(times in proptest::collection::vec(any::<u64>(), 0..50)) {
            let mut histogram = Histogram::default();
            times.iter().for_each(|time| histogram.add(Duration::from_micros(*time)));
            let total: u32 = histogram.counts().iter().sum();
            prop_assert_eq!(total as usize, times.len());
        }
    }
}
