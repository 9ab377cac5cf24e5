//! The socket of the client's connection: how long a write to it may wait, and whether httpd has
//! closed it.

use std::{marker::PhantomData, ptr::NonNull, time::Duration};

use super::Request;
use crate::ffi;

/// The socket, which lives as long as the connection.
fn client_socket(request: Request<'_>) -> Option<NonNull<ffi::apr_socket_t>> {
    // SAFETY: the connection outlives its requests; httpd only reads it here.
    NonNull::new(unsafe { ffi::ap_get_conn_socket(request.record().connection) })
}

impl Request<'_> {
    /// Whether httpd has closed the client's connection under the request, as threaded MPMs do
    /// when they are stopped or restarted at once. They then wait for the request's thread.
    pub(crate) fn is_abandoned(self) -> bool {
        let Some(socket) = client_socket(self) else { return false };
        let mut descriptor = 0;
        // SAFETY: a socket of httpd, in the pool of the connection; a closed one tells -1.
        let told = unsafe { ffi::apr_os_sock_get(&raw mut descriptor, socket.as_ptr()) };
        told == 0 && descriptor < 0
    }
}

/// A limit that ends when dropped.
pub(crate) struct WriteLimit<'r> {
    socket: NonNull<ffi::apr_socket_t>,
    /// The limit in force before, in µs.
    before: i64,
    request: PhantomData<Request<'r>>,
}

impl<'r> WriteLimit<'r> {
    /// Limits the writes of the request's connection. A stream of HTTP/2 has none of its own: its
    /// limits are those of mod_http2.
    pub(crate) fn set(request: Request<'r>, limit: Duration) -> Option<Self> {
        // SAFETY: the connection outlives its requests.
        let connection = unsafe { request.record().connection.as_ref() }?;
        if !connection.master.is_null() {
            return None;
        }
        let socket = client_socket(request)?;
        let mut before = 0;
        // SAFETY: the live socket of the connection, and room for the answer.
        let status = unsafe { ffi::apr_socket_timeout_get(socket.as_ptr(), &raw mut before) };
        let limit = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX);
        // SAFETY: as above.
        let is_set =
            status == 0 && unsafe { ffi::apr_socket_timeout_set(socket.as_ptr(), limit) } == 0;
        is_set.then_some(Self { socket, before, request: PhantomData })
    }
}

impl Drop for WriteLimit<'_> {
    fn drop(&mut self) {
        // SAFETY: the connection's socket outlives its requests.
        unsafe { ffi::apr_socket_timeout_set(self.socket.as_ptr(), self.before) };
    }
}
