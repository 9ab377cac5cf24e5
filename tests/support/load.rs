//! A closed-loop load: clients that send one request after the other while a test does harm, and
//! the count of what they were answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::http::Connection;

/// What clients were answered.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often each status came, with a complete body.
    pub statuses: BTreeMap<u16, usize>,
    /// Requests whose connection ended without an answer, or in the middle of one.
    pub cut: usize,
    /// The longest time from a request to the end of its answer.
    pub longest: Duration,
}

impl Tally {
    /// How often a status came.
    pub fn count(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// Asserts that no request was lost: all were answered with 200, and enough of them for the
    /// test to mean something.
    #[track_caller]
    pub fn all_served(&self) {
        self.lost_at_most(0, &[]);
    }

    /// Asserts that all but `most` requests were answered with 200, and those with one of
    /// `excused`; that none was cut, and that there were enough of them.
    #[track_caller]
    pub fn lost_at_most(&self, most: usize, excused: &[u16]) {
        let lost: usize = excused.iter().map(|status| self.count(*status)).sum();
        let others = self.statuses.keys().any(|status| *status != 200 && !excused.contains(status));
        assert!(!others && self.cut == 0 && lost <= most, "more than {most} lost: {self:?}");
        assert!(self.count(200) >= 50, "hardly any load: {self:?}");
    }

    /// Asserts that nobody waited for longer.
    #[track_caller]
    pub fn within(&self, longest: Duration) {
        assert!(self.longest <= longest, "{self:?}");
    }

    fn add(&mut self, other: &Tally) {
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.cut += other.cut;
        self.longest = self.longest.max(other.longest);
    }

    fn note(&mut self, answer: Option<u16>, time: Duration) {
        self.longest = self.longest.max(time);
        match answer {
            Some(status) => *self.statuses.entry(status).or_default() += 1,
            None => self.cut += 1,
        }
    }
}

/// Status of one answer on a connection of its own; `None` when none came, or not all of it.
pub fn ask(port: u16, target: &str) -> Option<u16> {
    let mut connection = Connection::try_open(port).ok()?;
    connection.request("GET", target, &[("Connection", "close")], b"");
    let response = connection.try_response().ok()??;
    response.complete.then(|| response.status())
}

/// Has `clients` clients ask for `target`, each on a new connection for every request, for as long
/// as `harm` takes. Gives their count and what `harm` gives.
pub fn during<T>(port: u16, clients: usize, target: &str, harm: impl FnOnce() -> T) -> (Tally, T) {
    let is_over = AtomicBool::new(false);
    let client = || {
        let mut tally = Tally::default();
        while !is_over.load(Ordering::Relaxed) {
            let start = Instant::now();
            let answer = ask(port, target);
            tally.note(answer, start.elapsed());
        }
        tally
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        // Ended also when `harm` panics, or the scope would wait for its clients for ever.
        let end = End(&is_over);
        let given = harm();
        drop(end);
        let mut all = Tally::default();
        running.into_iter().for_each(|client| all.add(&client.join().expect("a client")));
        (all, given)
    })
}

/// Tells the clients that the load is over.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
