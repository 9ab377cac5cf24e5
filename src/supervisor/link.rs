//! The way from an httpd child to a group's daemons.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wsgi_core::control::Buffers;
use wsgi_ipc::{
    kept::{Kept, current_processor},
    room,
    scoreboard::{Slots, TableReader, Tallies},
    socket,
};

/// How often a thread that waits for a daemon wakes up to see whether that still lives, and httpd
/// itself: when httpd stops it looks at its children after 0.34 s and then after a second more.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// Made in the parent, inherited by every child.
pub(crate) struct Link {
    address: OwnedFd,
    /// Which requests were started by whom.
    pub(crate) slots: Slots,
    /// What requests have come to.
    pub(crate) tallies: Tallies,
    /// What has become of the group's processes.
    pub(crate) processes: TableReader,
    /// Sizes for the buffers of new connections.
    buffers: Buffers,
    /// Connections on which a daemon process waits for this child's next request.
    kept: Mutex<Kept>,
}

/// A connection to a daemon.
pub(crate) struct Connection {
    socket: Arc<OwnedFd>,
    is_kept: bool,
    may_keep: bool,
}

impl Link {
    /// A link over the group's sockets and memory.
    pub(super) fn new(
        address: BorrowedFd<'_>,
        boards: (Slots, Tallies, TableReader),
        buffers: Buffers,
    ) -> io::Result<Self> {
        let address = address.try_clone_to_owned()?;
        let (slots, tallies, processes) = boards;
        Ok(Self { address, slots, tallies, processes, buffers, kept: Mutex::default() })
    }

    /// A connection that was kept: the most recently used one of this processor, or of any.
    pub(crate) fn take_kept(&self) -> Option<Connection> {
        let socket = self.kept().take(current_processor())?;
        Some(Connection { socket, is_kept: true, may_keep: true })
    }

    /// A new connection to whichever thread of the group accepts it; waits up to `limit` for room
    /// in the listener's queue. `may_keep` says that it has waited for none, so that its limit is
    /// right for later requests as well.
    pub(crate) fn connect(&self, limit: Duration, may_keep: bool) -> io::Result<Connection> {
        let socket = socket::connect_within(self.address.as_fd(), limit)?;
        socket::set_receive_limit(socket.as_fd(), HEARTBEAT)?;
        self.size_buffers(socket.as_fd());
        // Many groups may each have some.
        let may_keep = may_keep && !room::is_scarce(socket.as_fd());
        Ok(Connection { socket: Arc::new(socket), is_kept: false, may_keep })
    }

    /// What one end sends the other receives. Towards the daemon there must be room for a request
    /// that nobody reads yet, so that buffer only grows. Sizes that the system does not allow were
    /// logged when the listener got them.
    fn size_buffers(&self, socket: BorrowedFd<'_>) {
        if self.buffers.receive > 0 {
            socket::grow_send_buffer(socket, self.buffers.receive).ok();
        }
        if self.buffers.send > 0 {
            socket::set_receive_buffer(socket, self.buffers.send).ok();
        }
    }

    /// Keeps a connection for the next request; the last one was served on this processor.
    pub(crate) fn keep(&self, connection: Connection, processor: u16) {
        if connection.may_keep {
            self.kept().put(connection.socket, processor);
        }
    }

    /// A kept connection was closed by its daemon: forgets those that have ended the same way.
    pub(crate) fn prune(&self) {
        self.kept().retain(|socket| !socket::poll_readable(socket.as_fd(), 0).unwrap_or(true));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// The socket.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The socket for somebody who reads it beside its owner.
    pub(crate) fn share(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.socket)
    }

    /// Whether it was kept from an earlier request: then it may have been closed since.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Lets sends wait for so long, which is too long for other requests.
    pub(crate) fn be_patient(&mut self, limit: Duration) {
        self.may_keep = false;
        // Failing leaves the shorter limit.
        socket::set_send_limit(self.socket(), limit.max(Duration::from_secs(1))).ok();
    }
}
