//! How long a write to the client may wait, for the length of a response.

use std::{marker::PhantomData, ptr::NonNull, time::Duration};

use super::Request;
use crate::ffi;

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
        let pointer = std::ptr::from_ref(connection).cast_mut();
        // SAFETY: a live connection; httpd only reads it here.
        let socket = NonNull::new(unsafe { ffi::ap_get_conn_socket(pointer) })?;
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
