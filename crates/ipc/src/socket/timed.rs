//! A connection whose calls wait only as long as they are allowed to.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use super::stream::{poll_readable, receive_some, send_rest, send_without_waiting, set_timeouts};

/// A stream socket with a limit on each wait.
///
/// The limit is told to the kernel when a call would wait for the first time: most requests and
/// answers are short, never wait, and so save the system calls.
#[derive(Debug)]
pub struct TimedStream {
    socket: OwnedFd,
    seconds: u32,
    is_limited: AtomicBool,
}

impl TimedStream {
    /// A stream whose sends and receives wait at most `seconds` each; 0 is no limit.
    pub fn new(socket: OwnedFd, seconds: u32) -> Self {
        Self { socket, seconds, is_limited: AtomicBool::new(false) }
    }

    /// The socket.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn limit(&self) -> io::Result<()> {
        if self.seconds > 0 && !self.is_limited.swap(true, Ordering::Relaxed) {
            set_timeouts(self.socket(), self.seconds)?;
        }
        Ok(())
    }

    /// Sends all bytes of all parts.
    pub fn send(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let sent = match send_without_waiting(self.socket(), parts) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if sent >= total {
            return Ok(());
        }
        self.limit()?;
        send_rest(self.socket(), parts, sent).map_err(timed_out)
    }

    /// Sends a few bytes with a descriptor.
    pub fn send_with_descriptor(&self, bytes: &[u8], descriptor: BorrowedFd<'_>) -> io::Result<()> {
        self.limit()?;
        super::send_with_descriptor(self.socket(), bytes, descriptor).map_err(timed_out)
    }

    /// Receives the first bytes of a connection. Half of the time the accepting thread is quicker
    /// than the peer that has just connected: one wait costs less than setting limits for all.
    pub fn receive_first(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.receive_present(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => return received,
        }
        let limit = match self.seconds {
            0 => -1,
            seconds => i32::try_from(u64::from(seconds) * 1000).unwrap_or(i32::MAX),
        };
        if !poll_readable(self.socket(), limit)? {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        self.receive_present(buffer)
    }

    /// Receives what has arrived; `WouldBlock` if there is nothing.
    pub fn receive_present(&self, buffer: &mut [u8]) -> io::Result<usize> {
        receive_some(self.socket(), buffer, true)
    }

    /// Receives what has arrived with the descriptor that was passed with it; that is lost when
    /// this process has no room for another one.
    pub fn receive_passed(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        self.limit()?;
        super::receive_passed(self.socket(), buffer).map_err(timed_out)
    }

    /// Receives what has arrived, waiting if there is nothing; 0 is the end of file.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.is_limited.load(Ordering::Relaxed) {
            match self.receive_present(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.limit()?,
                received => return received,
            }
        }
        receive_some(self.socket(), buffer, false).map_err(timed_out)
    }
}

/// The kernel reports a passed limit as `WouldBlock`.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::from(io::ErrorKind::TimedOut),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{receive_exact, stream_pair};

    #[test]
    fn both_directions_give_up_at_the_limit() {
        let (left, _right) = stream_pair().unwrap();
        let stream = TimedStream::new(left, 1);
        let mut byte = [0u8];
        assert_eq!(stream.receive(&mut byte).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let block = vec![0u8; 4 << 20];
        let error = stream.send(&[IoSlice::new(&block)]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_block_beyond_the_buffer_arrives_in_order() {
        let (left, right) = stream_pair().unwrap();
        let stream = TimedStream::new(left, 5);
        let block: Vec<u8> = (0..2_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
        let expected = [b"start".as_slice(), &block].concat();
        let reader = std::thread::spawn(move || {
            let mut bytes = vec![0u8; expected.len()];
            receive_exact(right.as_fd(), &mut bytes).unwrap();
            assert_eq!(bytes, expected);
        });
        stream.send(&[IoSlice::new(b"start"), IoSlice::new(&block)]).unwrap();
        reader.join().unwrap();
    }
}
