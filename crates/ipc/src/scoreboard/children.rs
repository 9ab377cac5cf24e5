//! What httpd's children run embedded, as httpd's own scoreboard would show it: a place for each
//! thread that has a request, written by that thread, read by whoever wants to know.
//!
//! One memfd: for each child a head, then for each child so many places, then as many
//! [`Tallies`]. A child that runs its first request takes the part of one that has gone; the
//! counters go on there, so that sums never go back while httpd runs. Nobody is asked, so nobody
//! has to answer; that is why the URI of a request is copied here.
//!
//! An embedded application may write anything: that falsifies what is seen of embedded ones.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use wsgi_core::{
    activity::{Activity, Doing},
    status::{
        inquiry::{GroupReport, MemberReport, ThreadReport},
        times::{Sample, Totals},
    },
};

use super::{
    place::{self, PlaceWords, Subject},
    tallies::{TALLY, Tallies},
};
use crate::{
    memory::{self, Access, Mapping},
    process,
};

/// Words of the head of a child.
const HEAD: usize = 8;
/// Its process, as [`owner`] says.
const OWNER: usize = 0;
const STARTED: usize = 1;
/// Places that were ever used, from the first on: in the others nothing was counted.
const USED: usize = 2;

/// How the state of the group is called that these children are.
pub const EMBEDDED: &str = "embedded";

/// How many there are of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Children at the same time.
    pub children: u32,
    /// Requests of each.
    pub places: u32,
}

impl Size {
    fn all(self) -> usize {
        (self.children as usize).saturating_mul(self.places as usize)
    }

    fn base(self) -> usize {
        (self.children as usize).saturating_mul(HEAD)
    }

    /// Where the counters begin.
    fn tallies(self) -> usize {
        self.base().saturating_add(self.all().saturating_mul(place::WORDS))
    }
}

/// The memory, seen by httpd or by the supervisor.
#[derive(Debug)]
pub struct Children {
    mapping: Mapping,
    tallies: Tallies,
    size: Size,
}

/// A request in its place, until [`Children::end`].
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What its thread does.
    pub activity: &'a Activity,
    child: u32,
    place: u32,
}

impl Children {
    /// Makes the memory; pages of it exist once they are used.
    pub fn create(size: Size) -> io::Result<OwnedFd> {
        let words = size.tallies().saturating_add(size.all().saturating_mul(TALLY));
        memory::create("wsgi-embedded", words, 0o600)
    }

    /// Maps it for httpd's children.
    pub fn writer(memory: BorrowedFd<'_>, size: Size) -> io::Result<Self> {
        Self::map(memory, size, Access::ReadWrite)
    }

    /// Maps it for who only looks.
    pub fn reader(memory: BorrowedFd<'_>, size: Size) -> io::Result<Self> {
        Self::map(memory, size, Access::ReadOnly)
    }

    fn map(memory: BorrowedFd<'_>, size: Size, access: Access) -> io::Result<Self> {
        let mapping = Mapping::map(memory, size.tallies(), access)?;
        let count = u32::try_from(size.all()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let tallies = Tallies::behind(memory, size.tallies(), count, access)?;
        Ok(Self { mapping, tallies, size })
    }

    fn head(&self, child: u32, word: usize) -> Option<&AtomicU64> {
        self.mapping.word(child as usize * HEAD + word)
    }

    /// The number of a place among all.
    fn number(&self, child: u32, place: u32) -> u32 {
        child.saturating_mul(self.size.places).saturating_add(place)
    }

    fn start(&self, child: u32, place: u32) -> usize {
        self.size.base() + self.number(child, place) as usize * place::WORDS
    }

    fn words(&self, child: u32, place: u32) -> Option<PlaceWords<'_>> {
        let words = self.mapping.words(self.start(child, place), place::WORDS)?;
        words.first_chunk().map(PlaceWords::new)
    }

    /// The calling process, which has started at `started` (µs since the epoch), takes a part.
    pub fn claim(&self, pid: u32, started: u64) -> Option<u32> {
        let own = owner(pid);
        let child = (0..self.size.children).find(|child| {
            let Some(place) = self.head(*child, OWNER) else { return false };
            let (found, order) = (place.load(Ordering::Relaxed), Ordering::Relaxed);
            let is_free = found == own || self.owner(*child).is_none();
            is_free && place.compare_exchange(found, own, order, order).is_ok()
        })?;
        self.head(child, STARTED)?.store(started, Ordering::Relaxed);
        for place in 0..self.used(child) {
            self.words(child, place)?.clear();
        }
        Some(child)
    }

