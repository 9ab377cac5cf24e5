//! The socket of the client's connection: how long a write to it may wait, whether httpd has closed
//! it, and whether the client has.

use std::{marker::PhantomData, os::fd::BorrowedFd, ptr::NonNull, time::Duration};

use wsgi_ipc::socket;

use super::Request;
use crate::ffi;

/// The socket, which lives as long as the connection.
fn client_socket(request: Request<'_>) -> Option<NonNull<ffi::apr_socket_t>> {
    // SAFETY: the connection outlives its requests; httpd only reads it here.
    NonNull::new(unsafe { ffi::ap_get_conn_socket(request.record().connection) })
}

/// Its descriptor; -1 once httpd has closed it.
fn descriptor(request: Request<'_>) -> Option<i32> {
    let socket = client_socket(request)?;
    let mut descriptor = 0;
    // SAFETY: a socket of httpd, in the pool of the connection.
    let told = unsafe { ffi::apr_os_sock_get(&raw mut descriptor, socket.as_ptr()) };
    (told == 0).then_some(descriptor)
}

/// The timeout of a live socket, in µs.
fn timeout_of(socket: NonNull<ffi::apr_socket_t>) -> Option<i64> {
    let mut timeout = 0;
    // SAFETY: a live socket, and room for the answer.
    let status = unsafe { ffi::apr_socket_timeout_get(socket.as_ptr(), &raw mut timeout) };
    (status == 0).then_some(timeout)
}

/// What a client does that is to take something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// It has taken everything, and there is room for more.
    Free,
    /// It sends, or has taken a part.
    Busy,
    /// Nothing.
    Silent,
    /// It cannot be told: a stream of HTTP/2, whose client never waits to be read, or a connection
    /// that httpd has closed.
    Unknown,
}

impl Request<'_> {
    /// Whether httpd has closed the client's connection under the request, as threaded MPMs do
    /// when they are stopped or restarted at once. They then wait for the request's thread.
    pub(crate) fn is_abandoned(self) -> bool {
        descriptor(self).is_some_and(|descriptor| descriptor < 0)
    }

    /// Whether the client is known to have gone. It may have closed only its own direction, which
    /// hardly any client does before it has its answer.
    pub(crate) fn client_has_gone(self) -> bool {
        if self.is_aborted() || self.is_stream() {
            return self.is_aborted();
        }
        self.own_socket().is_some_and(socket::is_half_closed)
    }

    /// The socket of the request's own connection: a stream of HTTP/2 has none.
    pub(super) fn own_socket(self) -> Option<BorrowedFd<'static>> {
        if self.is_stream() {
            return None;
        }
        let number = descriptor(self).filter(|number| *number >= 0)?;
        // SAFETY: httpd keeps it open while this thread serves the request, but for the moment of a
        // stop: then what is asked is about another one and matters no more.
        Some(unsafe { BorrowedFd::borrow_raw(number) })
    }

    /// Waits until the client sends or takes something, and sends what waits in httpd for it.
    pub(crate) fn await_client(self, limit: Duration) -> Client {
        let ready = self.own_socket().and_then(|socket| socket::poll_ready(socket, limit).ok());
        match ready {
            None => Client::Unknown,
            Some(ready) if ready.to_send && self.send_pending() => Client::Free,
            Some(ready) if ready.to_receive || ready.to_send => Client::Busy,
            Some(_) => Client::Silent,
        }
    }

    /// How long httpd waits for the client to take something.
    pub(crate) fn write_timeout(self) -> Option<Duration> {
        let timeout = timeout_of(client_socket(self)?)?;
        // Below 0 there is none.
        u64::try_from(timeout).ok().map(Duration::from_micros)
    }

    /// Sends what httpd's last filter holds as far as there is room; whether that was all.
    fn send_pending(self) -> bool {
        let connection = self.record().connection;
        let has_pending = || {
            // SAFETY: the connection outlives its requests; a plain read.
            unsafe { (*connection).data_in_output_filters != 0 }
        };
        if has_pending() {
            self.write_without_waiting();
        }
        !has_pending()
    }

    /// What the event MPM does when a client takes more: the last filter writes what it holds.
    fn write_without_waiting(self) {
        // SAFETY: the connection outlives its requests.
        let mut filter = unsafe { (*self.record().connection).output_filters };
        // SAFETY: null or a filter of the connection, which end with a null pointer.
        while let Some(next) = unsafe { filter.as_ref() }.map(|f| f.next).filter(|f| !f.is_null()) {
            filter = next;
        }
        // SAFETY: as above.
        let Some(last) = (unsafe { filter.as_ref() }) else { return };
        // SAFETY: filters point to their registration, which lives as long as httpd.
        let record = unsafe { last.frec.as_ref() };
        // SAFETY: a filter of an output chain has an output function.
        let write = record.and_then(|record| unsafe { record.filter_func.out_func });
        if let Some(write) = write {
            // SAFETY: the last filter, used by the thread that serves the connection; without a
            // brigade it writes what it holds. A failure shows at the next write.
            unsafe { write(filter, std::ptr::null_mut()) };
        }
    }

    /// Whether it is one of several requests of one connection (HTTP/2).
    pub(super) fn is_stream(self) -> bool {
        self.connection().is_some_and(|connection| !connection.master.is_null())
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
        if request.is_stream() {
            return None;
        }
        let socket = client_socket(request)?;
        let before = timeout_of(socket)?;
        let limit = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX);
        // SAFETY: the live socket of the connection.
        let is_set = unsafe { ffi::apr_socket_timeout_set(socket.as_ptr(), limit) } == 0;
        is_set.then_some(Self { socket, before, request: PhantomData })
    }
}

impl Drop for WriteLimit<'_> {
    fn drop(&mut self) {
        // SAFETY: the connection's socket outlives its requests.
        unsafe { ffi::apr_socket_timeout_set(self.socket.as_ptr(), self.before) };
    }
}
