//! The bytes that a daemon sends: from its connection, or from what was taken over while the client
//! was slow.
//!
//! A daemon's thread is free when its application has produced its last block, however slowly the
//! client reads: see [`wsgi_ipc::spool`].

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use wsgi_core::level::Level;
use wsgi_ipc::{
    socket,
    spool::{self, Limits, Tap},
};

use crate::{
    apache::{Request, log, temporary},
    resolved::Group,
    supervisor::{Connection, Link},
};

/// A connection and what was taken over from it.
pub(super) struct Feed {
    // Before the connection: it ends that for the daemon.
    tap: Option<Tap>,
    connection: Connection,
    /// The daemon was told that the client has gone.
    is_ended: bool,
}

impl Feed {
    /// A connection from which nothing was taken.
    pub(super) fn new(connection: Connection) -> Self {
        // In the child's first request, not in the middle of a slow one.
        spool::prepare();
        Self { tap: None, connection, is_ended: false }
    }

    /// The connection's socket, to send by.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.connection.socket()
    }

    /// The connection.
    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Does `work`, which may wait for the client: meanwhile what the daemon sends is taken over.
    pub(super) fn while_waiting<R>(&mut self, group: &Group, work: impl FnOnce() -> R) -> R {
        let bodies = &group.definition.bodies;
        if bodies.response_file == 0 {
            return work();
        }
        let tap = self.tap.get_or_insert_with(|| {
            let limits = Limits {
                memory: bodies.response_memory as usize,
                file: bodies.response_file,
                make_file: temporary::create,
            };
            Tap::new(self.connection.share(), limits)
        });
        tap.wait(work)
    }

    /// Receives what has arrived, waiting as the socket allows; 0 is the end of the connection.
    pub(super) fn receive(
        &self,
        room: &mut [u8],
        descriptors: &mut Vec<OwnedFd>,
    ) -> io::Result<usize> {
        let taken = self.tap.as_ref().and_then(|tap| tap.receive(room, descriptors));
        taken.unwrap_or_else(|| {
            socket::receive_with_descriptors(self.connection.socket(), room, descriptors)
        })
    }

    /// Whether something can be received within `limit`.
    pub(super) fn poll(&self, limit: Duration) -> bool {
        if self.tap.as_ref().is_some_and(Tap::is_ready) {
            return true;
        }
        let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        // An error is an event: the receive that follows reports it.
        socket::poll_readable(self.connection.socket(), limit).unwrap_or(true)
    }

    /// Says once why what the daemon sends can no longer be taken over: it waits for the client.
    pub(super) fn tell_trouble(&self, request: Request<'_>) {
        if let Some(error) = self.tap.as_ref().and_then(Tap::take_trouble) {
            let text = format!(
                "Unable to keep the response for a slow client, so the daemon process waits for \
                 it: {error}"
            );
            log::request(request, Level::WARNING, Some(1030), &text);
        }
    }

    /// Tells the daemon that the client has gone: nothing more is sent to it.
    pub(super) fn end_sending(&mut self) {
        self.is_ended = true;
        socket::end_sending(self.connection.socket());
    }

    /// Keeps the connection for the next request; the daemon's thread waits on this processor.
    pub(super) fn keep(self, link: &Link, processor: u16) {
        if self.is_ended {
            return;
        }
        if let Some(tap) = self.tap {
            tap.release();
        }
        link.keep(self.connection, processor);
    }
}
