//! Signals of a daemon process: those that ask for something, which the watcher learns of, and one
//! that wakes idle threads.
//!
//! Handlers, not a blocked mask with signalfd: programs that the application starts inherit the
//! mask, and would then ignore SIGTERM. Handlers are reset by exec, and by us after fork.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    sync::atomic::{AtomicI32, AtomicU32, Ordering},
};

/// The eventfd that wakes the watcher; -1 before it is known.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// The signals that have come since the watcher looked, a bit each.
static CAUGHT: AtomicU32 = AtomicU32::new(0);

/// The signals that ask for something.
const ASKING: [i32; 6] =
    [libc::SIGTERM, libc::SIGINT, libc::SIGUSR1, libc::SIGXCPU, libc::SIGHUP, libc::SIGUSR2];

/// Installs the handlers; `wake` is written to when a signal comes, and must stay open.
pub(crate) fn install(wake: BorrowedFd<'_>) -> io::Result<()> {
    WAKE.store(wake.as_raw_fd(), Ordering::Relaxed);
    for signal in ASKING {
        set(signal, on_asking as *const () as libc::sighandler_t, libc::SA_RESTART)?;
    }
    // Without SA_RESTART, so that a wait returns.
    set(kick_signal(), on_kick as *const () as libc::sighandler_t, 0)
}

/// Back to the defaults, in a forked child: its SIGTERM must end it, and not us. Handlers that the
/// application has set stay.
pub(crate) fn reset() {
    for signal in ASKING {
        if handler(signal) == Some(on_asking as *const () as libc::sighandler_t) {
            // Cannot fail for these signals.
            set(signal, libc::SIG_DFL, 0).ok();
        }
    }
}

/// What a signal does now.
fn handler(signal: i32) -> Option<libc::sighandler_t> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: no new action; the old one is written to a place of its type.
    let result = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: a successful call has filled it.
    (result == 0).then(|| unsafe { action.assume_init() }.sa_sigaction)
}

/// The signals that have come since the last call.
pub(crate) fn take() -> impl Iterator<Item = i32> {
    let caught = CAUGHT.swap(0, Ordering::Relaxed);
    ASKING.into_iter().filter(move |signal| caught & (1 << signal) != 0)
}

/// Makes a thread of this process return from a wait.
pub(crate) fn kick(thread: i32) {
    let (process, signal) = (std::process::id(), kick_signal());
    // SAFETY: tgkill only takes numbers; a thread that is gone is an error without effect, and
    // the handler does nothing.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
}

/// Sends SIGTERM to the first thread, where Python's handlers run.
pub(crate) fn terminate_first_thread() {
    let process = std::process::id();
    // SAFETY: tgkill only takes numbers; the first thread's is that of the process.
    unsafe { libc::syscall(libc::SYS_tgkill, process, process, libc::SIGTERM) };
}

/// A real-time signal that programs have no use for by convention.
fn kick_signal() -> i32 {
    libc::SIGRTMIN() + 7
}

/// Sets what a signal does; `handler` must be async-signal-safe.
pub(crate) fn set(signal: i32, handler: libc::sighandler_t, flags: i32) -> io::Result<()> {
    let mut mask = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills the set it is given.
    unsafe { libc::sigemptyset(mask.as_mut_ptr()) };
    // SAFETY: sigemptyset above has filled it.
    let sa_mask = unsafe { mask.assume_init() };
    let action =
        libc::sigaction { sa_sigaction: handler, sa_mask, sa_flags: flags, sa_restorer: None };
    // SAFETY: the action is a live value with a handler that is async-signal-safe (below) or
    // SIG_DFL; the old action is not asked for.
    match unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Async-signal-safe: an atomic change and a write.
fn note(signal: i32) {
    CAUGHT.fetch_or(1 << signal, Ordering::Relaxed);
    let wake = WAKE.load(Ordering::Relaxed);
    let one = 1u64.to_ne_bytes();
    // SAFETY: errno of this thread is always there; the code that was interrupted may be about
    // to look at it.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    // SAFETY: the buffer is eight live bytes; an eventfd takes them whole. Failing would mean
    // that it is full, which wakes as well.
    unsafe { libc::write(wake, one.as_ptr().cast(), one.len()) };
    // SAFETY: as above.
    unsafe { *errno = before };
}

extern "C" fn on_asking(signal: i32) {
    // Nothing in it can panic, and unwinding machinery has no place in a signal handler.
    note(signal);
}

extern "C" fn on_kick(_signal: i32) {
    // Its arrival is all: the system call returns with EINTR.
}
