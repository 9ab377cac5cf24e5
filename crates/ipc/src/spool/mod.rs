//! Reading a connection for somebody who cannot: while the thread that reads it waits for a slow
//! peer of its own, another thread takes over what comes in, so that the sender never waits.
//!
//! * `store`: the bytes taken over, in memory or in a temporary file.
//! * `taker`: the thread that does it, one for the process, started by [`prepare`] or when it is first
//!   needed.
//!
//! Invariant: bytes leave a [`Tap`] in the order in which they came over the connection, and at any
//! time one side only reads it: the taker from the moment at which it finds the owner waiting until
//! the owner has used up everything that was taken over.

mod store;
mod taker;

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use store::Store;
use taker::Taker;

use crate::{socket, temporary::TemporaryFile};

/// How long an owner may wait for its peer, all waits of a connection together, before that is read
/// by the taker. What it takes over is copied twice more: too much for peers that are merely busy.
const PATIENCE: Duration = Duration::from_millis(100);

/// Descriptors that are taken over at most: a response has one file. Whoever sends more could leave
/// this process without descriptors for all others.
const MOST_DESCRIPTORS: usize = 1;

/// How much may be taken over.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Bytes in memory.
    pub memory: usize,
    /// Bytes in a file; a little more may come at once.
    pub file: u64,
    /// Makes the file.
    pub make_file: fn() -> io::Result<TemporaryFile>,
}

impl fmt::Debug for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, file, .. } = self;
        formatter.debug_struct("Limits").field("memory", memory).field("file", file).finish()
    }
}

/// Starts the thread of this process, which costs a descriptor, before anything depends on it.
pub fn prepare() {
    Taker::get();
}

/// A connection whose owner may have to wait for somebody else.
#[derive(Debug)]
pub struct Tap {
    shared: Arc<Shared>,
    taker: Option<&'static Taker>,
}

/// What owner and taker share.
#[derive(Debug)]
struct Shared {
    socket: Arc<OwnedFd>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Since when the owner has waited for its peer.
    waits_since: Option<Instant>,
    /// How long it has waited before.
    waited: Duration,
    /// The taker reads the connection, not the owner.
    is_taken: bool,
    store: Store,
    descriptors: Vec<OwnedFd>,
    /// How the connection ended, behind what is stored.
    ended: Option<io::Result<()>>,
    /// Why nothing more can be stored, until somebody has asked.
    trouble: Option<io::Error>,
    is_over: bool,
}

impl Tap {
    /// A tap on a connection, which its owner reads until [`Tap::wait`].
    pub fn new(socket: Arc<OwnedFd>, limits: Limits) -> Self {
        let state = State {
            waits_since: None,
            waited: Duration::ZERO,
            is_taken: false,
            store: Store::new(limits),
            descriptors: Vec::new(),
            ended: None,
            trouble: None,
            is_over: false,
        };
        let shared = Arc::new(Shared { socket, state: Mutex::new(state) });
        // Without the taker everything goes on, only that senders wait.
        let taker = Taker::get().inspect(|taker| taker.add(Arc::clone(&shared)));
        Self { shared, taker }
    }

    /// Does `work`, in which the owner may wait long for its peer.
    pub fn wait<R>(&self, work: impl FnOnce() -> R) -> R {
        self.shared.lock().waits_since = Some(Instant::now());
        if let Some(taker) = self.taker {
            taker.call();
        }
        let result = work();
        let mut state = self.shared.lock();
        let waited = state.waits_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        state.waited += waited;
        drop(state);
        result
    }

    /// Takes bytes that were taken over, with the descriptors that came with them; 0 is the end of
    /// the connection. `None`: there are none, and the owner reads the connection again.
    pub fn receive(
        &self,
        buffer: &mut [u8],
        descriptors: &mut Vec<OwnedFd>,
    ) -> Option<io::Result<usize>> {
        let mut state = self.shared.lock();
        if !state.is_taken {
            return None;
        }
        descriptors.append(&mut state.descriptors);
        match state.store.take(buffer) {
            Ok(0) => {}
            taken => return Some(taken),
        }
        if let Some(ended) = state.ended.take() {
            return Some(ended.map(|()| 0));
        }
        state.store.reset();
        state.is_taken = false;
        None
    }

    /// Whether [`Tap::receive`] has something to give.
    pub fn is_ready(&self) -> bool {
        let state = self.shared.lock();
        state.is_taken && (!state.store.is_empty() || state.ended.is_some())
    }

    /// Why nothing more could be stored, once.
    pub fn take_trouble(&self) -> Option<io::Error> {
        self.shared.lock().trouble.take()
    }

    /// The connection is used for something else, whose bytes are not for this tap.
    pub fn release(self) {
        self.shared.lock().is_over = true;
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let was_over = std::mem::replace(&mut self.shared.lock().is_over, true);
        if !was_over {
            // The taker may hold it for a moment longer: the other end shall not wait for that.
            socket::shutdown(self.shared.socket.as_fd());
        }
        if let Some(taker) = self.taker {
            taker.remove(&self.shared);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes over what has come in, if it is still for the taker to read.
    fn take_over(&self, buffer: &mut [u8]) {
        let mut state = self.lock();
        while state.is_readable() {
            let State { descriptors, .. } = &mut *state;
            match socket::try_receive_with_descriptors(self.socket(), buffer, descriptors) {
                Ok(_) if descriptors.len() > MOST_DESCRIPTORS => {
                    descriptors.clear();
                    state.ended = Some(Err(io::Error::other("too many descriptors")));
                }
                Ok(0) => state.ended = Some(Ok(())),
                Ok(length) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    state.trouble = state.store.push(bytes).err().or(state.trouble.take());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => state.ended = Some(Err(error)),
            }
        }
    }
}

impl State {
    /// Whether the taker is to read on.
    fn is_readable(&self) -> bool {
        self.is_taken && !self.is_over && self.ended.is_none() && !self.store.is_full()
    }

    /// Decides whether the taker reads; otherwise how long the owner's patience still lasts, if it
    /// waits.
    fn look(&mut self) -> Option<Duration> {
        if self.is_taken || self.is_over {
            return None;
        }
        let rest = PATIENCE.saturating_sub(self.waited + self.waits_since?.elapsed());
        self.is_taken = rest.is_zero();
        Some(rest).filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests;
