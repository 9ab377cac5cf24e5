//! Packets with descriptors attached, for the control sockets.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// Most descriptors that one packet may carry here (the kernel's limit is 253).
pub const MAX_DESCRIPTORS: usize = 16;

/// Two connected packet sockets: a packet arrives whole or not at all, and the end of one side
/// is seen as end of file on the other.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Sends one packet, waiting for room.
pub fn send_packet(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send(socket, bytes, descriptors, SendFlags::NOSIGNAL)
}

/// Sends one packet if there is room for it now; otherwise the error is `WouldBlock`. For peers
/// that are not trusted to read.
pub fn try_send_packet(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send(socket, bytes, descriptors, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
}

fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    if bytes.is_empty() || descriptors.len() > MAX_DESCRIPTORS {
        // An empty packet could not be told from the end of file.
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut space = [MaybeUninit::<u8>::uninit(); control_space()];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let parts = [IoSlice::new(bytes)];
    let sent =
        rustix::io::retry_on_intr(|| rustix::net::sendmsg(socket, &parts, &mut control, flags))?;
    if sent == bytes.len() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::WriteZero)) }
}

/// Whether sending has failed because nobody has the other end any more. The kernel tells it
/// otherwise when something was left there unread.
pub fn is_peer_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Waits for one packet of at most `max` bytes; `None` is the end of file. A packet that is
/// longer or carries more than [`MAX_DESCRIPTORS`] is an error, and its descriptors are closed.
pub fn receive_packet(
    socket: BorrowedFd<'_>,
    max: usize,
) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut bytes = vec![0u8; max];
    let mut space = [MaybeUninit::<u8>::uninit(); control_space()];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        let parts = &mut [IoSliceMut::new(&mut bytes)];
        rustix::net::recvmsg(socket, parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "control message cut short"));
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    bytes.truncate(received.bytes);
    Ok(Some((bytes, descriptors)))
}

const fn control_space() -> usize {
    rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_peer_that_is_gone_is_known_whatever_it_has_not_read() {
        for unread in [0, 1] {
            let (left, right) = pair().unwrap();
            for _ in 0..unread {
                send_packet(left.as_fd(), b"unread", &[]).unwrap();
            }
            drop(right);
            let error = send_packet(left.as_fd(), b"more", &[]).unwrap_err();
            assert!(is_peer_gone(&error), "{unread} unread: {error}");
        }
    }

    #[test]
    fn a_packet_arrives_whole_with_its_descriptors() {
        let (left, right) = pair().unwrap();
        let (inner, passed) = pair().unwrap();
        send_packet(left.as_fd(), b"take this", &[passed.as_fd()]).unwrap();
        send_packet(left.as_fd(), b"second", &[]).unwrap();
        drop(left);
        let (bytes, descriptors) = receive_packet(right.as_fd(), 100).unwrap().unwrap();
        assert_eq!(bytes, b"take this");
        send_packet(descriptors[0].as_fd(), b"through it", &[]).unwrap();
        assert_eq!(receive_packet(inner.as_fd(), 100).unwrap().unwrap().0, b"through it");
        assert_eq!(receive_packet(right.as_fd(), 100).unwrap().unwrap().0, b"second");
        assert!(receive_packet(right.as_fd(), 100).unwrap().is_none());
    }

    #[test]
    fn a_packet_longer_than_expected_is_an_error() {
        let (left, right) = pair().unwrap();
        send_packet(left.as_fd(), b"0123456789", &[]).unwrap();
        let error = receive_packet(right.as_fd(), 5).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_peer_that_does_not_read_never_holds_up_the_sender() {
        let (left, _right) = pair().unwrap();
        let packet = vec![1u8; 10_000];
        let error = loop {
            if let Err(error) = try_send_packet(left.as_fd(), &packet, &[]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn empty_packets_and_too_many_descriptors_are_refused() {
        let (left, _right) = pair().unwrap();
        assert!(send_packet(left.as_fd(), b"", &[]).is_err());
        let many = vec![left.as_fd(); MAX_DESCRIPTORS + 1];
        assert!(send_packet(left.as_fd(), b"x", &many).is_err());
    }
}
