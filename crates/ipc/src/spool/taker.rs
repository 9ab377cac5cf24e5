//! The thread that takes over what comes in for those who wait for somebody else.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

use super::Shared;
use crate::process;

/// Bytes read at a time: what the buffer of a unix socket holds.
const BUFFER: usize = 256 << 10;

/// All taps of this process.
#[derive(Debug)]
pub(super) struct Taker {
    taps: Mutex<Vec<Arc<Shared>>>,
    wake: OwnedFd,
    /// The thread sleeps without looking at those who wait.
    is_asleep: AtomicBool,
}

/// What one look at the taps has shown.
struct Round {
    /// Those to be read.
    reading: Vec<Arc<Shared>>,
    /// When to look again.
    next: Option<Duration>,
}

impl Taker {
    /// The one of this process; `None` where no thread could be started.
    pub(super) fn get() -> Option<&'static Self> {
        static TAKER: OnceLock<Option<&'static Taker>> = OnceLock::new();
        *TAKER.get_or_init(|| Self::start().ok())
    }

    fn start() -> io::Result<&'static Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = rustix::event::eventfd(0, flags)?;
        let taker = Self { taps: Mutex::default(), wake, is_asleep: AtomicBool::new(false) };
        let taker: &'static Self = Box::leak(Box::new(taker));
        process::spawn_quiet("wsgi-spool", || taker.run())?;
        Ok(taker)
    }

    fn taps(&self) -> MutexGuard<'_, Vec<Arc<Shared>>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, tap: Arc<Shared>) {
        self.taps().push(tap);
    }

    pub(super) fn remove(&self, tap: &Arc<Shared>) {
        let was_read = tap.lock().is_taken;
        self.taps().retain(|other| !Arc::ptr_eq(other, tap));
        if was_read {
            self.wake();
        }
    }

    /// Somebody begins to wait.
    pub(super) fn call(&self) {
        if self.is_asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        // Full means that it is being woken already.
        rustix::io::write(&self.wake, &1u64.to_ne_bytes()).ok();
    }

    fn run(&self) {
        let mut buffer = vec![0; BUFFER];
        loop {
            let mut round = self.look();
            if round.next.is_none() {
                self.is_asleep.store(true, Ordering::SeqCst);
                // Whoever began to wait before that does not call.
                round = self.look();
            }
            self.sleep(&round);
            self.is_asleep.store(false, Ordering::SeqCst);
            round.reading.iter().for_each(|tap| tap.take_over(&mut buffer));
        }
    }

    fn look(&self) -> Round {
        let mut round = Round { reading: Vec::new(), next: None };
        for tap in self.taps().iter() {
            let mut state = tap.lock();
            if let Some(rest) = state.look() {
                round.next = Some(round.next.map_or(rest, |next| next.min(rest)));
            }
            if state.is_readable() {
                round.reading.push(Arc::clone(tap));
            }
        }
        round
    }

    /// Waits until something has come in, somebody calls, or it is time to look again.
    fn sleep(&self, round: &Round) {
        let limit = round.next.map(|next| Timespec {
            tv_sec: i64::try_from(next.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(next.subsec_nanos()),
        });
        let mut sources: Vec<PollFd<'_>> = round
            .reading
            .iter()
            .map(|tap| PollFd::from_borrowed_fd(tap.socket(), PollFlags::IN))
            .collect();
        sources.push(PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN));
        // An error makes this round a short one.
        rustix::event::poll(&mut sources, limit.as_ref()).ok();
        rustix::io::read(&self.wake, &mut [0u8; 8]).ok();
    }
}
