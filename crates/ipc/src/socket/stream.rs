//! Streams of frames: whole writes, exact reads, waiting with a limit.

use std::{
    io::{self, IoSlice},
    os::fd::{BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketFlags,
        SocketType,
        sockopt::{
            Timeout, set_socket_recv_buffer_size, set_socket_send_buffer_size, set_socket_timeout,
            socket_send_buffer_size,
        },
    },
};

/// Two connected stream sockets.
pub fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Limits how long one send or receive may wait, in seconds; 0 is no limit. When it passes, the
/// call fails with `WouldBlock`.
pub fn set_timeouts(socket: BorrowedFd<'_>, seconds: u32) -> io::Result<()> {
    let limit = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
    set_socket_timeout(socket, Timeout::Send, limit)?;
    set_socket_timeout(socket, Timeout::Recv, limit)?;
    Ok(())
}

/// Limits how long one receive may wait; when it passes, the call fails with `WouldBlock`.
pub fn set_receive_limit(socket: BorrowedFd<'_>, limit: Duration) -> io::Result<()> {
    Ok(set_socket_timeout(socket, Timeout::Recv, Some(limit))?)
}

/// Limits how long one send may wait; when it passes, the call fails with `WouldBlock`.
pub fn set_send_limit(socket: BorrowedFd<'_>, limit: Duration) -> io::Result<()> {
    Ok(set_socket_timeout(socket, Timeout::Send, Some(limit))?)
}

/// Sets the bytes that may be on their way from this end; the system has limits of its own.
pub fn set_send_buffer(socket: BorrowedFd<'_>, bytes: u32) -> io::Result<()> {
    Ok(set_socket_send_buffer_size(socket, size(bytes))?)
}

/// Sets the bytes that may wait at this end.
pub fn set_receive_buffer(socket: BorrowedFd<'_>, bytes: u32) -> io::Result<()> {
    Ok(set_socket_recv_buffer_size(socket, size(bytes))?)
}

/// [`set_send_buffer`], unless there is room for as much already.
pub fn grow_send_buffer(socket: BorrowedFd<'_>, bytes: u32) -> io::Result<()> {
    // The kernel adds as much again for its own records, and tells the sum.
    if socket_send_buffer_size(socket)? >= size(bytes).saturating_mul(2) {
        return Ok(());
    }
    set_send_buffer(socket, bytes)
}

fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Sends all bytes of all parts, in one system call unless the peer is slower than the buffer.
pub fn send_vectored(socket: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> io::Result<()> {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let sent = send_once(socket, parts, SendFlags::NOSIGNAL)?;
    if sent >= total { Ok(()) } else { send_rest(socket, parts, sent) }
}

/// Sends what there is room for now and returns how much that was.
pub(super) fn send_without_waiting(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
) -> io::Result<usize> {
    send_once(socket, parts, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
}

/// Sends what follows the first `sent` bytes of `parts`.
#[cold]
pub(super) fn send_rest(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    sent: usize,
) -> io::Result<()> {
    let mut copy = parts.to_vec();
    let mut rest = copy.as_mut_slice();
    IoSlice::advance_slices(&mut rest, sent);
    while !rest.is_empty() {
        let sent = send_once(socket, rest, SendFlags::NOSIGNAL)?;
        IoSlice::advance_slices(&mut rest, sent);
    }
    Ok(())
}

fn send_once(socket: BorrowedFd<'_>, parts: &[IoSlice<'_>], flags: SendFlags) -> io::Result<usize> {
    let sent = rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, parts, &mut SendAncillaryBuffer::default(), flags)
    })?;
    Ok(sent)
}

