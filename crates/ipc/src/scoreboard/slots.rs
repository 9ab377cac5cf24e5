//! Request slots: one per worker thread, written by the daemon that owns it.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering, fence},
};

use super::tallies::TALLY;
use crate::memory::{self, Access, Mapping};

/// Words of a slot: a cache line each, so that threads do not share one.
pub(super) const SLOT: usize = 8;
const REQUEST: usize = 0;
const EPOCH: usize = 1;
const ACTIVE: usize = 2;
const KEPT: usize = 3;
const BEGUN: usize = 4;

/// The slots of a process group.
#[derive(Debug)]
pub struct Slots {
    mapping: Mapping,
    count: usize,
}

/// A request that some process has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The process that started it.
    pub epoch: u64,
    /// Whether it still runs, by that process's own account.
    pub is_active: bool,
}

impl Slots {
    /// Makes the memory for `count` slots and their [`super::Tallies`]. Daemons of any user write to it, so whoever has the
    /// descriptor may; its size is fixed for ever.
    pub fn create(count: u32) -> io::Result<OwnedFd> {
        memory::create("wsgi-slots", count as usize * (SLOT + TALLY), 0o666)
    }

    /// Maps the slots of `memory`.
    pub fn map(memory: BorrowedFd<'_>, count: u32) -> io::Result<Self> {
        let count = count as usize;
        let mapping = Mapping::map(memory, count.saturating_mul(SLOT), Access::ReadWrite)?;
        Ok(Self { mapping, count })
    }

    fn slot(&self, index: usize) -> Option<[&AtomicU64; 3]> {
        let base = index.checked_mul(SLOT)?;
        Some([
            self.mapping.word(base + REQUEST)?,
            self.mapping.word(base + EPOCH)?,
            self.mapping.word(base + ACTIVE)?,
        ])
    }

    /// Says that process `epoch` is about to run request `request_id` in slot `index`. From here
    /// on nobody else runs it. `false` when there is no such slot.
    #[must_use]
    pub fn begin(&self, index: u32, epoch: u64, request_id: u64) -> bool {
        let Some([request, owner, active]) = self.slot(index as usize) else { return false };
        request.store(0, Ordering::Relaxed);
        // Nobody may see the new epoch beside the old request id.
        fence(Ordering::Release);
        owner.store(epoch, Ordering::Relaxed);
        active.store(1, Ordering::Relaxed);
        request.store(request_id, Ordering::Release);
        self.count_begun(index);
        true
    }

