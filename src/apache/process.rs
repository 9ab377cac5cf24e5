//! What the httpd parent does with the process it starts, and codes of the system in words.

use std::{
    ffi::{c_int, c_void},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, RawFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    ptr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use super::{guard::guard, pool::Pool};
use crate::ffi;

/// The words of an APR status.
pub(crate) fn describe(status: ffi::apr_status_t) -> String {
    let mut text = [0u8; 256];
    // SAFETY: a buffer and its length; apr terminates the text.
    unsafe { ffi::apr_strerror(status, text.as_mut_ptr().cast(), text.len()) };
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Starts `program` with `control` as descriptor 3 and nothing else beside the standard ones;
/// its standard input is empty. Returns its process id.
pub(crate) fn start(program: &Path, control: BorrowedFd<'_>) -> io::Result<i32> {
    const CONTROL: RawFd = wsgi_core::control::SUPERVISOR_CONTROL;
    let control = control.as_raw_fd();
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    let prepare = move || {
        let status = if control == CONTROL {
            // SAFETY: clears CLOEXEC of an open descriptor.
            unsafe { libc::fcntl(control, libc::F_SETFD, 0) }
        } else {
            // SAFETY: copies an open descriptor; the copy is not closed by exec.
            unsafe { libc::dup2(control, CONTROL) }
        };
        if status < 0 {
            return Err(io::Error::last_os_error());
        }
        // CLOEXEC instead of closing: the pipe by which std reports a failed exec stays usable.
        let first = CONTROL.cast_unsigned() + 1;
        // SAFETY: no memory involved; an old kernel's ENOSYS leaves httpd's own CLOEXEC flags.
        unsafe {
            libc::syscall(
                libc::SYS_close_range,
                first,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        Ok(())
    };
    // SAFETY: `prepare` only makes async-signal-safe system calls.
    let child = unsafe { command.pre_exec(prepare) }.spawn()?;
    // The process is waited for by httpd (other child) or by `wait`, not through this handle.
    i32::try_from(child.id()).map_err(io::Error::other)
}

/// Waits until a child has ended, at most so long; whether it has.
pub(crate) fn wait(pid: i32, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        let mut status: c_int = 0;
        // SAFETY: room for the answer.
        let ended = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
        if ended != 0 {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends a child of ours by SIGKILL.
pub(crate) fn kill(pid: i32) {
    // SAFETY: no memory involved; the process is an unreaped child, so the id is still its own.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Why httpd calls about a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChildNews {
    /// It has ended (or was lost).
    Ended,
    /// httpd restarts; the child lives.
    Restart,
}

/// What is done when httpd learns about a child.
pub(crate) trait ChildWatcher {
    /// Called in the parent, on its only thread.
    fn news(pid: i32, news: ChildNews);
}

/// Has httpd watch a child that it did not start (`apr_proc_other_child_register`) for as long
/// as `pool` lives.
pub(crate) fn watch<W: ChildWatcher>(pid: i32, pool: Pool<'_>) {
    let process = Box::new(ffi::apr_proc_t {
        pid,
        in_: ptr::null_mut(),
        out: ptr::null_mut(),
        err: ptr::null_mut(),
    });
    let process = ptr::from_ref(pool.own(process).as_ref()).cast_mut();
    // SAFETY: the record lives in the pool, like the registration; the pid travels as data.
    unsafe {
        ffi::apr_proc_other_child_register(
            process,
            Some(other_child::<W>),
            process.cast(),
            ptr::null_mut(),
            pool.as_ptr(),
        );
    }
}

unsafe extern "C" fn other_child<W: ChildWatcher>(reason: c_int, data: *mut c_void, _: c_int) {
    guard("other_child", || {
        // SAFETY: registered by `watch` with this record, which lives as long.
        let Some(process) = (unsafe { data.cast::<ffi::apr_proc_t>().as_ref() }) else { return };
        match reason.cast_unsigned() {
            ffi::APR_OC_REASON_DEATH | ffi::APR_OC_REASON_LOST => {
                // SAFETY: the registration this callback belongs to; it calls back once more,
                // with UNREGISTER, which does nothing here.
                unsafe { ffi::apr_proc_other_child_unregister(data) };
                W::news(process.pid, ChildNews::Ended);
            }
            ffi::APR_OC_REASON_RESTART => W::news(process.pid, ChildNews::Restart),
            _ => {}
        }
    });
}

/// Closes httpd's own listening sockets, so that no client connects and waits for nothing.
pub(crate) fn close_listeners() {
    // SAFETY: called in the parent while it exits.
    unsafe { ffi::ap_close_listeners() };
}

/// Whom httpd's children run as.
pub(crate) fn httpd_identity() -> (u32, u32) {
    let config = &raw const ffi::ap_unixd_config;
    // SAFETY: a plain read of a record that httpd fills while it reads its configuration.
    let uid = unsafe { (*config).user_id };
    // SAFETY: as above.
    let gid = unsafe { (*config).group_id };
    (uid, gid)
}

/// Whether processes that crash are to leave an image (`CoreDumpDirectory`).
pub(crate) fn dumps_core() -> bool {
    // SAFETY: a plain read of a number that httpd sets while it reads its configuration.
    unsafe { ffi::ap_coredumpdir_configured != 0 }
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    // SAFETY: no memory involved.
    unsafe { libc::geteuid() == 0 }
}

/// The id of an httpd child, once it has started: glibc asks the kernel every time.
static CHILD: AtomicU32 = AtomicU32::new(0);

/// Called when an httpd child starts.
pub(crate) fn remember_child() {
    CHILD.store(std::process::id(), Ordering::Relaxed);
}

/// This process's id.
pub(crate) fn own_pid() -> u32 {
    match CHILD.load(Ordering::Relaxed) {
        0 => std::process::id(),
        pid => pid,
    }
}
