//! Sockets and shared memory of a group, kept for the life of httpd's parent.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use wsgi_ipc::{
    scoreboard::{ProcessTable, Slots},
    socket::Listener,
};

use super::Link;

/// Slots made at least, 64 bytes each that cost nothing until they are used: a group that grows
/// or shrinks at a restart keeps its memory, so that old children find what new daemons begin.
const FEWEST: u32 = 16 << 10;

/// What belongs to a group's name.
pub(super) struct GroupMemory {
    listener: Listener,
    slots: OwnedFd,
    slot_count: u32,
    table: OwnedFd,
}

impl GroupMemory {
    pub(super) fn create(backlog: u32, slot_count: u32) -> io::Result<Self> {
        let slot_count = slot_count.max(FEWEST);
        Ok(Self {
            listener: Listener::create(backlog)?,
            slots: Slots::create(slot_count)?,
            slot_count,
            table: ProcessTable::create()?,
        })
    }

    /// Fits kept memory to a new configuration. Daemons of the old one keep the slots they have
    /// mapped; httpd's old children look for their requests there too.
    pub(super) fn fit(&mut self, slot_count: u32) -> io::Result<()> {
        if self.slot_count < slot_count {
            self.slots = Slots::create(slot_count)?;
            self.slot_count = slot_count;
        }
        Ok(())
    }

    /// Descriptors for the supervisor, in the order of [`wsgi_core::control::GroupSpec`].
    pub(super) fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [self.listener.socket.as_fd(), self.slots.as_fd(), self.table.as_fd()]
    }

    pub(super) fn link(&self) -> io::Result<Link> {
        Link::new(
            self.listener.address.as_fd(),
            Slots::map(self.slots.as_fd(), self.slot_count)?,
            ProcessTable::reader(self.table.as_fd())?,
        )
    }
}
