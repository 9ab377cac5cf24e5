//! How many connections wait to be accepted: what `ss -xl` shows as Recv-Q. The kernel tells by
//! sock_diag(7) only.

use std::{io, os::fd::BorrowedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `UDIAG_SHOW_RQLEN`.
const SHOW_QUEUE: u32 = 0x10;
/// `UNIX_DIAG_RQLEN`.
const QUEUE: u16 = 4;
/// Bytes of `struct nlmsghdr` and of `struct unix_diag_msg`.
const HEADERS: usize = 16 + 16;

/// Connections that wait at a listener of ours.
pub fn waiting(listener: BorrowedFd<'_>) -> io::Result<u32> {
    let inode = u32::try_from(rustix::fs::fstat(listener)?.st_ino).map_err(io::Error::other)?;
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&socket, &question(inode), SendFlags::empty())?;
    let mut answer = [0u8; 1024];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    let answer = answer.get(..length).unwrap_or_default();
    queue_length(answer).ok_or_else(|| io::Error::other("the kernel does not tell"))
}

/// A `struct nlmsghdr` with a `struct unix_diag_req`.
fn question(inode: u32) -> Vec<u8> {
    const LENGTH: u32 = 16 + 24;
    let mut bytes = Vec::with_capacity(LENGTH as usize);
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    // Sequence number, port, family AF_UNIX with protocol and padding, any state; the number of
    // the socket, and any cookie of it.
    let family = u32::from_ne_bytes([1, 0, 0, 0]);
    for word in [0, 0, family, u32::MAX, inode, SHOW_QUEUE, u32::MAX, u32::MAX] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes
}

/// The first word of the attribute with the length of the queue.
fn queue_length(answer: &[u8]) -> Option<u32> {
    let kind = answer.get(4..6)?.try_into().ok().map(u16::from_ne_bytes)?;
    let mut attributes = answer.get(HEADERS..).filter(|_| kind == BY_FAMILY)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(*attributes.first_chunk()?));
        let kind = attributes.get(2..4)?.try_into().ok().map(u16::from_ne_bytes)?;
        if kind == QUEUE {
            return attributes.get(4..8)?.try_into().ok().map(u32::from_ne_bytes);
        }
        // Attributes are aligned to four bytes; one has at least its header.
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{Listener, accept, connect};
    use std::os::fd::AsFd;

    #[test]
    fn connections_are_counted_until_they_are_accepted() {
        let listener = Listener::create(10).unwrap();
        let Ok(none) = waiting(listener.socket.as_fd()) else {
            // A kernel without sock_diag for Unix sockets: nothing to test.
            return;
        };
        assert_eq!(none, 0);
        let _connections: Vec<_> =
            (0..3).map(|_| connect(listener.address.as_fd()).unwrap()).collect();
        assert_eq!(waiting(listener.socket.as_fd()).unwrap(), 3);
        accept(listener.socket.as_fd()).unwrap();
        assert_eq!(waiting(listener.socket.as_fd()).unwrap(), 2);
    }

    #[test]
    fn an_answer_that_is_none_is_no_number() {
        assert_eq!(queue_length(b""), None);
        assert_eq!(queue_length(&[0; 100]), None);
        assert_eq!(queue_length(&[20; 40]), None);
    }
}
