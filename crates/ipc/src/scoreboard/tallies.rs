//! What the requests of a group have come to: for each slot their statuses and how long they took,
//! written by the slot's thread, read by whoever wants to know.
//!
//! They lie behind the slots in the same memory. A slot goes on counting where the process that had
//! it before has stopped, so that a group's sums never go back while httpd runs. A daemon may write
//! anything: that falsifies the figures of its own group.

use std::{
    io,
    os::fd::BorrowedFd,
    sync::atomic::{AtomicU64, Ordering},
};

use wsgi_core::status::times::{BUCKETS, Part, STATUSES, Sample, Totals, bucket, status_kind};

use super::slots::SLOT;
use crate::memory::{Access, Mapping};

/// Words of one histogram: its counts and the sum of its times in ns.
const HISTOGRAM: usize = BUCKETS + 1;

/// Words of a tally, whole cache lines.
pub(super) const TALLY: usize = (STATUSES + Part::ALL.len() * HISTOGRAM).next_multiple_of(8);

/// The tallies of a process group.
#[derive(Debug)]
pub struct Tallies {
    mapping: Mapping,
    /// Where they begin.
    base: usize,
    count: usize,
}

impl Tallies {
    /// Maps the tallies of the first `count` slots, to write them.
    pub fn writer(memory: BorrowedFd<'_>, count: u32) -> io::Result<Self> {
        Self::map(memory, count, Access::ReadWrite)
    }

    /// The same, to read them.
    pub fn reader(memory: BorrowedFd<'_>, count: u32) -> io::Result<Self> {
        Self::map(memory, count, Access::ReadOnly)
    }

    fn map(memory: BorrowedFd<'_>, count: u32, access: Access) -> io::Result<Self> {
        let bytes = usize::try_from(rustix::fs::fstat(memory)?.st_size).unwrap_or(0);
        let base = bytes / size_of::<u64>() / (SLOT + TALLY) * SLOT;
        Self::behind(memory, base, count, access)
    }

    /// Maps `count` tallies behind `base` words of something else.
    pub(super) fn behind(
        memory: BorrowedFd<'_>,
        base: usize,
        count: u32,
        access: Access,
    ) -> io::Result<Self> {
        let count = count as usize;
        let words = base.saturating_add(count.saturating_mul(TALLY));
        Ok(Self { mapping: Mapping::map(memory, words, access)?, base, count })
    }

    fn word(&self, slot: usize, word: usize) -> Option<&AtomicU64> {
        let place = slot.checked_mul(TALLY)?.checked_add(self.base)?;
        self.mapping.word(place.checked_add(word)?)
    }

    /// Counts a request that has ended in slot `slot`. Only the slot's thread counts there, so this
    /// need not be one step.
    pub fn add(&self, slot: u32, sample: &Sample) {
        let start = self.base + slot as usize * TALLY;
        let Some((statuses, histograms)) =
            self.mapping.words(start, TALLY).and_then(|words| words.split_at_checked(STATUSES))
        else {
            return;
        };
        grow(statuses.get(status_kind(sample.status)), 1);
        for (histogram, time) in histograms.chunks_exact(HISTOGRAM).zip(sample.times) {
            if let Some(time) = time {
                grow(histogram.get(bucket(time)), 1);
                grow(histogram.get(BUCKETS), time);
            }
        }
    }

    fn load(&self, slot: usize, word: usize) -> u64 {
        self.word(slot, word).map_or(0, |place| place.load(Ordering::Relaxed))
    }

    /// The sums of all slots.
    pub fn totals(&self) -> Totals {
        self.sums(0..self.count)
    }

    /// The sums of some slots.
    pub(super) fn sums(&self, slots: impl Iterator<Item = usize>) -> Totals {
        let mut totals = Totals::default();
        for slot in slots {
            for (word, sum) in totals.statuses.iter_mut().enumerate() {
                *sum = sum.saturating_add(self.load(slot, word));
            }
            for (part, histogram) in totals.times.iter_mut().enumerate() {
                let base = STATUSES + part * HISTOGRAM;
                for (place, sum) in histogram.counts.iter_mut().enumerate() {
                    *sum = sum.saturating_add(self.load(slot, base + place));
                }
                let nanoseconds = self.load(slot, base + BUCKETS);
                histogram.sum = histogram.sum.saturating_add(nanoseconds);
            }
        }
        totals
    }
}

fn grow(place: Option<&AtomicU64>, by: u64) {
    if let Some(place) = place {
        place.store(place.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoreboard::Slots;
    use std::os::fd::AsFd;

    fn sample(status: u16, millis: u64) -> Sample {
        let time = Some(millis * 1_000_000);
        Sample { status, times: [time, None, time, time] }
    }

    #[test]
    fn what_slots_count_adds_up_and_survives_their_process() {
        let memory = Slots::create(8).unwrap();
        let slots = Slots::map(memory.as_fd(), 8).unwrap();
        let daemon = Tallies::writer(memory.as_fd(), 4).unwrap();
        let httpd = Tallies::reader(memory.as_fd(), 8).unwrap();
        daemon.add(0, &sample(200, 2));
        daemon.add(3, &sample(500, 70_000));
        slots.clear(0, 4);
        daemon.add(0, &sample(200, 2));
        // Beyond its part of the memory.
        daemon.add(4, &sample(200, 2));
        daemon.add(u32::MAX, &sample(200, 2));
        let totals = httpd.totals();
        assert_eq!(totals.statuses, [0, 2, 0, 0, 1, 0]);
        let [queue, lock, application, _] = &totals.times;
        assert_eq!(queue.count(), 3);
        assert_eq!((queue.counts[4], queue.counts[BUCKETS - 1]), (2, 1));
        assert_eq!(queue.sum, 70_004_000_000);
        assert_eq!((lock.count(), application.count()), (0, 3));
    }

    #[test]
    fn slots_and_tallies_do_not_touch() {
        let memory = Slots::create(2).unwrap();
        let slots = Slots::map(memory.as_fd(), 2).unwrap();
        let tallies = Tallies::writer(memory.as_fd(), 2).unwrap();
        assert!(slots.begin(1, 7, 8));
        assert_eq!(tallies.totals(), Totals::default());
        for _ in 0..3 {
            tallies.add(0, &sample(404, 1));
            tallies.add(1, &sample(404, 1));
        }
        assert_eq!(slots.find(8).unwrap().epoch, 7);
        assert_eq!(tallies.totals().statuses[3], 6);
        assert!(Tallies::writer(memory.as_fd(), 3).is_err());
    }
}
