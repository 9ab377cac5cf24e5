//! Where idle worker threads wait: for a new connection, or on a connection that httpd keeps
//! open for its next request.
//!
//! A thread that waits on a kept connection does not see the listener. So one rule keeps every
//! idle thread within reach of every request: while any thread of the process is idle, one of
//! them waits for new connections. The last one that leaves the listener sends another there by
//! closing its kept connection; httpd then sends what it may just have written there again, by a
//! new connection.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering, fence},
};

use wsgi_ipc::socket::{self, TimedStream};

/// One in so many threads stays at the listener when connections are kept: fewer would often be
/// the last and close kept connections again.
const ACCEPTING: u32 = 4;

/// The idle threads of a process.
#[derive(Debug)]
pub(crate) struct Idle {
    threads: u32,
    accepting: AtomicU32,
    kept: Vec<Mutex<Option<Arc<TimedStream>>>>,
}

impl Idle {
    /// Of `threads` worker threads, none of which waits, with `places` for them and for those that
    /// take the place of stuck ones.
    pub(crate) fn new(threads: u32, places: u32) -> Self {
        let kept = (0..places).map(|_| Mutex::default()).collect();
        Self { threads, accepting: AtomicU32::new(0), kept }
    }

    /// A thread begins to wait for a new connection.
    pub(crate) fn begin_accept(&self) {
        self.accepting.fetch_add(1, Ordering::SeqCst);
    }

    /// It no longer does; with a connection to serve it may be some time until it is back.
    pub(crate) fn end_accept(&self, has_connection: bool) {
        let is_last = self.accepting.fetch_sub(1, Ordering::SeqCst) == 1;
        fence(Ordering::SeqCst);
        if is_last && has_connection {
            self.release_one();
        }
    }

    /// Whether a connection may be kept: enough other threads wait for new ones.
    pub(crate) fn may_keep(&self) -> bool {
        self.accepting.load(Ordering::Relaxed) >= self.threads.div_ceil(ACCEPTING)
    }

    /// Thread `index` begins to wait on a kept connection; `false` when it must not.
    pub(crate) fn begin_keep(&self, index: u32, stream: &Arc<TimedStream>) -> bool {
        if let Some(mut place) = self.place(index) {
            *place = Some(Arc::clone(stream));
        }
        // Either this sees that nobody waits at the listener, or whoever leaves it as the last
        // sees the kept connection.
        fence(Ordering::SeqCst);
        self.accepting.load(Ordering::SeqCst) > 0 || !self.end_keep(index)
    }

    /// The thread no longer does; `false` when its connection was closed meanwhile.
    pub(crate) fn end_keep(&self, index: u32) -> bool {
        self.place(index).is_some_and(|mut place| place.take().is_some())
    }

    fn place(&self, index: u32) -> Option<MutexGuard<'_, Option<Arc<TimedStream>>>> {
        let place = self.kept.get(index as usize)?;
        Some(place.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a thread that waits on a kept connection to the listener.
    fn release_one(&self) {
        let mut places = (0..u32::try_from(self.kept.len()).unwrap_or(0)).rev();
        places.any(|index| {
            let stream = self.place(index).and_then(|mut place| place.take());
            stream.is_some_and(|stream| {
                socket::shutdown(stream.socket());
                true
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;
    use wsgi_ipc::socket::stream_pair;

    fn stream() -> (Arc<TimedStream>, OwnedFd) {
        let (left, right) = stream_pair().unwrap();
        (Arc::new(TimedStream::new(left, 1)), right)
    }

    #[test]
    fn the_last_to_leave_the_listener_closes_a_kept_connection() {
        let idle = Idle::new(3, 3);
        let (stream, httpd) = stream();
        idle.begin_accept();
        idle.begin_accept();
        assert!(idle.begin_keep(2, &stream));
        idle.end_accept(true);
        assert!(!socket::poll_readable(std::os::fd::AsFd::as_fd(&httpd), 0).unwrap());
        idle.end_accept(true);
        let mut byte = [0u8];
        assert_eq!(stream.receive_idle(&mut byte).unwrap(), 0);
        assert!(!idle.end_keep(2), "it was closed by another thread");
        assert!(!idle.begin_keep(2, &stream), "nobody waits at the listener");
    }

    #[test]
    fn an_interrupted_accept_closes_nothing() {
        let idle = Idle::new(2, 2);
        let (stream, _httpd) = stream();
        idle.begin_accept();
        assert!(idle.begin_keep(1, &stream));
        idle.end_accept(false);
        assert!(idle.end_keep(1));
    }

    #[test]
    fn some_threads_stay_at_the_listener() {
        for (threads, enough) in [(1, 1), (4, 1), (5, 2), (15, 4)] {
            let idle = Idle::new(threads, threads);
            let needed = (0..threads).take_while(|_| {
                let may = idle.may_keep();
                idle.begin_accept();
                !may
            });
            assert_eq!(needed.count(), enough, "{threads} threads");
        }
    }
}