    /// The process ends.
    pub fn release(&self, child: u32, pid: u32) {
        if let Some(place) = self.head(child, OWNER) {
            let order = Ordering::Relaxed;
            // Whoever has it by now keeps it.
            place.compare_exchange(owner(pid), 0, order, order).ok();
        }
    }

    /// The process that has a part, if it still lives.
    fn owner(&self, child: u32) -> Option<u32> {
        let found = self.head(child, OWNER)?.load(Ordering::Relaxed);
        let pid = (found >> 32) as u32;
        (pid != 0 && owner(pid) == found).then_some(pid)
    }

    fn used(&self, child: u32) -> u32 {
        let used = self.head(child, USED).map_or(0, |used| used.load(Ordering::Relaxed));
        u32::try_from(used).unwrap_or(u32::MAX).min(self.size.places)
    }

    /// A request begins, in the preferred place or another one that is free; where none is, it is
    /// not seen.
    pub fn begin(&self, child: u32, preferred: u32, subject: Subject<'_>) -> Option<Place<'_>> {
        let preferred = preferred % self.size.places.max(1);
        let take = |place: &u32| self.words(child, *place).is_some_and(PlaceWords::take);
        let place = Some(preferred).filter(take);
        let place = place.or_else(|| (0..self.size.places).find(take))?;
        self.note_used(child, place);
        let words = self.words(child, place)?;
        let number = words.begin(subject);
        let activity = self.mapping.activity(self.start(child, place) + place::ACTIVITY)?;
        activity.begin();
        words.show(number);
        Some(Place { activity, child, place })
    }

    fn note_used(&self, child: u32, place: u32) {
        if place >= self.used(child)
            && let Some(used) = self.head(child, USED)
        {
            used.fetch_max(u64::from(place) + 1, Ordering::Relaxed);
        }
    }

    /// The request has ended; `status` is 0 where it had none.
    pub fn end(&self, place: Place<'_>, status: u16) {
        let spent = place.activity.end();
        // Whoever httpd gives a request to has it at once: there is no queue.
        let times = [None, Some(spent.lock), spent.application, Some(spent.send)];
        self.tallies.add(self.number(place.child, place.place), &Sample { status, times });
        if let Some(words) = self.words(place.child, place.place) {
            words.end();
        }
    }

    /// What requests have come to.
    pub fn totals(&self) -> Totals {
        let places = (0..self.size.children).flat_map(|child| {
            (0..self.used(child)).map(move |place| self.number(child, place) as usize)
        });
        self.tallies.sums(places)
    }

    /// The children as a group of `processes` with `threads` each; `None` as long as nothing has
    /// run embedded.
    pub fn report(&self, processes: u32, threads: u32) -> Option<GroupReport> {
        let all = || 0..self.size.children;
        if all().all(|child| self.used(child) == 0) {
            return None;
        }
        Some(GroupReport {
            name: String::new(),
            state: EMBEDDED.to_owned(),
            wanted_processes: processes,
            threads,
            processes: all().filter_map(|child| self.child(child)).collect(),
            ..GroupReport::default()
        })
    }

    #[allow(clippy::cast_precision_loss, reason = "a moment in µs")]
    fn child(&self, child: u32) -> Option<MemberReport> {
        let pid = self.owner(child)?;
        let places = || (0..self.used(child)).filter_map(|place| self.words(child, place));
        let threads = places().zip(0u32..).map(|(words, place)| self.thread(words, place, child));
        let started = self.head(child, STARTED)?.load(Ordering::Relaxed) as f64 / 1e6;
        let begun = places().map(PlaceWords::begun);
        Some(MemberReport {
            epoch: u64::from(child) + 1,
            pid,
            state: "ready".to_owned(),
            started,
            requests: begun.fold(0, u64::wrapping_add),
            memory: process::resident_size(pid).unwrap_or(0),
            threads: Some(threads.collect()),
        })
    }

    fn thread(&self, words: PlaceWords<'_>, place: u32, child: u32) -> ThreadReport {
        let activity = self.mapping.activity(self.start(child, place) + place::ACTIVITY);
        let request = words.request();
        // What a thread does without a request is of one that has just ended.
        let doing = activity.filter(|_| request.is_some()).map(Activity::doing);
        ThreadReport { thread: place + 1, doing: doing.unwrap_or(Doing::Idle), request }
    }
}

/// A process: its id, and when the kernel has started it, which tells it from a later one.
fn owner(pid: u32) -> u64 {
    let start = process::start_time(pid).unwrap_or(0) & u64::from(u32::MAX);
    u64::from(pid) << 32 | start
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    const SIZE: Size = Size { children: 2, places: 2 };

    fn subject(uri: &[u8]) -> Subject<'_> {
        Subject { method: b"GET", uri, application_group: b"host|/app" }
    }

