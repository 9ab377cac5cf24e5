//! httpd's error log: records of a request, of a server and of the process.
//!
//! Texts are passed as an argument to a constant format, never as the format. A record of
//! warning or worse carries its number in front (`WSGI0134: …`, listed in docs/log-messages.md).

use std::{
    ffi::{CString, c_char, c_int},
    os::fd::BorrowedFd,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::{fs::FlockOperation, io::Errno};
use wsgi_core::{exchange::Source, level::Level};

use super::{Request, Server, module, text::c_string};
use crate::ffi;

/// Longest text of one record; httpd cuts at about this length itself.
const LONGEST: usize = 8000;

/// Logs a record of a request; every line of `record` becomes one of its own.
pub(crate) fn request(request: Request<'_>, level: Level, code: Option<u16>, record: &str) {
    write_request(request, level, code, record, &Place::NONE);
}

/// Logs a record of the code of an application, of a request or of the process.
pub(crate) fn application(
    request: Option<Request<'_>>,
    level: Level,
    record: &str,
    source: Option<Source<'_>>,
) {
    let place = source.map_or(Place::NONE, Place::new);
    match request {
        Some(request) => write_request(request, level, None, record, &place),
        None => write(main_server(), level, None, record, &place),
    }
}

/// What `%F` of ErrorLogFormat shows.
struct Place {
    /// `None` shows nothing: most records come from a daemon, or have nothing to do with one place.
    file: Option<CString>,
    line: c_int,
}

impl Place {
    const NONE: Self = Self { file: None, line: 0 };

    fn new(source: Source<'_>) -> Self {
        let line = c_int::try_from(source.line).unwrap_or(c_int::MAX);
        Self { file: Some(c_string(source.file)), line }
    }

    fn file(&self) -> *const c_char {
        self.file.as_ref().map_or(std::ptr::null(), |file| file.as_ptr())
    }
}

fn write_request(
    request: Request<'_>,
    level: Level,
    code: Option<u16>,
    record: &str,
    place: &Place,
) {
    if !logs_request(request, level) {
        return;
    }
    let log = request.server().and_then(Server::error_log);
    let _together = record.contains('\n').then(|| Together::begin(log));
    for line in lines(code, record) {
        // SAFETY: a live request, null or a NUL-terminated name, a constant format, and one
        // NUL-terminated argument for its %s.
        unsafe {
            ffi::ap_log_rerror_(
                place.file(),
                place.line,
                module::index(),
                c_int::from(level.number()),
                0,
                request.as_ptr(),
                c"%s".as_ptr(),
                line.as_ptr(),
            );
        }
    }
}

/// The lines of one record stay together: until it is dropped nobody of this module writes another
/// record of several lines to the log, in whichever process.
struct Together<'l> {
    log: Option<BorrowedFd<'l>>,
    _here: MutexGuard<'static, ()>,
}

/// How often a lock is tried, and the pause after each: a process that was stopped while it had it
/// keeps nobody from logging.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(1);

impl<'l> Together<'l> {
    fn begin(log: Option<BorrowedFd<'l>>) -> Self {
        // Locks of files are their process's: threads have one of their own.
        static HERE: Mutex<()> = Mutex::new(());
        let here = HERE.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ATTEMPTS {
            let Some(log) = log else { break };
            match rustix::fs::fcntl_lock(log, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::AGAIN | Errno::ACCESS) => thread::sleep(PAUSE),
                // It is ours, or nothing that can be locked (a pipe).
                _ => break,
            }
        }
        Self { log, _here: here }
    }
}

impl Drop for Together<'_> {
    fn drop(&mut self) {
        if let Some(log) = self.log {
            // What was not locked is not unlocked.
            rustix::fs::fcntl_lock(log, FlockOperation::NonBlockingUnlock).ok();
        }
    }
}

/// Whether a record of this level would be written for a request.
pub(crate) fn logs_request(request: Request<'_>, level: Level) -> bool {
    level <= level_of_request(request)
}

/// Least severe level that is written for a request.
pub(crate) fn level_of_request(request: Request<'_>) -> Level {
    // SAFETY: a live request.
    let level = unsafe { ffi::ap_get_request_module_loglevel(request.as_ptr(), module::index()) };
    Level::from_number(u8::try_from(level).unwrap_or_default())
}

/// Logs a record of a server.
pub(crate) fn server(server: Server<'_>, level: Level, code: Option<u16>, record: &str) {
    write(server.as_ptr(), level, code, record, &Place::NONE);
}

/// Logs a record that belongs to no server.
pub(crate) fn process(level: Level, code: Option<u16>, record: &str) {
    write(main_server(), level, code, record, &Place::NONE);
}

/// The main server; null before there is a configuration.
fn main_server() -> *const ffi::server_rec {
    // SAFETY: a plain read of a pointer that httpd sets once per configuration, before children
    // and their threads exist.
    unsafe { ffi::ap_server_conf }
}

fn write(
    server: *const ffi::server_rec,
    level: Level,
    code: Option<u16>,
    record: &str,
    place: &Place,
) {
    for line in lines(code, record) {
        // SAFETY: `server` is null (httpd then logs to its standard error) or a live server_rec;
        // constant format with one NUL-terminated argument; the pool may be null.
        unsafe {
            ffi::ap_log_error_(
                place.file(),
                place.line,
                module::index(),
                c_int::from(level.number()),
                0,
                server,
                c"%s".as_ptr(),
                line.as_ptr(),
            );
        }
    }
}

fn lines(code: Option<u16>, record: &str) -> impl Iterator<Item = std::ffi::CString> + '_ {
    let tag = code.map(|code| format!("WSGI{code:04}: ")).unwrap_or_default();
    record.split('\n').map(move |line| {
        let line = line.trim_end_matches('\r').replace('\0', "\\0");
        c_string(format!("{tag}{}", &line[..line.floor_char_boundary(LONGEST)]))
    })
}

/// Least severe level that is written for `wsgi` in a server.
pub(crate) fn level_of(server: Server<'_>) -> Level {
    server_level(server.as_ptr())
}

/// The same in the main server.
pub(crate) fn process_level() -> Level {
    let server = main_server();
    if server.is_null() { Level::default() } else { server_level(server) }
}

fn server_level(server: *const ffi::server_rec) -> Level {
    // SAFETY: a live server.
    let level = unsafe { ffi::ap_get_server_module_loglevel(server, module::index()) };
    Level::from_number(u8::try_from(level).unwrap_or_default())
}

/// Tells the terminal (and the log) why httpd does not start.
pub(crate) fn startup(text: &str) {
    for line in lines(Some(1004), text) {
        // SAFETY: no server; constant format with one NUL-terminated argument.
        unsafe {
            ffi::ap_log_error_(
                std::ptr::null(),
                0,
                module::index(),
                (ffi::APLOG_STARTUP | ffi::APLOG_EMERG).cast_signed(),
                0,
                std::ptr::null(),
                c"%s".as_ptr(),
                line.as_ptr(),
            );
        }
    }
}
