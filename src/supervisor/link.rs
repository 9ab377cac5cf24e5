//! The way from an httpd child to a group's daemons.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use wsgi_ipc::scoreboard::{Slots, TableReader};

/// Made in the parent, inherited by every child.
pub(crate) struct Link {
    address: OwnedFd,
    /// Which requests were started by whom.
    pub(crate) slots: Slots,
    /// What has become of the group's processes.
    pub(crate) processes: TableReader,
}

impl Link {
    /// A link over the group's sockets and memory.
    pub(super) fn new(
        address: BorrowedFd<'_>,
        slots: Slots,
        processes: TableReader,
    ) -> io::Result<Self> {
        Ok(Self { address: address.try_clone_to_owned()?, slots, processes })
    }

    /// What [`wsgi_ipc::socket::connect_within`] connects to.
    pub(crate) fn address(&self) -> BorrowedFd<'_> {
        self.address.as_fd()
    }
}
