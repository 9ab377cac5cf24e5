//! Tests of the leader among threads.

use super::*;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, Scope, ScopedJoinHandle},
    time::Instant,
};

/// What the threads of a test see.
#[derive(Debug, Default)]
struct Fake {
    is_leaving: AtomicBool,
    is_asleep: AtomicBool,
}

impl View for Fake {
    fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::SeqCst)
    }

    fn is_asleep(&self, _index: u32) -> bool {
        self.is_asleep.load(Ordering::SeqCst)
    }
}

fn asleep() -> Fake {
    Fake { is_asleep: AtomicBool::new(true), ..Fake::default() }
}

fn wait_for(what: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(Instant::now() < end);
        thread::yield_now();
    }
}

fn rests(leader: &Leader) -> bool {
    leader.staff().resting == 1
}

/// A second thread, which rests now and says at the end whether it leads.
fn resting<'scope>(
    scope: &'scope Scope<'scope, '_>,
    leader: &'scope Leader,
    view: &'scope Fake,
) -> ScopedJoinHandle<'scope, bool> {
    let second = scope.spawn(|| leader.member(1, view).rest());
    wait_for(|| rests(leader));
    second
}

#[test]
fn quick_requests_stay_with_one_thread() {
    let (leader, view) = (Leader::default(), Fake::default());
    let first = leader.member(0, &view);
    assert!(first.rest());
    thread::scope(|scope| {
        resting(scope, &leader, &view);
        assert!(first.is_attended());
        // Where the machine has other work one of them may take long.
        let led = (0..1000).take_while(|_| first.begin() && first.end());
        assert!(led.count() > 0);
        view.is_leaving.store(true, Ordering::SeqCst);
        leader.wake_all();
    });
    assert!(!first.is_attended());
}

#[test]
fn a_thread_that_rests_takes_over_from_one_that_sleeps_in_a_request() {
    let (leader, view) = (Leader::default(), asleep());
    let first = leader.member(0, &view);
    assert!(first.rest());
    thread::scope(|scope| {
        let second = scope.spawn(|| {
            let second = leader.member(1, &view);
            assert!(second.rest());
            assert!(!second.begin(), "nobody else rests");
            assert!(!second.end(), "whoever had come first would have led");
        });
        wait_for(|| rests(&leader));
        assert!(first.begin());
        second.join().unwrap();
        assert!(!first.end(), "the other one has led since");
    });
    assert!(first.rest(), "nobody leads");
}

#[test]
fn a_thread_that_runs_is_given_longer() {
    let (leader, view) = (Leader::default(), Fake::default());
    let first = leader.member(0, &view);
    assert!(first.rest());
    thread::scope(|scope| {
        let second = resting(scope, &leader, &view);
        let start = Instant::now();
        assert!(first.begin());
        assert!(second.join().unwrap());
        assert!(start.elapsed() >= LOOK * PATIENCE);
    });
}

#[test]
fn where_leaders_sleep_the_next_one_hands_over_first() {
    let (leader, view) = (Leader::default(), Fake::default());
    leader.staff().caution.note_long();
    let first = leader.member(0, &view);
    assert!(first.rest());
    thread::scope(|scope| {
        let second = scope.spawn(|| {
            let second = leader.member(1, &view);
            assert!(second.rest());
            assert!(leader.staff().led == Led::By(1));
        });
        wait_for(|| rests(&leader));
        assert!(first.begin());
        assert!(!first.end());
        second.join().unwrap();
    });
}

#[test]
fn where_all_threads_sleep_the_first_one_to_come_back_leads_at_once() {
    let (leader, view) = (Leader::default(), Fake::default());
    leader.staff().caution.note_long();
    let (first, second) = (leader.member(0, &view), leader.member(1, &view));
    assert!(first.rest());
    assert!(!first.begin());
    assert!(leader.staff().led == Led::ByNobody);
    assert!(second.rest());
    assert!(!first.end());
    assert!(!second.begin());
    assert!(second.end(), "one in a row is tried again");
}

#[test]
fn caution_doubles_with_long_requests_and_goes_with_quick_ones() {
    let mut caution = Caution::default();
    let lengths: Vec<u32> = std::iter::repeat_with(|| {
        caution.note_long();
        caution.left
    })
    .take(10)
    .collect();
    assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]);
    (0..300).for_each(|_| caution.note_quick());
    caution.note_long();
    assert_eq!(caution.left, 1);
}

#[test]
fn a_leader_that_ends_is_replaced() {
    let (leader, view) = (Leader::default(), Fake::default());
    let first = leader.member(0, &view);
    assert!(first.rest());
    thread::scope(|scope| {
        let second = resting(scope, &leader, &view);
        drop(first);
        assert!(second.join().unwrap());
    });
}
