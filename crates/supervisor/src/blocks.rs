//! Which part of a group's request slots belongs to which process.
//!
//! A dead process's slots keep telling httpd which requests it had started. They are used again
//! as late as possible, and never before every httpd child has had the time to look.

use std::time::{Duration, Instant};

/// How long slots rest. httpd's children look once a second at the latest.
pub(crate) const REST: Duration = Duration::from_millis(1500);

/// Consecutive slots of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// The first slot.
    pub(crate) first: u32,
    /// How many.
    pub(crate) count: u32,
}

/// Why no block is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Free slots must rest until then.
    Until(Instant),
    /// Every block is in use, or the group has not as many slots.
    Full,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    is_used: bool,
    freed: Option<Instant>,
}

/// All slots of a group.
#[derive(Debug)]
pub(crate) struct Blocks {
    slots: Vec<Slot>,
}

impl Blocks {
    /// `count` slots that were never used.
    pub(crate) fn new(count: u32) -> Self {
        Self { slots: vec![Slot::default(); count as usize] }
    }

    /// Changes the number of slots; those that stay keep what is known of them.
    pub(crate) fn resize(&mut self, count: u32) {
        self.slots.resize(count as usize, Slot::default());
    }

    /// Takes `count` slots, those that have been free for longest.
    pub(crate) fn take(&mut self, count: u32, now: Instant) -> Result<Block, Refusal> {
        if count == 0 {
            return Ok(Block { first: 0, count: 0 });
        }
        let free = self.slots.chunks_exact(count as usize).enumerate();
        let free = free.filter(|(_, slots)| slots.iter().all(|slot| !slot.is_used));
        let aged =
            free.map(|(place, slots)| (slots.iter().filter_map(|slot| slot.freed).max(), place));
        let (freed, place) = aged.min().ok_or(Refusal::Full)?;
        if let Some(rested) = freed.map(|freed| freed + REST).filter(|rested| *rested > now) {
            return Err(Refusal::Until(rested));
        }
        let first = u32::try_from(place).unwrap_or(u32::MAX).saturating_mul(count);
        let block = Block { first, count };
        self.reserve(block);
        Ok(block)
    }

    /// Marks slots as used, because a process of an earlier supervisor has them.
    pub(crate) fn reserve(&mut self, block: Block) {
        self.each(block, |slot| slot.is_used = true);
    }

    /// Gives slots back. `used` says that requests may have been started in them.
    pub(crate) fn release(&mut self, block: Block, used: Option<Instant>) {
        self.each(block, |slot| {
            slot.is_used = false;
            slot.freed = used.or(slot.freed);
        });
    }

    fn each(&mut self, block: Block, change: impl FnMut(&mut Slot)) {
        let first = block.first as usize;
        let slots = self.slots.iter_mut().skip(first).take(block.count as usize);
        slots.for_each(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_that_has_rested_longest_is_taken() {
        let start = Instant::now();
        let mut blocks = Blocks::new(9);
        let taken: Vec<Block> = (0..3).map(|_| blocks.take(3, start).unwrap()).collect();
        let firsts: Vec<u32> = taken.iter().map(|block| block.first).collect();
        assert_eq!(firsts, [0, 3, 6]);
        assert_eq!(blocks.take(3, start), Err(Refusal::Full));
        blocks.release(taken[1], Some(start));
        blocks.release(taken[0], Some(start + Duration::from_millis(1)));
        assert_eq!(blocks.take(3, start), Err(Refusal::Until(start + REST)));
        assert_eq!(blocks.take(3, start + REST * 2).unwrap(), taken[1]);
        assert_eq!(blocks.take(3, start + REST * 2).unwrap(), taken[0]);
    }

    #[test]
    fn slots_in_which_nothing_was_started_need_no_rest() {
        let start = Instant::now();
        let mut blocks = Blocks::new(2);
        let block = blocks.take(2, start).unwrap();
        blocks.release(block, None);
        assert_eq!(blocks.take(2, start), Ok(block));
    }

    #[test]
    fn slots_of_an_earlier_supervisor_are_left_alone() {
        let start = Instant::now();
        let mut blocks = Blocks::new(4);
        blocks.reserve(Block { first: 1, count: 1 });
        assert_eq!(blocks.take(2, start), Ok(Block { first: 2, count: 2 }));
        blocks.reserve(Block { first: u32::MAX, count: u32::MAX });
        assert_eq!(blocks.take(0, start), Ok(Block { first: 0, count: 0 }));
        assert_eq!(blocks.take(5, start), Err(Refusal::Full));
    }
}