/// Fills `buffer`; an end of file before that is `UnexpectedEof`.
pub fn receive_exact(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<()> {
    let mut rest = buffer;
    while !rest.is_empty() {
        match receive_some(socket, rest, false)? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            length => rest = rest.get_mut(length..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Receives what has arrived, at most `buffer.len()` bytes; 0 is the end of file. With
/// `nonblocking` it does not wait: then `WouldBlock` says that nothing has arrived.
pub fn receive_some(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    nonblocking: bool,
) -> io::Result<usize> {
    let flags = if nonblocking { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
    let (length, _) = rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut *buffer, flags))?;
    Ok(length)
}

/// Waits until a receive would not wait (bytes, end of file or an error are there); `false` when
/// `timeout_ms` passes first. A negative timeout waits for ever.
pub fn poll_readable(socket: BorrowedFd<'_>, timeout_ms: i32) -> io::Result<bool> {
    let limit = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    let start = Instant::now();
    loop {
        let rest = limit.map(|limit| limit.saturating_sub(start.elapsed()));
        let timeout = rest.map(|rest| Timespec {
            tv_sec: i64::try_from(rest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(rest.subsec_nanos()),
        });
        let mut sources = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
        match rustix::event::poll(&mut sources, timeout.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a socket is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Receiving would not wait.
    pub to_receive: bool,
    /// There is room for some bytes.
    pub to_send: bool,
}

/// Waits until a socket is ready for something, at most so long.
pub fn poll_ready(socket: BorrowedFd<'_>, limit: Duration) -> io::Result<Ready> {
    let limit = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    };
    let mut sources = [PollFd::from_borrowed_fd(socket, PollFlags::IN | PollFlags::OUT)];
    match rustix::event::poll(&mut sources, Some(&limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let [source] = sources;
    let found = source.revents();
    let is_broken = found.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
    // The calls that follow report what is broken.
    let ready = |flag| found.contains(flag) || is_broken;
    Ok(Ready { to_receive: ready(PollFlags::IN), to_send: ready(PollFlags::OUT) })
}

/// Whether the peer has closed its end, although what it sent before may still be read.
pub fn is_hung_up(socket: BorrowedFd<'_>) -> bool {
    let mut sources = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    // An error says nothing: the calls that follow report it.
    rustix::event::poll(&mut sources, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Whether the peer will send nothing more, although it may have closed only that direction.
pub fn is_half_closed(socket: BorrowedFd<'_>) -> bool {
    let mut sources = [PollFd::from_borrowed_fd(socket, PollFlags::RDHUP)];
    // An error says nothing: the calls that follow report it.
    rustix::event::poll(&mut sources, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Ends the direction to the peer, who sees it in [`is_half_closed`].
pub fn end_sending(socket: BorrowedFd<'_>) {
    // The peer may have closed first.
    rustix::net::shutdown(socket, Shutdown::Write).ok();
}

/// Ends both directions for every holder of the socket: the peer sees the end even when a child
/// that the application forked holds a copy.
pub fn shutdown(socket: BorrowedFd<'_>) {
    // The peer may have closed first; there is nothing more to end then.
    rustix::net::shutdown(socket, Shutdown::Both).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::fd::AsFd, thread};

    #[test]
    fn more_than_the_socket_buffer_arrives_whole() {
        let (left, right) = stream_pair().unwrap();
        let block: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let expected = [b"head".as_slice(), &block, b"tail"].concat();
        let reader = thread::spawn(move || {
            let mut bytes = vec![0u8; expected.len()];
            receive_exact(right.as_fd(), &mut bytes).unwrap();
            assert_eq!(bytes, expected);
            assert_eq!(receive_some(right.as_fd(), &mut bytes, false).unwrap(), 0);
        });
        let parts = [IoSlice::new(b"head"), IoSlice::new(&block), IoSlice::new(b"tail")];
        send_vectored(left.as_fd(), &parts).unwrap();
        drop(left);
        reader.join().unwrap();
    }

    #[test]
    fn waiting_ends_at_its_limit() {
        let (left, right) = stream_pair().unwrap();
        assert!(!poll_readable(left.as_fd(), 10).unwrap());
        let mut byte = [0u8];
        let error = receive_some(left.as_fd(), &mut byte, true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        set_timeouts(left.as_fd(), 1).unwrap();
        let error = receive_some(left.as_fd(), &mut byte, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        send_vectored(right.as_fd(), &[IoSlice::new(b"!")]).unwrap();
        assert!(poll_readable(left.as_fd(), -1).unwrap());
        assert!(!is_hung_up(left.as_fd()), "bytes are no end");
        assert!(!is_half_closed(left.as_fd()));
        end_sending(right.as_fd());
        assert!(is_half_closed(left.as_fd()) && !is_hung_up(left.as_fd()));
        drop(right);
        assert!(is_hung_up(left.as_fd()));
    }

    #[test]
    fn a_send_buffer_grows_and_does_not_shrink_by_accident() {
        let (left, _right) = stream_pair().unwrap();
        let size = || socket_send_buffer_size(&left).unwrap();
        let default = size();
        grow_send_buffer(left.as_fd(), 4096).unwrap();
        assert_eq!(size(), default);
        set_send_buffer(left.as_fd(), 4096).unwrap();
        assert_eq!(size(), 8192);
        grow_send_buffer(left.as_fd(), 8192).unwrap();
        assert_eq!(size(), 16384);
    }

    #[test]
    fn sending_to_a_closed_peer_is_an_error_and_no_signal() {
        let (left, right) = stream_pair().unwrap();
        drop(right);
        let error = send_vectored(left.as_fd(), &[IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn an_early_end_of_file_is_told_apart() {
        let (left, right) = stream_pair().unwrap();
        send_vectored(left.as_fd(), &[IoSlice::new(b"abc")]).unwrap();
        shutdown(left.as_fd());
        let mut bytes = [0u8; 4];
        let error = receive_exact(right.as_fd(), &mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
