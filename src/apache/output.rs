//! The response body: brigades out.

use std::{
    os::fd::{AsRawFd, BorrowedFd},
    ptr::NonNull,
};

use wsgi_core::exchange::SendError;

use super::Request;
use crate::ffi;

/// Output held back at most before it is passed on, in bytes.
const HELD_BACK: usize = 64 << 10;

/// Bytes of a file that are read at a time where it is not sent with sendfile: APR's 8000
/// cost a quarter more CPU time per file, and larger blocks were no cheaper.
const FILE_BLOCK: usize = 64 << 10;

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
        let offset = i64::try_from(offset).map_err(|_| too_large())?;
        let length = i64::try_from(length).map_err(|_| too_large())?;
        let file = self.duplicate(file, allows_sendfile)?;
        let pool = self.request.record().pool;
        // SAFETY: a live brigade, an open file of the request's pool, which outlives the buckets.
        let bucket = unsafe {
            ffi::apr_brigade_insert_file(self.brigade.as_ptr(), file, offset, length, pool)
        };
        if let Some(bucket) = NonNull::new(bucket) {
            // A file that is truncated under a mapping would kill this child with SIGBUS.
            // SAFETY: a file bucket that was just made.
            unsafe { ffi::apr_bucket_file_enable_mmap(bucket.as_ptr(), 0) };
            // SAFETY: as above; the copies that are made of the bucket share the setting.
            unsafe { ffi::wsgi_shim_bucket_file_read_size(bucket.as_ptr(), FILE_BLOCK) };
        }
        Ok(())
    }

    fn duplicate(
        &self,
        file: BorrowedFd<'_>,
        allows_sendfile: bool,
    ) -> Result<*mut ffi::apr_file_t, SendError> {
        let mut flags = ffi::APR_FOPEN_READ;
        if allows_sendfile {
            flags |= ffi::APR_FOPEN_SENDFILE_ENABLED;
        }
        let pool = self.request.record().pool;
        let mut descriptor = file.as_raw_fd();
        let mut borrowed = std::ptr::null_mut();
        // SAFETY: an open descriptor; the apr file made of it does not close it.
        let status = unsafe {
            ffi::apr_os_file_put(&raw mut borrowed, &raw mut descriptor, flags.cast_signed(), pool)
        };
        check(status)?;
        let mut own = std::ptr::null_mut();
        // SAFETY: an apr file; the duplicate is closed with the request's pool.
        let status = unsafe { ffi::apr_file_dup(&raw mut own, borrowed, pool) };
        check(status)?;
        Ok(own)
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

fn too_large() -> SendError {
    SendError::Failed("file position out of range".into())
}
