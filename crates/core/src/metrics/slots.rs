//! The places of a process in which requests run, one for each thread that serves at a time.

use std::time::Duration;

use super::{Cpu, Finished};

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Slot {
    /// When the request in it began, and since when its time was not accounted for.
    running: Option<Running>,
    was_used: bool,
    interval: Done,
    /// Requests since the beginning.
    completed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Running {
    start: Duration,
    unaccounted_since: Duration,
}

/// What was done in a place during an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Requests completed.
    pub completed: u64,
    /// Time spent in requests, also in those that still run.
    pub busy: Duration,
    /// CPU time of the completed ones.
    pub cpu: Cpu,
    /// How long the request that runs has been running; nothing when there is none.
    pub elapsed: Duration,
    /// The longest of the completed.
    pub longest: Duration,
}

/// All places. Times are those of a clock that is never set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Slots(Vec<Slot>);

impl Slots {
    /// `count` free places; more are made when more requests run at once.
    pub(super) fn new(count: usize) -> Self {
        Self(vec![Slot::default(); count])
    }

    /// A request begins: in the preferred place, if that is free, or in any other.
    pub(super) fn begin(&mut self, preferred: usize, now: Duration) -> usize {
        let is_free = |slot: &Slot| slot.running.is_none();
        let place = match self.0.get(preferred) {
            Some(slot) if is_free(slot) => preferred,
            _ => self.0.iter().position(is_free).unwrap_or_else(|| {
                self.0.push(Slot::default());
                self.0.len() - 1
            }),
        };
        if let Some(slot) = self.0.get_mut(place) {
            slot.running = Some(Running { start: now, unaccounted_since: now });
            slot.was_used = true;
        }
        place
    }

    /// A request has ended; `None` was none after all. Returns how long it was there.
    pub(super) fn end(
        &mut self,
        place: usize,
        finished: Option<&Finished>,
        now: Duration,
    ) -> Duration {
        let Some(slot) = self.0.get_mut(place) else { return Duration::ZERO };
        let Some(running) = slot.running.take() else { return Duration::ZERO };
        let duration = now.saturating_sub(running.start);
        if let Some(finished) = finished {
            let done = &mut slot.interval;
            done.busy += now.saturating_sub(running.unaccounted_since);
            done.completed += 1;
            done.cpu.user += finished.figures.cpu.user;
            done.cpu.system += finished.figures.cpu.system;
            done.longest = done.longest.max(duration);
            slot.completed += 1;
        }
        duration
    }

    /// What was done in each place since the last time.
    pub(super) fn drain(&mut self, now: Duration) -> Vec<Done> {
        let drained = self.0.iter_mut().map(|slot| {
            let mut done = std::mem::take(&mut slot.interval);
            if let Some(running) = &mut slot.running {
                done.busy += now.saturating_sub(running.unaccounted_since);
                done.elapsed = now.saturating_sub(running.start);
                running.unaccounted_since = now;
            }
            done
        });
        drained.collect()
    }

    /// How many places have been used.
    pub(super) fn used(&self) -> usize {
        self.0.iter().filter(|slot| slot.was_used).count()
    }

    /// In how many a request runs.
    pub(super) fn active(&self) -> usize {
        self.0.iter().filter(|slot| slot.running.is_some()).count()
    }

    /// The used places and how many requests were completed in each since the beginning.
    pub(super) fn completed(&self) -> impl Iterator<Item = (usize, u64)> {
        let used = self.0.iter().enumerate().filter(|(_, slot)| slot.was_used);
        used.map(|(place, slot)| (place, slot.completed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_thread_keeps_its_place_unless_it_is_taken() {
        let mut slots = Slots::new(2);
        assert_eq!(slots.begin(1, at(0)), 1);
        assert_eq!(slots.begin(1, at(0)), 0, "taken");
        assert_eq!(slots.begin(0, at(0)), 2, "all are taken");
        slots.end(0, Some(&Finished::default()), at(1));
        assert_eq!(slots.begin(7, at(1)), 0, "no such place");
        assert_eq!((slots.used(), slots.active()), (3, 3));
    }

    #[test]
    fn the_time_of_a_long_request_is_spread_over_the_intervals() {
        let mut slots = Slots::new(1);
        slots.begin(0, at(1));
        let first = slots.drain(at(3));
        assert_eq!((first[0].busy, first[0].elapsed, first[0].completed), (at(2), at(2), 0));
        assert_eq!(slots.end(0, Some(&Finished::default()), at(7)), at(6));
        let second = slots.drain(at(10))[0];
        assert_eq!((second.busy, second.elapsed, second.completed), (at(4), at(0), 1));
        assert_eq!(second.longest, at(6));
        assert_eq!(slots.drain(at(11))[0], Done::default());
    }

    #[test]
    fn a_request_that_was_none_leaves_no_trace() {
        let mut slots = Slots::new(1);
        slots.begin(0, at(1));
        slots.end(0, None, at(2));
        assert_eq!(slots.drain(at(3))[0], Done::default());
        assert_eq!(slots.completed().collect::<Vec<_>>(), [(0, 0)]);
    }

    proptest! {
        #[test]
        fn no_place_is_busy_for_longer_than_the_interval(
            steps in proptest::collection::vec((0usize..4, 0u64..5), 0..60),
        ) {
            let mut slots = Slots::new(2);
            let (mut now, mut last) = (at(0), at(0));
            for (what, seconds) in steps {
                now += at(seconds);
                match what {
                    0 => drop(slots.begin(1, now)),
                    1 | 2 => drop(slots.end(what - 1, Some(&Finished::default()), now)),
                    _ => {
                        for done in slots.drain(now) {
                            prop_assert!(done.busy <= now - last);
                        }
                        last = now;
                    }
                }
            }
        }
    }
}