    /// Only the slot's thread counts, so this need not be one step.
    fn count_begun(&self, index: u32) {
        if let Some(begun) = self.word(index, BEGUN) {
            begun.store(begun.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// How many requests were begun in `count` slots from `first` on since they were cleared.
    pub fn begun(&self, first: u32, count: u32) -> u64 {
        let slots = first..first.saturating_add(count);
        let begun =
            slots.filter_map(|index| Some(self.word(index, BEGUN)?.load(Ordering::Relaxed)));
        begun.fold(0, u64::wrapping_add)
    }

    /// Says that the request in slot `index` has ended. Its id stays until the slot's next
    /// request: httpd must find a request whose last frame was sent, but not yet read.
    pub fn end(&self, index: u32) {
        if let Some([_, _, active]) = self.slot(index as usize) {
            active.store(0, Ordering::Release);
        }
    }

    /// Says that the request in slot `index` was not run after all: whoever takes it next may.
    pub fn forget(&self, index: u32) {
        if let Some([request, _, active]) = self.slot(index as usize) {
            request.store(0, Ordering::Release);
            active.store(0, Ordering::Release);
        }
    }

    /// Whether a request runs in any of `count` slots from `first` on.
    pub fn any_active(&self, first: u32, count: u32) -> bool {
        (first..first.saturating_add(count)).any(|index| {
            let slot = self.slot(index as usize);
            slot.is_some_and(|[_, _, active]| active.load(Ordering::Relaxed) != 0)
        })
    }

    /// The first slot in which a request runs, and in how many there is one.
    pub fn active(&self) -> (Option<u32>, u32) {
        let all = u32::try_from(self.count).unwrap_or(u32::MAX);
        let active = (0..all).filter(|index| self.any_active(*index, 1));
        active.fold((None, 0), |(first, count), index| (first.or(Some(index)), count + 1))
    }

    /// One more connection is kept by the process whose first slot this is.
    pub fn add_kept(&self, first: u32) {
        if let Some(kept) = self.word(first, KEPT) {
            kept.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One less is kept.
    pub fn remove_kept(&self, first: u32) {
        if let Some(kept) = self.word(first, KEPT) {
            kept.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many connections are kept: by the process with `count` slots from `first` on, and by all
    /// of the group.
    pub fn count_kept(&self, first: u32, count: u32) -> (u64, u64) {
        let all = u32::try_from(self.count).unwrap_or(u32::MAX);
        let kept = |index| self.word(index, KEPT).map_or(0, |kept| kept.load(Ordering::Relaxed));
        let sum = |slots: std::ops::Range<u32>| slots.map(kept).fold(0, u64::wrapping_add);
        (sum(first..first.saturating_add(count)), sum(0..all))
    }

    fn word(&self, index: u32, word: usize) -> Option<&AtomicU64> {
        self.mapping.word((index as usize).checked_mul(SLOT)? + word)
    }

    /// Marks `count` slots from `first` on as not running anything and without a history, for
    /// another process. Request ids stay: httpd may still look for what the last one had started.
    pub fn clear(&self, first: u32, count: u32) {
        for index in first..first.saturating_add(count) {
            self.end(index);
            for word in [KEPT, BEGUN] {
                if let Some(word) = self.word(index, word) {
                    word.store(0, Ordering::Relaxed);
                }
            }
        }
    }

    /// The process that started `request_id`, or `None` when none of the slots knows it.
    /// Whatever stands in the slots, the answer is only as true as the daemons are honest.
    pub fn find(&self, request_id: u64) -> Option<Started> {
        if request_id == 0 {
            return None;
        }
        (0..self.count).find_map(|index| {
            let [request, owner, active] = self.slot(index)?;
            if request.load(Ordering::Acquire) != request_id {
                return None;
            }
            let epoch = owner.load(Ordering::Relaxed);
            let is_active = active.load(Ordering::Relaxed) != 0;
            // With the second look the slot was this request's during all of the reading; its
            // next request erases the id before it changes anything else.
            fence(Ordering::Acquire);
            (request.load(Ordering::Relaxed) == request_id).then_some(Started { epoch, is_active })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::fd::AsFd, thread};

    #[test]
    fn a_request_is_found_from_its_begin_until_its_slot_is_used_again() {
        let memory = Slots::create(4).unwrap();
        let daemon = Slots::map(memory.as_fd(), 4).unwrap();
        let httpd = Slots::map(memory.as_fd(), 4).unwrap();
        assert_eq!(httpd.find(77), None);
        assert_eq!(httpd.find(0), None, "an empty slot is no request");
        assert!(daemon.begin(2, 5, 77));
        assert_eq!(httpd.find(77), Some(Started { epoch: 5, is_active: true }));
        daemon.end(2);
        assert_eq!(httpd.find(77), Some(Started { epoch: 5, is_active: false }));
        assert!(daemon.begin(2, 5, 78));
        assert_eq!(httpd.find(77), None);
    }

    #[test]
    fn a_request_that_was_not_run_is_forgotten() {
        let memory = Slots::create(1).unwrap();
        let slots = Slots::map(memory.as_fd(), 1).unwrap();
        assert!(slots.begin(0, 5, 77));
        slots.forget(0);
        assert_eq!(slots.find(77), None);
        assert!(!slots.any_active(0, 1));
        slots.forget(u32::MAX);
    }

    #[test]
    fn kept_connections_are_counted_until_their_process_is_gone() {
        let memory = Slots::create(6).unwrap();
        let slots = Slots::map(memory.as_fd(), 6).unwrap();
        for first in [0, 3, 3, 3] {
            slots.add_kept(first);
        }
        slots.remove_kept(3);
        assert_eq!(slots.count_kept(3, 3), (2, 3));
        slots.clear(3, 3);
        slots.add_kept(9);
        assert_eq!(slots.count_kept(0, 3), (1, 1));
    }

    #[test]
    fn slots_beyond_the_memory_do_not_exist() {
        let memory = Slots::create(2).unwrap();
        assert!(Slots::map(memory.as_fd(), 100).is_err());
        let slots = Slots::map(memory.as_fd(), 2).unwrap();
        assert!(!slots.begin(2, 1, 1));
        assert!(!slots.begin(u32::MAX, 1, 1));
        slots.end(u32::MAX);
        assert!(!slots.any_active(0, 1000));
        assert!(slots.begin(1, 1, 1));
        assert!(slots.any_active(0, 2) && !slots.any_active(0, 1));
        assert_eq!(slots.active(), (Some(1), 1));
        assert_eq!((slots.begun(0, 2), slots.begun(0, 1)), (1, 0));
        slots.clear(0, 2);
        assert!(!slots.any_active(0, 2));
        assert_eq!(slots.begun(0, 2), 0);
    }

    #[test]
    fn a_reader_never_pairs_a_request_with_another_ones_epoch() {
        let memory = Slots::create(1).unwrap();
        let writer = Slots::map(memory.as_fd(), 1).unwrap();
        let reader = Slots::map(memory.as_fd(), 1).unwrap();
        let newest = AtomicU64::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                // Epoch and id of a request are equal here: a mix would show.
                for number in 1..1_000_000u64 {
                    newest.store(number, Ordering::Relaxed);
                    assert!(writer.begin(0, number, number));
                }
                newest.store(u64::MAX, Ordering::Relaxed);
            });
            loop {
                let id = newest.load(Ordering::Relaxed);
                if id == u64::MAX {
                    break;
                }
                if let Some(started) = reader.find(id) {
                    assert_eq!(started.epoch, id);
                }
            }
        });
    }
}
