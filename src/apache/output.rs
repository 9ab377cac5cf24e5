//! The response body: brigades out.

use std::{os::fd::BorrowedFd, ptr::NonNull};

use wsgi_core::exchange::SendError;

use super::{Request, file::Part};
use crate::ffi;

/// Output held back at most before it is passed on, in bytes.
const HELD_BACK: usize = 64 << 10;

/// Passes the body of one response down the filters.
pub(crate) struct Output<'r> {
    request: Request<'r>,
    brigade: NonNull<ffi::apr_bucket_brigade>,
    allocator: NonNull<ffi::apr_bucket_alloc_t>,
    held: usize,
    unflushed: bool,
    has_stalled: bool,
}

impl<'r> Output<'r> {
    /// Output of a request whose handler is running; `None` when httpd has no memory left.
    pub(crate) fn open(request: Request<'r>) -> Option<Self> {
        let record = request.record();
        // SAFETY: the connection outlives its requests.
        let allocator = NonNull::new(unsafe { (*record.connection).bucket_alloc })?;
        // SAFETY: a live pool and allocator; the brigade lives in the pool.
        let brigade = unsafe { ffi::apr_brigade_create(record.pool, allocator.as_ptr()) };
        Some(Self {
            request,
            brigade: NonNull::new(brigade)?,
            allocator,
            held: 0,
            unflushed: false,
            has_stalled: false,
        })
    }

    /// Whether a small block of this length is held back.
    pub(crate) fn holds(&self, length: usize) -> bool {
        self.held + length <= HELD_BACK
    }

    /// Adds a block and holds it back: for small blocks with more to follow at once.
    pub(crate) fn hold(&mut self, block: &[u8]) -> Result<(), SendError> {
        // SAFETY: a live brigade; without a flush function the bytes are copied.
        let status = unsafe {
            ffi::apr_brigade_write(
                self.brigade.as_ptr(),
                None,
                std::ptr::null_mut(),
                block.as_ptr().cast(),
                block.len(),
            )
        };
        check(status)?;
        self.held += block.len();
        if self.held > HELD_BACK { self.pass() } else { Ok(()) }
    }

    /// Adds a block without copying it and passes everything on.
    pub(crate) fn write(&mut self, block: &[u8]) -> Result<(), SendError> {
        // SAFETY: a transient bucket borrows `block`, which outlives the call of `pass`; filters
        // that keep the data copy it (apr_bucket_setaside).
        let bucket = unsafe {
            ffi::apr_bucket_transient_create(
                block.as_ptr().cast(),
                block.len(),
                self.allocator.as_ptr(),
            )
        };
        self.append(bucket);
        self.pass()
    }

    /// Adds part of a regular file, held back for the end of the response: httpd answers range
    /// requests for what it gets in one piece. The descriptor is duplicated for the request.
    pub(crate) fn write_file(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        length: u64,
        allows_sendfile: bool,
    ) -> Result<(), SendError> {
        let part = Part { file, offset, length };
        part.append(self.request, self.brigade, allows_sendfile)
            .map_err(|status| SendError::Failed(super::process::describe(status)))
    }

    /// Whether something was passed on that may not have left for the client.
    pub(crate) fn is_unflushed(&self) -> bool {
        self.unflushed || self.held > 0
    }

    /// Whether the client took nothing for longer than a write may wait.
    pub(crate) fn has_stalled(&self) -> bool {
        self.has_stalled
    }

    /// Sends everything to the client.
    pub(crate) fn flush(&mut self) -> Result<(), SendError> {
        // SAFETY: a live allocator.
        let bucket = unsafe { ffi::apr_bucket_flush_create(self.allocator.as_ptr()) };
        self.append(bucket);
        self.pass()?;
        self.unflushed = false;
        Ok(())
    }

    /// Passes on what is held back, without a flush.
    pub(crate) fn pass_held(&mut self) -> Result<(), SendError> {
        if self.held > 0 { self.pass() } else { Ok(()) }
    }

    /// Passes on what is held back, and the end of the response with it.
    pub(crate) fn end(&mut self) -> Result<(), SendError> {
        // SAFETY: a live allocator.
        let bucket = unsafe { ffi::apr_bucket_eos_create(self.allocator.as_ptr()) };
        self.append(bucket);
        self.pass()
    }

    /// Ends a response that is not complete, so that the client can see it: the connection is
    /// closed without the last chunk, a stream of HTTP/2 is reset (as mod_proxy does when its
    /// backend breaks).
    pub(crate) fn abort(&mut self) {
        // Headers first: an error bucket in front of them would become an error page, and a
        // connection that is to close would not be chunked, so that its end would look right.
        if self.flush().is_err() {
            return;
        }
        self.request.close_connection_after();
        let pool = self.request.record().pool;
        // SAFETY: a live pool and allocator.
        let error = unsafe {
            ffi::ap_bucket_error_create(
                ffi::HTTP_BAD_GATEWAY.cast_signed(),
                std::ptr::null(),
                pool,
                self.allocator.as_ptr(),
            )
        };
        self.append(error);
        // The client may be gone already: then there is nobody to tell.
        self.end().ok();
    }

    fn append(&mut self, bucket: *mut ffi::apr_bucket) {
        // SAFETY: a bucket that is in no brigade yet.
        unsafe { ffi::wsgi_shim_brigade_append(self.brigade.as_ptr(), bucket) };
    }

    fn pass(&mut self) -> Result<(), SendError> {
        self.held = 0;
        self.unflushed = true;
        // SAFETY: the request's filter chain, used by the thread that serves it.
        let status = unsafe {
            ffi::ap_pass_brigade(self.request.record().output_filters, self.brigade.as_ptr())
        };
        // SAFETY: a live brigade; what filters left in it is done with.
        unsafe { ffi::apr_brigade_cleanup(self.brigade.as_ptr().cast()) };
        self.has_stalled |= status.cast_unsigned() == ffi::APR_TIMEUP;
        if self.request.is_aborted() {
            return Err(SendError::ClientGone);
        }
        check(status)
    }
}

fn check(status: ffi::apr_status_t) -> Result<(), SendError> {
    match status {
        0 => Ok(()),
        libc::ECONNABORTED | libc::ECONNRESET | libc::EPIPE => Err(SendError::ClientGone),
        status => Err(SendError::Failed(super::process::describe(status))),
    }
}
