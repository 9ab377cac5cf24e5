//! A client's connection between two of its requests.

use std::{
    cell::Cell,
    ffi::c_int,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use wsgi_ipc::socket;

use super::{Request, pool::Pool};
use crate::ffi;

/// Connections of this child of which something is remembered.
static REMEMBERED: AtomicU32 = AtomicU32::new(0);

/// What is remembered of a connection from one request to the next. Used only by the thread that
/// serves the connection.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When its last response was complete, µs since the epoch; 0 before the first one.
    pub(crate) answered: Cell<i64>,
    /// Requests that it has stayed with its thread for, one after the other.
    pub(crate) in_a_row: Cell<u32>,
}

impl Pace {
    fn new() -> Self {
        REMEMBERED.fetch_add(1, Ordering::Relaxed);
        Self { answered: Cell::new(0), in_a_row: Cell::new(0) }
    }

    /// How many connections of this child have one: those that are kept open after a request.
    pub(crate) fn count() -> u32 {
        REMEMBERED.load(Ordering::Relaxed)
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        REMEMBERED.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<'r> Request<'r> {
    /// Tells the request's connection from all others that are open.
    pub(crate) fn connection_address(self) -> usize {
        self.record().connection.addr()
    }

    /// Whether the client may send another request on the connection: it is kept, and not one stream
    /// of several (HTTP/2).
    pub(crate) fn may_be_followed(self) -> bool {
        const KEPT: ffi::ap_conn_keepalive_e = ffi::ap_conn_keepalive_e_AP_CONN_KEEPALIVE;
        let is_kept = self.connection().is_some_and(|connection| connection.keepalive == KEPT);
        is_kept && !self.is_stream() && !self.is_aborted()
    }

    /// What is remembered of the connection, from now on.
    pub(crate) fn pace(self) -> Option<&'r Pace> {
        let module = &raw const crate::wsgi_module;
        let connection = self.connection()?;
        // SAFETY: a live connection's vector; httpd only reads the module's index.
        let known = unsafe { ffi::ap_get_module_config(connection.conn_config, module) };
        // SAFETY: null, or what is put there below, in the connection's pool.
        if let Some(known) = unsafe { known.cast::<Pace>().as_ref() } {
            return Some(known);
        }
        // SAFETY: the pool of a connection that outlives its requests.
        let pace = unsafe { Pool::new(connection.pool) }?.own(Pace::new());
        let record = ptr::from_ref(pace).cast_mut().cast();
        // SAFETY: the vector as above; the record lives as long as the connection.
        unsafe { ffi::ap_set_module_config(connection.conn_config, module, record) };
        Some(pace)
    }

    /// Waits for the client's next request. When it comes, or the client closes, the MPM does not
    /// give the connection back to its listener, but goes on with it in this thread, as with requests
    /// that a client sends without waiting for answers.
    pub(crate) fn await_successor(self, limit: Duration) -> bool {
        let Some(socket) = self.own_socket() else { return false };
        self.show_keepalive();
        let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        let has_come = socket::poll_readable(socket, limit).unwrap_or(false);
        if has_come {
            let connection = self.record().connection;
            // SAFETY: the connection outlives its requests and belongs to this thread, which writes
            // what `ap_check_pipeline` would have found had the client been quicker.
            unsafe { (*connection).data_in_input_filters = 1 };
        }
        has_come
    }

    /// Has mod_status show what the thread does.
    fn show_keepalive(self) {
        const KEEPALIVE: c_int = ffi::SERVER_BUSY_KEEPALIVE.cast_signed();
        let Some(place) = self.connection().map(|connection| connection.sbh.cast()) else { return };
        // SAFETY: the connection's place in the scoreboard, or null, which httpd expects.
        unsafe { ffi::ap_update_child_status(place, KEEPALIVE, ptr::null_mut()) };
    }
}
