//! The request body: brigades in.

use std::ptr::NonNull;

use super::{Request, process};
use crate::ffi;

/// Reads the body of one request through its input filters (chunked coding removed, limits and
/// `100 Continue` handled there).
pub(crate) struct Body<'r> {
    request: Request<'r>,
    brigade: NonNull<ffi::apr_bucket_brigade>,
    ended: bool,
    /// The first bucket's data was handed out by [`Body::next`].
    is_lent: bool,
    /// Why nothing more can be read: httpd's filters would go on behind the fault.
    failed: Option<ReadError>,
}

/// Why a body cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadError {
    status: ffi::apr_status_t,
}

/// What one read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// This many bytes, never 0.
    Data(usize),
    /// Nothing is there yet (only when not waiting).
    NotYet,
    /// The body is complete.
    End,
}

/// What comes next of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next<'b> {
    /// Bytes where httpd has them, never none.
    Block(&'b [u8]),
    /// Nothing is there yet (only when not waiting).
    NotYet,
    /// The body is complete.
    End,
}

/// The first bucket of a brigade, with its data.
#[derive(Debug, Clone, Copy)]
struct Front {
    bucket: *mut ffi::apr_bucket,
    data: NonNull<u8>,
    length: usize,
}

/// What stands first in the brigade.
enum Found {
    Data(Front),
    NotYet,
    End,
}

impl<'r> Body<'r> {
    /// A reader for a request whose handler is running; `Err` is the status to answer with.
    pub(crate) fn open(request: Request<'r>) -> Result<Self, u16> {
        // SAFETY: a live request whose handler is running.
        let status = unsafe {
            ffi::ap_setup_client_block(request.as_ptr(), ffi::REQUEST_CHUNKED_DECHUNK.cast_signed())
        };
        if status != ffi::OK.cast_signed() {
            return Err(u16::try_from(status).unwrap_or(400));
        }
        let record = request.record();
        // SAFETY: the connection outlives its requests.
        let allocator = unsafe { (*record.connection).bucket_alloc };
        // SAFETY: a live pool and allocator; the brigade lives in the pool.
        let brigade = unsafe { ffi::apr_brigade_create(record.pool, allocator) };
        let brigade = NonNull::new(brigade).ok_or(500u16)?;
        Ok(Self { request, brigade, ended: false, is_lent: false, failed: None })
    }

    /// Bytes that the client has announced and not sent; `None` for a chunked body.
    pub(crate) fn announced(&self) -> Option<u64> {
        let record = self.request.record();
        u64::try_from(record.remaining).ok().filter(|_| record.read_chunked == 0)
    }

    /// Reads up to `buffer.len()` bytes; `waits` says whether to wait for the first of them.
    pub(crate) fn read(&mut self, buffer: &mut [u8], waits: bool) -> Result<Read, ReadError> {
        if buffer.is_empty() {
            return Ok(Read::End);
        }
        let mut filled = 0;
        while filled < buffer.len() && (filled == 0 || !self.is_empty()) {
            let front = match self.find(buffer.len(), waits) {
                Ok(Found::Data(front)) => front,
                Ok(Found::NotYet) if filled == 0 => return Ok(Read::NotYet),
                Ok(Found::End) if filled == 0 => return Ok(Read::End),
                Err(error) if filled == 0 => return Err(error),
                // An error stays for the next call.
                Ok(Found::NotYet | Found::End) | Err(_) => break,
            };
            filled += self.copy(front, buffer.get_mut(filled..).unwrap_or_default());
        }
        Ok(Read::Data(filled))
    }

