//! Descriptors that travel in a stream of frames.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{FileType, OFlags},
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags,
    },
};

/// A message of a stream carries one descriptor; the kernel never merges two of them.
const SPACE: usize = rustix::cmsg_space!(ScmRights(1));

/// Sends `bytes` with a descriptor attached to the first of them; they are few, so that they
/// leave whole or not at all.
pub fn send_with_descriptor(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptor: BorrowedFd<'_>,
) -> io::Result<()> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::<u8>::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let parts = [IoSlice::new(bytes)];
    let sent = rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL)
    })?;
    if sent == bytes.len() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::WriteZero)) }
}

/// Receives what has arrived, waiting as long as the socket lets it if there is nothing, like
/// `receive_some`; descriptors that come with it are added to `descriptors`, close-on-exec. One that
/// could not be received is an error: see [`is_out_of_descriptors`].
pub fn receive_with_descriptors(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    receive(socket, buffer, descriptors, RecvFlags::empty())
}

/// The same without waiting: `WouldBlock` says that nothing has arrived.
pub fn try_receive_with_descriptors(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    receive(socket, buffer, descriptors, RecvFlags::DONTWAIT)
}

/// Receives what has arrived, waiting like `receive_some`, with the descriptor that was passed with
/// it; that is lost when there is no room for another one in this process.
pub fn receive_passed(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut descriptors = Vec::new();
    let (length, _) = receive_or_lose(socket, buffer, &mut descriptors, RecvFlags::empty())?;
    Ok((length, descriptors.pop()))
}

fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
    flags: RecvFlags,
) -> io::Result<usize> {
    match receive_or_lose(socket, buffer, descriptors, flags)? {
        (length, false) => Ok(length),
        (_, true) => Err(Errno::MFILE.into()),
    }
}

/// The number of bytes, and whether a descriptor was lost.
fn receive_or_lose(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
    flags: RecvFlags,
) -> io::Result<(usize, bool)> {
    let mut space = [MaybeUninit::<u8>::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut parts, &mut control, flags)
    })?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok((received.bytes, received.flags.contains(ReturnFlags::CTRUNC)))
}

/// Whether a call failed because this process has no room for another descriptor.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::MFILE.raw_os_error())
}

/// Whether a descriptor that somebody sent is a regular file open for reading: anything else
/// could block whoever reads it.
pub fn is_readable_file(descriptor: &OwnedFd) -> bool {
    let is_regular = rustix::fs::fstat(descriptor.as_fd())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    let is_readable = rustix::fs::fcntl_getfl(descriptor.as_fd()).is_ok_and(|flags| {
        flags & OFlags::RWMODE != OFlags::WRONLY && !flags.contains(OFlags::PATH)
    });
    is_regular && is_readable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{receive_exact, stream_pair};
    use std::{fs::File, io::Read};

    #[test]
    fn a_file_arrives_between_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let (left, right) = stream_pair().unwrap();
        let file = File::open(&path).unwrap();
        crate::socket::send_vectored(left.as_fd(), &[IoSlice::new(b"before")]).unwrap();
        send_with_descriptor(left.as_fd(), b"frame", file.as_fd()).unwrap();
        let mut start = [0; 6];
        receive_exact(right.as_fd(), &mut start).unwrap();
        let (mut bytes, mut descriptors) = ([0; 64], Vec::new());
        let length = receive_with_descriptors(right.as_fd(), &mut bytes, &mut descriptors).unwrap();
        assert_eq!(&bytes[..length], b"frame");
        let received = descriptors.pop().unwrap();
        assert!(is_readable_file(&received));
        let mut text = String::new();
        File::from(received).read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
    }

    #[test]
    fn only_readable_regular_files_pass() {
        let folder = tempfile::tempdir().unwrap();
        let written = File::create(folder.path().join("file")).unwrap();
        assert!(!is_readable_file(&written.into()));
        let (left, _right) = stream_pair().unwrap();
        assert!(!is_readable_file(&left));
        assert!(!is_readable_file(&File::open(folder.path()).unwrap().into()));
    }
}
