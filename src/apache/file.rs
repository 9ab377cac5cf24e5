//! Files in a response: as buckets that httpd reads itself, and what is said of one that has become
//! shorter meanwhile.
//!
//! Where nobody but the kernel looks at the bytes, they go out of a mapping of the file, as httpd
//! sends its own: copying them first doubles the cost. A file that is truncated under a mapping kills
//! a process that reads there; the kernel, writing to a socket, gets `EFAULT` instead, and httpd
//! closes the connection. So what decides is the chain of filters: see [`is_blind`].

use std::{
    ffi::CStr,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    ptr::NonNull,
};

use wsgi_core::level::Level;

use super::{Request, log, text};
use crate::ffi;

/// Bytes of a file that are read at a time where it is not mapped: APR's 8000 cost a quarter more
/// CPU time per file, and larger blocks were no cheaper.
const BLOCK: usize = 64 << 10;

/// Bytes from which on a mapping costs less than reading.
const LEAST_MAPPED: u64 = 128 << 10;

/// Output filters that pass on what they get without looking into it, by their names in httpd's
/// sources. Compression, TLS and HTTP/2 are not among them, nor is any that nobody has looked at.
const BLIND: [&CStr; 8] = [
    c"byterange",
    c"content_length",
    c"core",
    c"fixup_headers_out",
    c"http_header",
    c"http_outerror",
    c"mod_expires",
    c"reqtimeout",
];

/// A part of a regular file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'f> {
    pub(super) file: BorrowedFd<'f>,
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Part<'_> {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// Puts the part into a brigade of the request's, with a duplicate of the descriptor.
    pub(super) fn append(
        self,
        request: Request<'_>,
        brigade: NonNull<ffi::apr_bucket_brigade>,
        allows_sendfile: bool,
    ) -> Result<(), ffi::apr_status_t> {
        let file = duplicate(request, self.file, allows_sendfile)?;
        let may_map = !allows_sendfile && request.allows_mapping() && is_blind(request);
        let mapped = if may_map { self.mapped() } else { None };
        let mut rest = self;
        // Each bucket has a file of its own: one that is set aside takes its file with it. Without a
        // descriptor for a second one nothing is mapped.
        if let Some(length) = mapped
            && let Ok(first) = duplicate(request, self.file, false)
        {
            insert(request, brigade, first, Self { length, ..self }, true)?;
            rest = Self { offset: self.offset + length, length: self.length - length, ..self };
        }
        insert(request, brigade, file, rest, false)?;
        watch(request, file, self.end());
        Ok(())
    }

    /// How much of it is mapped: all but the last page. Behind the end of a truncated file the rest
    /// of its last page reads as zeros; because of what is read after them they never complete a
    /// response.
    fn mapped(&self) -> Option<u64> {
        if self.length < LEAST_MAPPED {
            return None;
        }
        let page = rustix::param::page_size() as u64;
        let last_page = (self.end() - 1) / page * page;
        last_page.checked_sub(self.offset).filter(|length| *length > 0)
    }
}

fn insert(
    request: Request<'_>,
    brigade: NonNull<ffi::apr_bucket_brigade>,
    file: *mut ffi::apr_file_t,
    part: Part<'_>,
    maps: bool,
) -> Result<(), ffi::apr_status_t> {
    let offset = i64::try_from(part.offset).map_err(|_| libc::EOVERFLOW)?;
    let length = i64::try_from(part.length).map_err(|_| libc::EOVERFLOW)?;
    let pool = request.record().pool;
    // SAFETY: a live brigade, an open file of the request's pool, which outlives the buckets.
    let bucket =
        unsafe { ffi::apr_brigade_insert_file(brigade.as_ptr(), file, offset, length, pool) };
    let bucket = NonNull::new(bucket).ok_or(libc::ENOMEM)?;
    // SAFETY: a file bucket that was just made; the copies that are made of it share the setting.
    unsafe { ffi::apr_bucket_file_enable_mmap(bucket.as_ptr(), maps.into()) };
    // SAFETY: as above.
    unsafe { ffi::wsgi_shim_bucket_file_read_size(bucket.as_ptr(), BLOCK) };
    Ok(())
}

