//! httpd's error log: records of a request, of a server and of the process.
//!
//! Texts are passed as an argument to a constant format, never as the format. A record of
//! warning or worse carries its number in front (`WSGI0134: …`, listed in docs/log-messages.md).

use std::ffi::{c_char, c_int};

use wsgi_core::level::Level;

use super::{Request, Server, module, text::c_string};
use crate::ffi;

/// No source file: most records come from an application or a daemon.
const FILE: *const c_char = std::ptr::null();

/// Longest text of one record; httpd cuts at about this length itself.
const LONGEST: usize = 8000;

/// Logs a record of a request; every line of `record` becomes one of its own.
pub(crate) fn request(request: Request<'_>, level: Level, code: Option<u16>, record: &str) {
    if !logs_request(request, level) {
        return;
    }
    for line in lines(code, record) {
        // SAFETY: a live request, a constant format, and one NUL-terminated argument for its %s.
        unsafe {
            ffi::ap_log_rerror_(
                FILE,
                0,
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

/// Whether a record of this level would be written for a request.
pub(crate) fn logs_request(request: Request<'_>, level: Level) -> bool {
    // SAFETY: a live request.
    let allowed = unsafe { ffi::ap_get_request_module_loglevel(request.as_ptr(), module::index()) };
    c_int::from(level.number()) <= allowed
}

/// Logs a record of a server.
pub(crate) fn server(server: Server<'_>, level: Level, code: Option<u16>, record: &str) {
    write(server.as_ptr(), level, code, record);
}

/// Logs a record that belongs to no server.
pub(crate) fn process(level: Level, code: Option<u16>, record: &str) {
    // SAFETY: a plain read of a pointer that httpd sets once per configuration, before children
    // and their threads exist.
    let main = unsafe { ffi::ap_server_conf };
    write(main, level, code, record);
}

fn write(server: *const ffi::server_rec, level: Level, code: Option<u16>, record: &str) {
    for line in lines(code, record) {
        // SAFETY: `server` is null (httpd then logs to its standard error) or a live server_rec;
        // constant format with one NUL-terminated argument; the pool may be null.
        unsafe {
            ffi::ap_log_error_(
                FILE,
                0,
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

/// Most severe level number written for `wsgi` in a server.
pub(crate) fn level_of(server: Server<'_>) -> Level {
    // SAFETY: a live server.
    let level = unsafe { ffi::ap_get_server_module_loglevel(server.as_ptr(), module::index()) };
    Level::from_number(u8::try_from(level).unwrap_or_default())
}

/// Tells the terminal (and the log) why httpd does not start.
pub(crate) fn startup(text: &str) {
    for line in lines(Some(1004), text) {
        // SAFETY: no server; constant format with one NUL-terminated argument.
        unsafe {
            ffi::ap_log_error_(
                FILE,
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
