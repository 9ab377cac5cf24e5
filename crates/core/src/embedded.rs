//! The C-ABI table between the httpd module and the library that hosts CPython in its children.
//!
//! Only types stand here. Heads cross as the bytes of [`crate::head`], the configuration as JSON
//! of [`crate::control::EngineSpec`]; both sides compare [`ABI`] before anything else.

use std::ffi::c_void;

use crate::activity::Activity;

/// Changes with every change of this file or of the codecs.
pub const ABI: u32 = 10;

/// Name of the entry point that the library exports, of type [`Entry`].
pub const ENTRY: &std::ffi::CStr = c"wsgi_embedded_entry";

/// Returns the library's table, or null when `abi` is not [`ABI`].
pub type Entry = unsafe extern "C" fn(abi: u32) -> *const EmbeddedTable;

/// Room for the reason of a failure; what does not fit is cut.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Reason {
    /// Bytes used of `text`.
    pub length: usize,
    /// UTF-8 text.
    pub text: [u8; 512],
}

impl Reason {
    /// An empty reason.
    pub const EMPTY: Self = Self { length: 0, text: [0; 512] };

    /// Sets the text, cut at a character border.
    pub fn set(&mut self, text: &str) {
        let end = text.floor_char_boundary(self.text.len());
        let source = text.as_bytes().get(..end).unwrap_or_default();
        if let Some(target) = self.text.get_mut(..end) {
            target.copy_from_slice(source);
            self.length = end;
        }
    }

    /// The text.
    pub fn get(&self) -> String {
        String::from_utf8_lossy(self.text.get(..self.length).unwrap_or(&self.text)).into_owned()
    }
}

/// What [`HostTable`] functions return when they fail; 0 or above is success.
pub mod failure {
    /// The client has gone away.
    pub const CLIENT_GONE: isize = -1;
    /// Any other failure; the reason says which.
    pub const OTHER: isize = -2;
}

/// The host's functions: one [`crate::exchange::Exchange`] over the C ABI. `exchange` is the
/// pointer that [`EmbeddedTable::serve`] was given and valid until that returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct HostTable {
    /// [`crate::exchange::Exchange::begin`].
    pub begin: unsafe extern "C" fn(exchange: *mut c_void),
    /// [`crate::exchange::Exchange::read_body`]: bytes read, or a [`failure`].
    pub read_body: unsafe extern "C" fn(
        exchange: *mut c_void,
        buffer: *mut u8,
        capacity: usize,
        reason: *mut Reason,
    ) -> isize,
    /// [`crate::exchange::Exchange::seek_body`]: 0, or a [`failure`].
    pub seek_body:
        unsafe extern "C" fn(exchange: *mut c_void, position: u64, reason: *mut Reason) -> isize,
    /// [`crate::exchange::Exchange::is_aborted`]: 1 or 0.
    pub is_aborted: unsafe extern "C" fn(exchange: *mut c_void) -> isize,
    /// [`crate::exchange::Exchange::send_head`] with an encoded head.
    pub send_head: unsafe extern "C" fn(
        exchange: *mut c_void,
        head: *const u8,
        length: usize,
        reason: *mut Reason,
    ) -> isize,
    /// [`crate::exchange::Exchange::write`]; `more` is 1 for [`crate::exchange::Pace::More`].
    pub write: unsafe extern "C" fn(
        exchange: *mut c_void,
        block: *const u8,
        length: usize,
        more: u8,
        reason: *mut Reason,
    ) -> isize,
    /// [`crate::exchange::Exchange::send_file`].
    pub send_file: unsafe extern "C" fn(
        exchange: *mut c_void,
        file: i32,
        offset: u64,
        length: u64,
        reason: *mut Reason,
    ) -> isize,
    /// [`crate::exchange::Exchange::tls_variable`]: `answer` is called once with `place` where there
    /// is a value.
    pub tls_variable: unsafe extern "C" fn(
        exchange: *mut c_void,
        name: *const u8,
        length: usize,
        answer: Answer,
        place: *mut c_void,
    ),
    /// [`crate::exchange::Exchange::request_record`].
    pub request_record: unsafe extern "C" fn(exchange: *mut c_void) -> *mut c_void,
    /// Copies httpd's scoreboard: `answer` is called once with `place` and the bytes of
    /// [`crate::server_metrics`], or not at all. Any thread of the child may call it.
    pub server_metrics: unsafe extern "C" fn(answer: Answer, place: *mut c_void),
    /// Logs a record (UTF-8) of the request, or of the server when `exchange` is null. `source` is
    /// null or lasts as long as the call.
    pub log: unsafe extern "C" fn(
        exchange: *mut c_void,
        level: u8,
        record: *const u8,
        length: usize,
        source: *const LogSource,
    ),
}

/// A [`crate::exchange::Source`] over the C ABI.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LogSource {
    /// Name of the file (UTF-8), not terminated.
    pub file: *const u8,
    /// Its length.
    pub length: usize,
    /// Number of the line.
    pub line: u32,
}

/// Takes the bytes of an answer, valid during the call.
pub type Answer = unsafe extern "C" fn(place: *mut c_void, bytes: *const u8, length: usize);

/// The library's functions.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedTable {
    /// Starts CPython with the JSON of an [`crate::control::EngineSpec`]; 0 is success. Called
    /// once, in child_init, before the child has threads.
    pub start: unsafe extern "C" fn(
        host: *const HostTable,
        spec: *const u8,
        length: usize,
        reason: *mut Reason,
    ) -> i32,
    /// Answers one request in the thread with this number; returns [`served`]. Any thread of the
    /// child may call it. `activity` is null or as valid as `exchange`.
    pub serve: unsafe extern "C" fn(
        exchange: *mut c_void,
        activity: *const Activity,
        thread: u32,
        head: *const u8,
        length: usize,
    ) -> i32,
    /// Asks a script that decides: an encoded [`crate::decide::Question`]. The verdict's bytes
    /// are given to `answer` once, with `place`, during the call; a call without an answer has
    /// failed. Any thread of the child may call it.
    pub decide: unsafe extern "C" fn(
        exchange: *mut c_void,
        question: *const u8,
        length: usize,
        answer: Answer,
        place: *mut c_void,
    ),
    /// Ends the interpreters and CPython (best effort). Called once, at the end of the child.
    pub stop: unsafe extern "C" fn(),
}

/// Numbers of [`crate::exchange::Outcome`] as [`EmbeddedTable::serve`] returns them; a status of
/// [`crate::exchange::Outcome::Failed`] stands for itself (100 to 999).
pub mod served {
    /// [`crate::exchange::Outcome::Completed`].
    pub const COMPLETED: i32 = 0;
    /// [`crate::exchange::Outcome::Truncated`].
    pub const TRUNCATED: i32 = 1;
}
