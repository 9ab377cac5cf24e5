//! Process handles: watching and signalling processes that may not be children; threads that take
//! no signal.

use std::{
    fs, io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr, thread,
};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions};

use crate::scoreboard::End;

/// A process that cannot be mistaken for a later one with the same id.
#[derive(Debug)]
pub struct ProcessHandle {
    pidfd: OwnedFd,
}

impl ProcessHandle {
    /// The process with this id; an error when there is none.
    pub fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { pidfd: rustix::process::pidfd_open(pid, PidfdFlags::empty())? })
    }

    /// Readable when the process has ended.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Sends a signal; an error when the process has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(rustix::process::pidfd_send_signal(&self.pidfd, signal)?)
    }
}

/// What the kernel says of a process or a thread behind its name, proc(5) from field 3 on; `None` when it
/// is gone.
fn stat(folder: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("{folder}/stat")).ok()?;
    // The name in parentheses may hold anything, so look from its end.
    stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
}

/// When a process started, in the kernel's ticks since boot; `None` when it is gone.
pub fn start_time(pid: u32) -> Option<u64> {
    stat(&format!("/proc/{pid}"))?.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Bytes of memory that a process has in use; `None` when it is gone.
pub fn resident_size(pid: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

/// Whether a thread of this process waits for something else than a processor; also where that cannot
/// be known. One that strace or a debugger has stopped (`t`) would run.
pub fn sleeps(thread: i32) -> bool {
    stat(&format!("/proc/self/task/{thread}")).is_none_or(|fields| !fields.starts_with(['R', 't']))
}

/// Whether a process has ended or is no child of this one. It stays to be reaped.
pub fn has_ended(pid: i32) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Pid::from_raw(pid)
        .is_none_or(|pid| !matches!(rustix::process::waitid(WaitId::Pid(pid), look), Ok(None)))
}

/// A child that has ended, reaped; `None` when none is waiting.
pub fn reap_any() -> Option<(u32, End)> {
    let (pid, status) = rustix::process::wait(WaitOptions::NOHANG).ok().flatten()?;
    let end = match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => End::Exited(status),
        (None, Some(signal)) => End::Signaled(signal),
        (None, None) => End::Unknown,
    };
    Some((pid.as_raw_nonzero().get().cast_unsigned(), end))
}

/// Starts a thread that takes no signal: httpd, or whoever hosts Python, expects them in threads of
/// its own.
pub fn spawn_quiet(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: fills the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the set just filled, and room for the old one. Threads inherit the mask.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    let started = thread::Builder::new().name(name.to_owned()).spawn(run);
    // SAFETY: the old set, filled by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    started.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_handle_signals_its_process_and_sees_it_end() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let handle = ProcessHandle::open(child.id()).unwrap();
        let pid = child.id().cast_signed();
        assert!(!has_ended(pid));
        assert!(start_time(child.id()).unwrap() > 0);
        assert!(!crate::socket::poll_readable(handle.descriptor(), 0).unwrap());
        handle.signal(Signal::TERM).unwrap();
        assert!(crate::socket::poll_readable(handle.descriptor(), 5000).unwrap());
        assert!(has_ended(pid), "and is still there");
        child.wait().unwrap();
        assert!(has_ended(pid), "it is nobody's now");
        assert!(handle.signal(Signal::TERM).is_err());
        assert_eq!(start_time(u32::MAX), None);
    }
}
