//! What the log gets when the process dies of a signal: which one, the requests in progress, and
//! the Python stacks of all threads. The process dies of the signal all the same.
//!
//! The handler calls nothing that allocates or waits.

use std::{
    fmt::{self, Write},
    io,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{forked, signals, state::Daemon};

/// The signals a process dies of because of a fault in it.
const FATAL: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];

/// The process that the handler tells about.
static DAEMON: OnceLock<&'static Daemon> = OnceLock::new();

/// The handler has been called: a second fault is in the handler itself.
static IS_DYING: AtomicBool = AtomicBool::new(false);

/// Longest line.
const LONGEST: usize = 600;

/// Installs the handler.
pub(crate) fn install(daemon: &'static Daemon) -> io::Result<()> {
    DAEMON.get_or_init(|| daemon);
    for signal in FATAL {
        // On the stack that std gives every thread for it: its own may be exhausted.
        signals::set(signal, on_fatal as *const () as libc::sighandler_t, libc::SA_ONSTACK)?;
    }
    Ok(())
}

extern "C" fn on_fatal(signal: i32) {
    // Nothing in it can panic, and unwinding machinery has no place in a signal handler.
    die_of(signal);
}

fn die_of(signal: i32) {
    // A child that the application forked is not the process of these requests.
    if !IS_DYING.swap(true, Ordering::Relaxed) && !forked::is_forked() {
        tell(signal);
    }
    // Cannot fail for these signals.
    signals::set(signal, libc::SIG_DFL, 0).ok();
    // SAFETY: takes a number. The signal is blocked until the handler returns, and then ends the
    // process.
    unsafe { libc::raise(signal) };
}

fn tell(signal: i32) {
    let Some(daemon) = DAEMON.get() else { return };
    // SAFETY: returns a number.
    let thread = unsafe { libc::pthread_self() };
    let mut line = Line::default();
    // Writing to a line cannot fail.
    write!(
        line,
        "WSGI1224: Fatal signal {signal} in daemon process '{}' with pid={}, thread {thread:#018x}.",
        daemon.group(),
        std::process::id()
    )
    .ok();
    line.send();
    for worker in &daemon.workers {
        worker.glance(&mut |[method, uri], thread| {
            let mut line = Line::default();
            write!(line, "Request in progress in thread {thread:#018x}: ").ok();
            line.push(method);
            line.push(b" ");
            line.push(uri);
            line.send();
        });
    }
    wsgi_python::write_stacks(rustix::stdio::stderr());
}

/// A line of the log, cut where it is too long.
struct Line {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: [0; LONGEST], length: 0 }
    }
}

impl Line {
    /// Appends bytes; what could drive a terminal is replaced.
    fn push(&mut self, bytes: &[u8]) {
        // One byte is left for the newline.
        let room = self.bytes.get_mut(self.length..LONGEST - 1).unwrap_or_default();
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = if byte.is_ascii_control() { b'?' } else { *byte };
            self.length += 1;
        }
    }

    /// Writes the line with one system call.
    fn send(&mut self) {
        if let Some(end) = self.bytes.get_mut(self.length) {
            *end = b'\n';
        }
        let line = self.bytes.get(..=self.length).unwrap_or_default();
        // A log that cannot be written to leaves no place to say so.
        rustix::io::write(rustix::stdio::stderr(), line).ok();
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_control_characters_and_an_end() {
        let mut line = Line::default();
        write!(line, "{:#x} ", 255).unwrap();
        line.push(b"/a\x1b[31m\n");
        assert_eq!(&line.bytes[..line.length], b"0xff /a?[31m?");
        line.push(&[b'x'; 2 * LONGEST]);
        assert_eq!(line.length, LONGEST - 1);
    }
}