fn duplicate(
    request: Request<'_>,
    file: BorrowedFd<'_>,
    allows_sendfile: bool,
) -> Result<*mut ffi::apr_file_t, ffi::apr_status_t> {
    let mut flags = ffi::APR_FOPEN_READ;
    if allows_sendfile {
        flags |= ffi::APR_FOPEN_SENDFILE_ENABLED;
    }
    let pool = request.record().pool;
    let mut descriptor = file.as_raw_fd();
    let mut borrowed = std::ptr::null_mut();
    // SAFETY: an open descriptor; the apr file made of it does not close it.
    let status = unsafe {
        ffi::apr_os_file_put(&raw mut borrowed, &raw mut descriptor, flags.cast_signed(), pool)
    };
    if status != 0 {
        return Err(status);
    }
    let mut own = std::ptr::null_mut();
    // SAFETY: an apr file; the duplicate is closed with the request's pool.
    match unsafe { ffi::apr_file_dup(&raw mut own, borrowed, pool) } {
        0 => Ok(own),
        status => Err(status),
    }
}

/// Whether all filters on the way to the client leave the bytes alone, and it gets the whole.
fn is_blind(request: Request<'_>) -> bool {
    // A range may end inside the mapping.
    if request.headers_in().is_none_or(|headers| headers.get(c"Range").is_some()) {
        return false;
    }
    let mut next = request.record().output_filters;
    // SAFETY: null or a filter of the request's chain.
    while let Some(filter) = unsafe { next.as_ref() } {
        // SAFETY: filters point to their registration, which lives as long as the configuration.
        let Some(record) = (unsafe { filter.frec.as_ref() }) else { return false };
        // SAFETY: registrations have NUL-terminated names.
        let name = unsafe { text::bytes(record.name) };
        if !BLIND.iter().any(|known| known.to_bytes().eq_ignore_ascii_case(name)) {
            return false;
        }
        next = filter.next;
    }
    true
}

/// A file that a request sends.
struct Watched<'r> {
    request: Request<'r>,
    /// Its number. The descriptor is APR's, which may have closed it.
    descriptor: RawFd,
    /// Device and inode: what else may have the number by then is none of our business.
    identity: (u64, u64),
    /// Where the part that is sent ends.
    end: u64,
}

/// Looks at the file once more at the end of the request: httpd, which reads it when we are long
/// done, keeps it to itself when it finds too little.
fn watch(request: Request<'_>, file: *mut ffi::apr_file_t, end: u64) {
    let mut descriptor = -1;
    // SAFETY: room for the answer, an open apr file.
    let status = unsafe { ffi::apr_os_file_get(&raw mut descriptor, file) };
    let state = look(descriptor).filter(|_| status == 0);
    if let (Some(pool), Some(state)) = (request.pool(), state) {
        let identity = (state.st_dev, state.st_ino);
        pool.own(Watched { request, descriptor, identity, end });
    }
}

fn look(descriptor: RawFd) -> Option<libc::stat> {
    let mut state = MaybeUninit::uninit();
    // SAFETY: memory of the right size; a number that is no descriptor is an error, not a fault.
    let status = unsafe { libc::fstat(descriptor, state.as_mut_ptr()) };
    // SAFETY: filled by the successful call.
    (status == 0).then(|| unsafe { state.assume_init() })
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let Some(state) = look(self.descriptor) else { return };
        let size = u64::try_from(state.st_size).unwrap_or_default();
        if (state.st_dev, state.st_ino) != self.identity || size >= self.end {
            return;
        }
        let name = std::fs::read_link(format!("/proc/self/fd/{}", self.descriptor));
        let text = format!(
            "File '{}' was truncated to {size} bytes while it was sent up to byte {}: URL '{}'",
            name.unwrap_or_default().display(),
            self.end,
            self.request.uri().unwrap_or_default().to_string_lossy()
        );
        log::request(self.request, Level::ERROR, Some(1033), &text);
        // mod_ssl takes the end of a file for the end of its part.
        self.request.abort_connection();
    }
}