    /// The next bytes of the body without a copy: valid until the next call. About `wanted` of
    /// them are asked for; `waits` says whether to wait for them.
    pub(crate) fn next(&mut self, wanted: usize, waits: bool) -> Result<Next<'_>, ReadError> {
        Ok(match self.find(wanted, waits)? {
            Found::Data(front) => {
                self.is_lent = true;
                // SAFETY: the bucket's data, `length` bytes; the bucket stays until this reader,
                // which the slice borrows, is used again.
                Next::Block(unsafe {
                    std::slice::from_raw_parts(front.data.as_ptr(), front.length)
                })
            }
            Found::NotYet => Next::NotYet,
            Found::End => Next::End,
        })
    }

    /// Whether the body has been read to its end.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    fn is_empty(&self) -> bool {
        // SAFETY: a live brigade of ours.
        unsafe { ffi::wsgi_shim_brigade_is_empty(self.brigade.as_ptr()) != 0 }
    }

    /// Fetches buckets; false when nothing is there and nobody waits.
    fn fill(&mut self, wanted: usize, waits: bool) -> Result<bool, ReadError> {
        let mode = if waits {
            ffi::apr_read_type_e_APR_BLOCK_READ
        } else {
            ffi::apr_read_type_e_APR_NONBLOCK_READ
        };
        // SAFETY: the request's filter chain, used by the thread that serves it.
        let status = unsafe {
            ffi::ap_get_brigade(
                self.request.record().input_filters,
                self.brigade.as_ptr(),
                ffi::ap_input_mode_t_AP_MODE_READBYTES,
                mode,
                i64::try_from(wanted).unwrap_or(i64::MAX),
            )
        };
        // SAFETY: no memory involved.
        let is_eagain = unsafe { ffi::wsgi_shim_status_is_eagain(status) } != 0;
        if !waits && (is_eagain || (status == 0 && self.is_empty())) {
            return Ok(false);
        }
        if status != 0 {
            return Err(ReadError { status });
        }
        if self.is_empty() {
            // A blocking read that gives nothing has nothing more to give.
            return Err(ReadError { status: ffi::APR_EOF.cast_signed() });
        }
        Ok(true)
    }

    /// Looks for data, fetching more where none is left.
    fn find(&mut self, wanted: usize, waits: bool) -> Result<Found, ReadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if std::mem::take(&mut self.is_lent) {
            self.delete_first();
        }
        self.find_on(wanted, waits).inspect_err(|error| self.failed = Some(*error))
    }

    fn find_on(&mut self, wanted: usize, waits: bool) -> Result<Found, ReadError> {
        loop {
            if self.ended {
                return Ok(Found::End);
            }
            if self.is_empty() {
                if !self.fill(wanted, waits)? {
                    return Ok(Found::NotYet);
                }
                continue;
            }
            if let Some(front) = self.front()? {
                return Ok(Found::Data(front));
            }
        }
    }

    /// The first bucket of a brigade that has some; one without data is dropped.
    fn front(&mut self) -> Result<Option<Front>, ReadError> {
        // SAFETY: the brigade is not empty.
        let bucket = unsafe { ffi::wsgi_shim_brigade_first(self.brigade.as_ptr()) };
        // SAFETY: a live bucket.
        self.ended = unsafe { ffi::wsgi_shim_bucket_is_eos(bucket) } != 0;
        // SAFETY: a live bucket.
        if self.ended || unsafe { ffi::wsgi_shim_bucket_is_metadata(bucket) } != 0 {
            self.delete_first();
            return Ok(None);
        }
        let mut data = std::ptr::null();
        let mut length = 0;
        // SAFETY: a live bucket, and room for the answers.
        let status = unsafe {
            ffi::wsgi_shim_bucket_read(
                bucket,
                &raw mut data,
                &raw mut length,
                ffi::apr_read_type_e_APR_BLOCK_READ,
            )
        };
        if status != 0 {
            return Err(ReadError { status });
        }
        let data = NonNull::new(data.cast_mut().cast::<u8>()).filter(|_| length > 0);
        if data.is_none() {
            self.delete_first();
        }
        Ok(data.map(|data| Front { bucket, data, length }))
    }

    /// Drops the first bucket of a brigade that has some.
    fn delete_first(&mut self) {
        // SAFETY: the brigade is not empty.
        let bucket = unsafe { ffi::wsgi_shim_brigade_first(self.brigade.as_ptr()) };
        // SAFETY: a live bucket, not used after this.
        unsafe { ffi::wsgi_shim_bucket_delete(bucket) };
    }

    /// Moves bytes of the first bucket into `buffer`.
    fn copy(&mut self, front: Front, buffer: &mut [u8]) -> usize {
        let count = front.length.min(buffer.len());
        // SAFETY: the bucket's data is `length` bytes long, the buffer at least `count`, and
        // they do not overlap.
        unsafe { front.data.as_ptr().copy_to_nonoverlapping(buffer.as_mut_ptr(), count) };
        if count < front.length {
            // SAFETY: a live bucket, split inside its length; the first part goes next.
            unsafe { ffi::wsgi_shim_bucket_split(front.bucket, count) };
        }
        self.delete_first();
        count
    }
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self { status: error.raw_os_error().unwrap_or(libc::EIO) }
    }
}

impl ReadError {
    /// The HTTP status that fits: 408 for a client that stalled, 413 for a body over the limit.
    pub(crate) fn http_status(self) -> u16 {
        // SAFETY: no memory involved.
        if unsafe { ffi::wsgi_shim_status_is_timeup(self.status) } != 0 {
            return 408;
        }
        // SAFETY: no memory involved.
        let status = unsafe { ffi::ap_map_http_request_error(self.status, 500) };
        u16::try_from(status).ok().filter(|status| (400..600).contains(status)).unwrap_or(500)
    }

    /// Whether an input filter has answered the request (with 413 for a body over the limit).
    pub(crate) fn is_answered(self) -> bool {
        self.status == ffi::AP_FILTER_ERROR
    }

    /// The reason in words.
    pub(crate) fn reason(self) -> String {
        match process::describe(self.status) {
            _ if self.is_answered() => "httpd has refused it".into(),
            text if text.is_empty() => "Connection was terminated".into(),
            text => text,
        }
    }
}
