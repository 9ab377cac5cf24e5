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
        Ok(Self { request, brigade, ended: false, failed: None })
    }

    /// Reads up to `buffer.len()` bytes; `waits` says whether to wait for the first of them.
    pub(crate) fn read(&mut self, buffer: &mut [u8], waits: bool) -> Result<Read, ReadError> {
        match self.failed {
            Some(error) => Err(error),
            None => self.read_on(buffer, waits).inspect_err(|error| self.failed = Some(*error)),
        }
    }

    fn read_on(&mut self, buffer: &mut [u8], waits: bool) -> Result<Read, ReadError> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.ended {
                break;
            }
            if self.is_empty() {
                if filled > 0 || !self.fill(buffer.len(), waits)? {
                    break;
                }
                continue;
            }
            filled += self.take(buffer.get_mut(filled..).unwrap_or_default())?;
        }
        Ok(match filled {
            0 if self.ended || buffer.is_empty() => Read::End,
            0 => Read::NotYet,
            length => Read::Data(length),
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

    /// Moves bytes of the first bucket into `buffer`.
    fn take(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        // SAFETY: the brigade is not empty.
        let bucket = unsafe { ffi::wsgi_shim_brigade_first(self.brigade.as_ptr()) };
        // SAFETY: a live bucket.
        if unsafe { ffi::wsgi_shim_bucket_is_eos(bucket) } != 0 {
            self.ended = true;
            // SAFETY: a live bucket, not used after this.
            unsafe { ffi::wsgi_shim_bucket_delete(bucket) };
            return Ok(0);
        }
        // SAFETY: a live bucket.
        if unsafe { ffi::wsgi_shim_bucket_is_metadata(bucket) } != 0 {
            // SAFETY: a live bucket, not used after this.
            unsafe { ffi::wsgi_shim_bucket_delete(bucket) };
            return Ok(0);
        }
        self.copy(bucket, buffer)
    }

    fn copy(
        &mut self,
        bucket: *mut ffi::apr_bucket,
        buffer: &mut [u8],
    ) -> Result<usize, ReadError> {
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
        let count = length.min(buffer.len());
        if count > 0 {
            // SAFETY: the bucket's data is `length` bytes long, the buffer at least `count`, and
            // they do not overlap.
            unsafe { data.cast::<u8>().copy_to_nonoverlapping(buffer.as_mut_ptr(), count) };
        }
        if count < length {
            // SAFETY: a live bucket, split inside its length; the first part goes next.
            unsafe { ffi::wsgi_shim_bucket_split(bucket, count) };
        }
        // SAFETY: a live bucket, not used after this.
        unsafe { ffi::wsgi_shim_bucket_delete(bucket) };
        Ok(count)
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
