//! What a child that the application forks must not keep: the connections of running requests,
//! the listener, the control socket, and our signal handlers.
//!
//! A forked child is a copy of one thread in the middle of a request. If it returned to the
//! worker it would answer that request a second time: every use of a connection asks
//! [`is_forked`] first.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

use crate::signals;

/// Set in the child of a fork.
static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// Set in the process that has forked.
static HAS_FORKED: AtomicBool = AtomicBool::new(false);

/// Descriptors to close in a child; -1 is none.
static DESCRIPTORS: OnceLock<Vec<AtomicI32>> = OnceLock::new();

/// Places of descriptors that live as long as the process.
const PERMANENT: usize = 3;

/// Prepares for forks of a process with at most so many connections. `permanent` are the listener,
/// the control socket and what threads wait at. Called once.
pub(crate) fn install(
    connections: usize,
    permanent: [BorrowedFd<'_>; PERMANENT],
) -> io::Result<()> {
    let places = DESCRIPTORS
        .get_or_init(|| (0..connections + PERMANENT).map(|_| AtomicI32::new(-1)).collect());
    for (place, descriptor) in places.iter().rev().zip(permanent) {
        place.store(descriptor.as_raw_fd(), Ordering::Relaxed);
    }
    // SAFETY: both functions are safe to call at any time and live as long as the program, which
    // is never unloaded.
    match unsafe { libc::pthread_atfork(None, Some(in_parent), Some(in_child)) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Names the connection of a place, or none: there is one for each worker thread and behind them one for
/// each kept connection.
pub(crate) fn set_connection(place: usize, connection: Option<BorrowedFd<'_>>) {
    if let Some(place) = DESCRIPTORS.get().and_then(|places| places.get(place)) {
        let descriptor = connection.map_or(-1, |connection| connection.as_raw_fd());
        place.store(descriptor, Ordering::Relaxed);
    }
}

/// Whether this process is a child that the application forked.
pub(crate) fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Relaxed)
}

/// Whether some child may hold copies of descriptors that were opened since: those of a child
/// made without the handlers below (vfork, clone) end with its exec.
pub(crate) fn has_forked() -> bool {
    HAS_FORKED.load(Ordering::Relaxed)
}

fn guard(body: impl FnOnce()) {
    // There is nobody to tell: the bodies below only touch atomics and descriptors.
    catch_unwind(AssertUnwindSafe(body)).ok();
}

extern "C" fn in_parent() {
    guard(|| HAS_FORKED.store(true, Ordering::Relaxed));
}

extern "C" fn in_child() {
    guard(|| {
        IS_FORKED.store(true, Ordering::Relaxed);
        signals::reset();
        for place in DESCRIPTORS.get().into_iter().flatten() {
            let descriptor = place.swap(-1, Ordering::Relaxed);
            if descriptor >= 0 {
                // SAFETY: the descriptor belongs to this copy of the process alone, whose only
                // thread uses no connection once `is_forked`; close is async-signal-safe.
                unsafe { libc::close(descriptor) };
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_forked_child_has_no_connection() {
        let (left, right) = wsgi_ipc::socket::stream_pair().unwrap();
        let (listener, control) = wsgi_ipc::socket::stream_pair().unwrap();
        let (waiting, _other) = wsgi_ipc::socket::stream_pair().unwrap();
        let permanent = [listener.as_fd(), control.as_fd(), waiting.as_fd()];
        install(1, permanent).unwrap();
        set_connection(0, Some(left.as_fd()));
        // SAFETY: the child calls only fcntl and _exit.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let is_open = |fd: i32| {
                // SAFETY: F_GETFD only looks at a descriptor number.
                (unsafe { libc::fcntl(fd, libc::F_GETFD) }) >= 0
            };
            let gone = permanent.map(|fd| fd.as_raw_fd()).into_iter().chain([left.as_raw_fd()]);
            let is_right = is_forked() && !gone.into_iter().any(is_open);
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(if is_right && is_open(right.as_raw_fd()) { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: `status` is a live int.
        unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!(status, 0);
        assert!(!is_forked() && has_forked());
    }
}
