//! A limit for the end of a child of httpd.
//!
//! A child of prefork ends in a signal's handler, wherever that has interrupted it: in a request, in
//! malloc. So neither memory nor a lock nor another thread is needed here (signal-safety(7)).

use nix::{
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    unistd::alarm,
};

/// Ends this process in so many seconds, whatever it does until then.
pub(crate) fn end_within(seconds: u32) {
    let handler = SigHandler::Handler(on_alarm);
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler calls nothing but `_exit`, which a handler may (signal-safety(7)). Without
    // it the signal's default would end the process as well.
    unsafe { sigaction(Signal::SIGALRM, &action) }.ok();
    // Threaded MPMs have blocked all signals in the thread that ends.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGALRM);
    signals.thread_unblock().ok();
    alarm::set(seconds);
}

extern "C" fn on_alarm(_: i32) {
    // SAFETY: takes a number, and does not return.
    unsafe { libc::_exit(0) }
}
