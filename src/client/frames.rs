//! Frames out of the bytes of a connection, without copying response bodies.

use std::{io, os::fd::OwnedFd};

use wsgi_core::frame::{HEADER, Header, Kind};

use super::feed::Feed;

/// Bytes asked of the kernel at first: most answers fit.
const SMALL: usize = 8 << 10;

/// Bytes asked of the kernel at a time once more has come.
const LARGE: usize = 64 << 10;

/// Reassembles frames.
pub(super) struct FrameReader {
    buffer: Vec<u8>,
    /// Unread bytes of the buffer.
    start: usize,
    end: usize,
    /// Whether the last receive took all the room there was.
    is_full: bool,
    /// The data frame being handed out piece by piece.
    data: Option<(Header, usize)>,
    /// Descriptors that came with frames that have not been handed out.
    descriptors: Vec<OwnedFd>,
}

/// What the connection gave.
#[derive(Debug)]
pub(super) enum Event<'b> {
    /// A whole frame, or a piece of a data frame.
    Frame(Header, &'b [u8]),
    /// The bytes received so far hold no further frame.
    Incomplete,
}

impl FrameReader {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; SMALL],
            start: 0,
            end: 0,
            is_full: false,
            data: None,
            descriptors: Vec::new(),
        }
    }

    /// Whether everything received has been handed out.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end && self.data.is_none() && self.descriptors.is_empty()
    }

    /// Receives what has arrived, waiting as the socket allows; `false` at the end of file.
    pub(super) fn receive(&mut self, feed: &Feed) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.is_full {
            let wanted = self.buffer.len().max(self.end + LARGE);
            self.buffer.resize(wanted, 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let room_length = room.len();
        let length = feed.receive(room, &mut self.descriptors)?;
        if self.descriptors.len() > 1 {
            // A daemon that goes on could leave this child without descriptors.
            return Err(io::Error::other("more than one descriptor"));
        }
        self.is_full = length == room_length;
        self.end += length;
        Ok(length > 0)
    }

    /// The descriptor that came with the file frame just handed out: a response has one at most.
    pub(super) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop()
    }

    /// The next frame among the bytes received.
    pub(super) fn next(&mut self) -> io::Result<Event<'_>> {
        if let Some((header, left)) = self.data.take() {
            return Ok(self.piece(header, left));
        }
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some((head, rest)) = unread.split_first_chunk::<HEADER>() else {
            return Ok(Event::Incomplete);
        };
        let header = Header::decode(head).map_err(io::Error::other)?;
        let length = header.length as usize;
        if header.kind == Kind::Data {
            self.start += HEADER;
            return Ok(self.piece(header, length));
        }
        if rest.len() < length {
            return Ok(Event::Incomplete);
        }
        let first = self.start + HEADER;
        self.start = first + length;
        Ok(Event::Frame(header, self.buffer.get(first..self.start).unwrap_or_default()))
    }

    /// What is there of a data frame of which `left` bytes are still to come.
    fn piece(&mut self, header: Header, left: usize) -> Event<'_> {
        let first = self.start;
        let length = left.min(self.end - first);
        self.start += length;
        if length < left {
            self.data = Some((header, left - length));
            if length == 0 {
                return Event::Incomplete;
            }
        }
        Event::Frame(header, self.buffer.get(first..self.start).unwrap_or_default())
    }
}
