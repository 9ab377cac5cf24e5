//! The seam between a request and the engine that answers it.
//!
//! `src/handler/embedded.rs` (through the C-ABI table of [`crate::embedded`]) and the daemon's
//! connection implement [`Exchange`]; engines see nothing else, so the WSGI code exists once and
//! behaves the same in both placements.

use std::{ffi::c_void, os::fd::BorrowedFd};

use crate::{activity::Activity, head::ResponseHead, level::Level};

/// One request with its response in progress.
///
/// Every method may block and is called detached from the interpreter. Methods take `&self`:
/// an application may use `wsgi.input` and `write()` from several of its threads, so
/// implementations lock what they share.
pub trait Exchange: Sync {
    /// The application is about to be loaded and run: from here on the request must not be
    /// given to another process. Called exactly once, unless the engine answers
    /// [`Outcome::Stale`].
    fn begin(&self);

    /// Reads the next bytes of the request body into `buffer`; 0 means its end.
    fn read_body(&self, buffer: &mut [u8]) -> Result<usize, BodyError>;

    /// Reads on from `position`, which may be beyond the end. Only where
    /// [`crate::head::RequestHead::body_length`] is known.
    fn seek_body(&self, _position: u64) -> Result<(), BodyError> {
        Err(BodyError { reason: "the request body is not kept".to_owned() })
    }

    /// Sets status and headers. Nothing needs to leave before the first [`Exchange::write`],
    /// [`Exchange::send_file`] or the end of the request. Called at most once.
    fn send_head(&self, head: &ResponseHead<'_>) -> Result<(), SendError>;

    /// Sends one block of the response body.
    fn write(&self, block: &[u8], pace: Pace) -> Result<(), SendError>;

    /// Sends `length` bytes of a regular file from `offset`, whatever its own position is.
    fn send_file(&self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), SendError>;

    /// Whether the client is known to have gone away; nobody has to find out.
    fn is_aborted(&self) -> bool {
        false
    }

    /// A variable of httpd's TLS module; only deciding scripts ask for it.
    fn tls_variable(&self, _name: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// httpd's `request_rec`, where the request is answered in httpd's own process; it is valid
    /// until the request ends. Null elsewhere.
    fn request_record(&self) -> *mut c_void {
        std::ptr::null_mut()
    }

    /// Where those who look on see what the request's thread does, if anybody can.
    fn activity(&self) -> Option<&Activity> {
        None
    }

    /// How often httpd has sent the request to processes that have handed it back, or were gone.
    fn earlier_attempts(&self) -> u16 {
        0
    }

    /// Logs one record in the context of this request (may contain newlines). `source` is what
    /// `%F` of ErrorLogFormat shows.
    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>);
}

/// Where in an application's code a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The file.
    pub file: &'a str,
    /// Number of the line, from 1.
    pub line: u32,
}

/// What follows a block of the response body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Another block, or the end, follows without user code that could pause: may be held back.
    More,
    /// Nobody knows when the next block comes: the client must get this one now.
    Unknown,
}

/// Why the request body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BodyError {
    /// Text for the application's `OSError`.
    pub reason: String,
}

/// Why the response could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The client has gone away.
    #[error("client connection closed")]
    ClientGone,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// How an engine ended a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The response is complete.
    Completed,
    /// The response began but is not complete (exception, body shorter than its
    /// Content-Length): the client must be able to see that.
    Truncated,
    /// No response was begun: the host answers with this status.
    Failed(u16),
    /// Nothing was run: the script has changed and this process must be replaced.
    Stale,
}
