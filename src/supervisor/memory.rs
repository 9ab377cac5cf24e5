//! Sockets and shared memory of a group, kept for the life of httpd's parent.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use wsgi_core::control::Buffers;
use wsgi_ipc::{
    scoreboard::{ProcessTable, Slots, Tallies},
    socket::{self, Listener},
};

use super::Link;
use crate::resolved::Group;

/// Slots made at least, 64 bytes each that cost nothing until they are used: a group that grows
/// or shrinks at a restart keeps its memory, so that old children find what new daemons begin.
const FEWEST: u32 = 16 << 10;

/// What belongs to a group's name.
pub(super) struct GroupMemory {
    listener: Listener,
    slots: OwnedFd,
    slot_count: u32,
    /// As many of them as any configuration had: in the others nothing was counted.
    used_slots: u32,
    table: OwnedFd,
}

impl GroupMemory {
    pub(super) fn create(group: &Group) -> io::Result<Self> {
        let slot_count = group.spec.slots.max(FEWEST);
        Ok(Self {
            listener: Listener::create(group.definition.listen_backlog)?,
            slots: Slots::create(slot_count)?,
            slot_count,
            used_slots: group.spec.slots,
            table: ProcessTable::create()?,
        })
    }

    /// Fits kept memory to a new configuration. Daemons of the old one keep the slots they have
    /// mapped; httpd's old children look for their requests there too.
    pub(super) fn fit(&mut self, group: &Group) -> io::Result<()> {
        let slot_count = group.spec.slots;
        socket::set_backlog(self.listener.socket.as_fd(), group.definition.listen_backlog)?;
        if self.slot_count < slot_count {
            self.slots = Slots::create(slot_count)?;
            self.slot_count = slot_count;
        }
        self.used_slots = self.used_slots.max(slot_count);
        Ok(())
    }

    /// Sets the listener's buffers; tells what the system refuses, with the number of the record.
    pub(super) fn size_buffers(&self, buffers: Buffers) -> Vec<(u16, String)> {
        let listener = self.listener.socket.as_fd();
        let mut refused = Vec::new();
        if buffers.send > 0
            && let Err(error) = socket::set_send_buffer(listener, buffers.send)
        {
            let code = 62;
            refused
                .push((code, format!("send-buffer-size={} cannot be set: {error}", buffers.send)));
        }
        if buffers.receive > 0
            && let Err(error) = socket::set_receive_buffer(listener, buffers.receive)
        {
            let code = 63;
            let bytes = buffers.receive;
            refused.push((code, format!("receive-buffer-size={bytes} cannot be set: {error}")));
        }
        refused
    }

    /// Descriptors for the supervisor, in the order of [`wsgi_core::control::GroupSpec`].
    pub(super) fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [self.listener.socket.as_fd(), self.slots.as_fd(), self.table.as_fd()]
    }

    pub(super) fn link(&self, buffers: Buffers) -> io::Result<Link> {
        Link::new(
            self.listener.address.as_fd(),
            (
                Slots::map(self.slots.as_fd(), self.slot_count)?,
                Tallies::reader(self.slots.as_fd(), self.used_slots)?,
                ProcessTable::reader(self.table.as_fd())?,
            ),
            buffers,
        )
    }
}