    #[test]
    fn what_a_child_runs_is_seen_and_counted() {
        let memory = Children::create(SIZE).unwrap();
        let child = Children::writer(memory.as_fd(), SIZE).unwrap();
        let looking = Children::reader(memory.as_fd(), SIZE).unwrap();
        assert!(looking.report(4, 2).is_none());
        let pid = std::process::id();
        let own = child.claim(pid, 1_500_000).unwrap();
        let place = child.begin(own, 7, subject(b"/a/rather/long?uri")).unwrap();
        let group = looking.report(4, 2).unwrap();
        assert_eq!((group.name.as_str(), group.state.as_str()), ("", EMBEDDED));
        let process = &group.processes[0];
        assert_eq!((process.pid, process.started, process.requests), (pid, 1.5, 1));
        assert!(process.memory > 0);
        let threads = process.threads.as_ref().unwrap();
        assert_eq!((threads[0].doing, threads[1].doing), (Doing::Idle, Doing::Running));
        let request = threads[1].request.as_ref().unwrap();
        assert_eq!((request.method.as_str(), request.uri.as_str()), ("GET", "/a/rather/long?uri"));
        assert_eq!((request.application_group.as_str(), request.number), ("host|/app", 1));
        child.end(place, 200);
        let group = looking.report(4, 2).unwrap();
        assert!(group.processes[0].threads.iter().flatten().all(|one| one.request.is_none()));
        assert_eq!(looking.totals().statuses, [0, 1, 0, 0, 0, 0]);
        assert_eq!(looking.totals().times[0].count(), 0, "there is no queue");
        child.release(own, pid);
        assert!(looking.report(4, 2).unwrap().processes.is_empty());
        assert_eq!(looking.totals().statuses[1], 1);
    }

    #[test]
    fn a_place_is_one_requests_and_what_has_none_is_not_seen() {
        let memory = Children::create(SIZE).unwrap();
        let children = Children::writer(memory.as_fd(), SIZE).unwrap();
        let own = children.claim(std::process::id(), 0).unwrap();
        let long = [b'x'; 2000];
        let first = children.begin(own, 0, subject(&long)).unwrap();
        let second = children.begin(own, 0, subject(b"/2")).unwrap();
        assert!(children.begin(own, 0, subject(b"/3")).is_none());
        let seen = children.report(1, 1).unwrap();
        let threads = seen.processes[0].threads.as_ref().unwrap();
        let uris: Vec<usize> =
            threads.iter().map(|one| one.request.as_ref().unwrap().uri.len()).collect();
        assert_eq!(uris, [(place::WORDS - 16) * 8 - 8 - 16, 2]);
        children.end(first, 500);
        children.end(second, 0);
        assert!(children.begin(own, 1, subject(b"/4")).is_some());
        assert_eq!(children.totals().statuses, [0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn parts_of_dead_children_are_taken_those_of_others_are_not() {
        let memory = Children::create(SIZE).unwrap();
        let children = Children::writer(memory.as_fd(), SIZE).unwrap();
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        let gone = children.claim(dead.id(), 0).unwrap();
        children.begin(gone, 0, subject(b"/crashes")).unwrap();
        dead.wait().unwrap();
        assert!(children.report(1, 1).unwrap().processes.is_empty());
        let own = children.claim(std::process::id(), 0).unwrap();
        assert_eq!(own, gone);
        assert_eq!(children.claim(std::process::id(), 0), Some(own), "its own");
        assert_eq!(children.claim(1, 0), Some(1 - own));
        assert_eq!(children.claim(2, 0), None);
        assert!(children.begin(own, 0, subject(b"/")).is_some(), "the place was cleared");
    }
}
