//! [`Exchange`] over the host's table of C functions.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::guard::guard;

use wsgi_core::{
    activity::Activity,
    embedded::{HostTable, LogSource, Reason, failure},
    exchange::{BodyError, Exchange, Pace, SendError, Source},
    head::ResponseHead,
    level::Level,
};

/// One request of an httpd child.
pub(crate) struct HostExchange<'a> {
    host: HostTable,
    exchange: *mut c_void,
    activity: Option<&'a Activity>,
    /// httpd's request structures are not made for several threads; an application may use its
    /// input and `write()` from any of its own.
    turn: Mutex<()>,
}

// SAFETY: the pointer is given to the host's functions only under `turn`.
unsafe impl Sync for HostExchange<'_> {}

impl HostExchange<'_> {
    /// # Safety
    /// `exchange` is valid for the functions of `host` as long as the value lives, as is
    /// `activity` unless it is null.
    pub(crate) unsafe fn new(
        host: HostTable,
        exchange: *mut c_void,
        activity: *const Activity,
    ) -> Self {
        // SAFETY: by the contract above.
        let activity = unsafe { activity.as_ref() };
        Self { host, exchange, activity, turn: Mutex::new(()) }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A result of the host's sending functions.
    fn sent(status: isize, reason: &Reason) -> Result<(), SendError> {
        match status {
            0.. => Ok(()),
            failure::CLIENT_GONE => Err(SendError::ClientGone),
            _ => Err(SendError::Failed(reason.get())),
        }
    }
}

impl Exchange for HostExchange<'_> {
    fn begin(&self) {
        let _turn = self.turn();
        // SAFETY: the host's function with the host's exchange.
        unsafe { (self.host.begin)(self.exchange) }
    }

    fn read_body(&self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        let _turn = self.turn();
        let mut reason = Reason::EMPTY;
        let (start, length) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: the host's function and exchange; a buffer with its size.
        let count = unsafe { (self.host.read_body)(self.exchange, start, length, &raw mut reason) };
        usize::try_from(count).map_err(|_| BodyError {
            reason: match count {
                failure::CLIENT_GONE if reason.length == 0 => "Connection was terminated".into(),
                _ => reason.get(),
            },
        })
    }

    fn seek_body(&self, position: u64) -> Result<(), BodyError> {
        let _turn = self.turn();
        let mut reason = Reason::EMPTY;
        // SAFETY: the host's function and exchange.
        let status = unsafe { (self.host.seek_body)(self.exchange, position, &raw mut reason) };
        if status < 0 { Err(BodyError { reason: reason.get() }) } else { Ok(()) }
    }

    fn is_aborted(&self) -> bool {
        let _turn = self.turn();
        // SAFETY: the host's function and exchange.
        unsafe { (self.host.is_aborted)(self.exchange) == 1 }
    }

    fn send_head(&self, head: &ResponseHead<'_>) -> Result<(), SendError> {
        let _turn = self.turn();
        let mut bytes = Vec::with_capacity(512);
        head.encode(&mut bytes);
        let mut reason = Reason::EMPTY;
        let (start, length) = (bytes.as_ptr(), bytes.len());
        // SAFETY: the host's function and exchange; bytes with their length.
        let status =
            unsafe { (self.host.send_head)(self.exchange, start, length, &raw mut reason) };
        Self::sent(status, &reason)
    }

    fn write(&self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        let _turn = self.turn();
        let mut reason = Reason::EMPTY;
        let more = u8::from(pace == Pace::More);
        let (start, length) = (block.as_ptr(), block.len());
        // SAFETY: the host's function and exchange; bytes with their length.
        let status =
            unsafe { (self.host.write)(self.exchange, start, length, more, &raw mut reason) };
        Self::sent(status, &reason)
    }

    fn send_file(&self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), SendError> {
        let _turn = self.turn();
        let mut reason = Reason::EMPTY;
        let descriptor = file.as_raw_fd();
        // SAFETY: the host's function and exchange; a descriptor that is open meanwhile.
        let status = unsafe {
            (self.host.send_file)(self.exchange, descriptor, offset, length, &raw mut reason)
        };
        Self::sent(status, &reason)
    }

    fn tls_variable(&self, name: &[u8]) -> Option<Vec<u8>> {
        let _turn = self.turn();
        let mut value: Option<Vec<u8>> = None;
        let (start, length, place) = (name.as_ptr(), name.len(), (&raw mut value).cast());
        // SAFETY: the host's function and exchange; bytes with their length; `take_value` is
        // given the pointer to a value that it expects.
        unsafe { (self.host.tls_variable)(self.exchange, start, length, take_value, place) };
        value
    }

    fn request_record(&self) -> *mut c_void {
        let _turn = self.turn();
        // SAFETY: the host's function with the host's exchange.
        unsafe { (self.host.request_record)(self.exchange) }
    }

    fn activity(&self) -> Option<&Activity> {
        self.activity
    }

    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>) {
        let _turn = self.turn();
        // SAFETY: the host's exchange is valid.
        unsafe { log_to_host(&self.host, self.exchange, level, record, source) }
    }
}

/// A copy of httpd's scoreboard, as [`wsgi_core::server_metrics`] encodes it.
pub(crate) fn server_metrics(host: &HostTable) -> Option<Vec<u8>> {
    let mut value: Option<Vec<u8>> = None;
    // SAFETY: the host's function; `take_value` is given the pointer to a value that it expects.
    unsafe { (host.server_metrics)(take_value, (&raw mut value).cast()) };
    value
}

unsafe extern "C" fn take_value(place: *mut c_void, bytes: *const u8, length: usize) {
    guard("take_value", (), || {
        // SAFETY: the host passes bytes with their length for the call.
        let value = unsafe { slice(bytes, length) }.to_vec();
        // SAFETY: its callers pass a pointer to their value, which nobody uses meanwhile.
        if let Some(place) = unsafe { place.cast::<Option<Vec<u8>>>().as_mut() } {
            *place = Some(value);
        }
    })
}

/// Logs a record.
///
/// # Safety
/// `exchange` is null or valid for the functions of `host`.
pub(crate) unsafe fn log_to_host(
    host: &HostTable,
    exchange: *mut c_void,
    level: Level,
    record: &str,
    source: Option<Source<'_>>,
) {
    let source = source.map(|Source { file, line }| LogSource {
        file: file.as_ptr(),
        length: file.len(),
        line,
    });
    let source = source.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let (level, start, length) = (level.number(), record.as_ptr(), record.len());
    // SAFETY: by the contract above; bytes with their length, and a place that outlives the call.
    unsafe { (host.log)(exchange, level, start, length, source) }
}

/// Bytes that the host passed.
///
/// # Safety
/// `start` is null or points to `length` bytes, valid for `'a`.
pub(crate) unsafe fn slice<'a>(start: *const u8, length: usize) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: by the contract above.
    unsafe { std::slice::from_raw_parts(start, length) }
}

/// Sets the reason of a failure.
///
/// # Safety
/// `reason` is null or a place for a reason.
pub(crate) unsafe fn tell(reason: *mut Reason, text: &str) {
    // SAFETY: by the contract above; the host initialised it.
    if let Some(reason) = unsafe { reason.as_mut() } {
        reason.set(text);
    }
}
