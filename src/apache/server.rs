//! `server_rec`: the main server and the virtual hosts.

use std::{
    ffi::CStr,
    marker::PhantomData,
    os::fd::{BorrowedFd, RawFd},
    ptr::NonNull,
    time::Duration,
};

use super::{pool::Pool, text};
use crate::ffi;

/// A server of the configuration, which lives for `'c`.
#[derive(Clone, Copy)]
pub(crate) struct Server<'c>(NonNull<ffi::server_rec>, PhantomData<&'c ()>);

impl<'c> Server<'c> {
    /// # Safety
    /// A non-null `pointer` is a server that lives for `'c`.
    pub(super) unsafe fn new(pointer: *mut ffi::server_rec) -> Option<Self> {
        NonNull::new(pointer).map(|server| Self(server, PhantomData))
    }

    pub(super) fn as_ptr(self) -> *mut ffi::server_rec {
        self.0.as_ptr()
    }

    fn record(&self) -> &ffi::server_rec {
        // SAFETY: a live server_rec (type invariant); only read, for the length of this borrow.
        unsafe { self.0.as_ref() }
    }

    /// Whether this is a virtual host.
    pub(crate) fn is_virtual(self) -> bool {
        self.record().is_virtual != 0
    }

    /// `ServerName`, where it has one.
    pub(crate) fn hostname(self) -> Option<&'c CStr> {
        // SAFETY: null or a NUL-terminated string of the configuration pool.
        unsafe { text::optional(self.record().server_hostname) }
    }

    /// `Timeout`.
    pub(crate) fn timeout(self) -> Duration {
        Duration::from_micros(u64::try_from(self.record().timeout).unwrap_or_default())
    }

    /// Descriptor of its error log, when that is a file or a pipe.
    pub(crate) fn error_log(self) -> Option<BorrowedFd<'c>> {
        let file = self.record().error_log;
        if file.is_null() {
            return None;
        }
        let mut descriptor: RawFd = -1;
        // SAFETY: an open apr file of the configuration, and room for the answer.
        let status = unsafe { ffi::apr_os_file_get(&raw mut descriptor, file) };
        if status != 0 || descriptor < 0 {
            return None;
        }
        // SAFETY: the log stays open as long as the configuration.
        Some(unsafe { BorrowedFd::borrow_raw(descriptor) })
    }

    pub(super) fn as_non_null(self) -> NonNull<ffi::server_rec> {
        self.0
    }

    /// The pool that lives as long as the httpd parent process.
    pub(crate) fn process_pool(self) -> Option<Pool<'c>> {
        // SAFETY: every server points to the one process_rec.
        let process = unsafe { self.record().process.as_ref() }?;
        // SAFETY: the process pool outlives every configuration.
        unsafe { Pool::new(process.pool) }
    }

    /// The pool of the configuration being read or used.
    pub(crate) fn configuration_pool(self) -> Option<Pool<'c>> {
        // SAFETY: every server points to the one process_rec.
        let process = unsafe { self.record().process.as_ref() }?;
        // SAFETY: pconf lives as long as the configuration, that is for 'c.
        unsafe { Pool::new(process.pconf) }
    }

    /// `PidFile`.
    pub(crate) fn pid_file(self) -> Option<&'c CStr> {
        let pool = self.configuration_pool()?;
        // SAFETY: a plain read of a pointer that httpd sets while it reads the configuration.
        let name = unsafe { ffi::ap_pid_fname };
        if name.is_null() {
            return None;
        }
        // SAFETY: a live pool and a NUL-terminated name.
        let path = unsafe { ffi::ap_runtime_dir_relative(pool.as_ptr(), name) };
        // SAFETY: null or a NUL-terminated string of the configuration's pool.
        unsafe { text::optional(path) }
    }

    /// Runs `action` when this configuration is given up (restart or stop).
    pub(crate) fn at_configuration_end(self, action: impl FnOnce(Server<'_>) + 'static) {
        let Some(pool) = self.configuration_pool() else { return };
        let pointer = self.0;
        pool.at_end(Box::new(move || {
            // SAFETY: cleanups run before the memory of the configuration pool, in which the
            // server lives, is given back.
            if let Some(server) = unsafe { Server::new(pointer.as_ptr()) } {
                action(server);
            }
        }));
    }

    /// The main server of the running configuration.
    pub(crate) fn main() -> Option<Server<'static>> {
        // SAFETY: a plain read of a pointer that httpd sets once per configuration, before
        // children and their threads exist.
        let server = unsafe { ffi::ap_server_conf };
        // SAFETY: null or the live main server.
        unsafe { Server::new(server) }
    }
}
