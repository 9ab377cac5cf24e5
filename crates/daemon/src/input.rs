//! The request body as it comes in frames: httpd sends when it is asked. A body that httpd has read
//! to its end comes as one frame, or as a file.

use std::io;

use wsgi_core::{
    exchange::BodyError,
    frame::{BODY_WINDOW, Extent, HEADER, Header, Kind, LAST},
};
use wsgi_ipc::socket::{self, TimedStream};

use crate::{connection::Request, stored::Stored};

/// Longest reason of a [`Kind::BodyError`] that is kept.
const LONGEST_REASON: usize = 1024;

/// Asks httpd for body: for a piece of it where that is said, otherwise for its file.
pub(crate) type Ask<'f> = &'f dyn Fn(bool) -> Result<(), BodyError>;

/// The receiving half of a connection after the request head.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    stream: &'a TimedStream,
    request_id: u64,
    /// Bytes that were received together with the head.
    received: &'a [u8],
    /// Bytes of the current body frame that have not been read.
    remaining: usize,
    /// No body frame follows the current one.
    is_last: bool,
    /// A body frame was asked for and has not come.
    is_asked: bool,
    /// Length of a body that httpd has read to its end, as long as it may come as a whole.
    length: Option<u64>,
    /// The whole body, once it is here, and where to read on.
    stored: Option<Stored<'a>>,
    position: u64,
    failed: Option<BodyError>,
}

impl<'a> Input<'a> {
    /// The body of a request.
    pub(crate) fn new(stream: &'a TimedStream, request: Request<'a>) -> Self {
        let Request { request_id, has_body, body_length, received, .. } = request;
        let is_empty = body_length == Some(0);
        Self {
            stream,
            request_id,
            received,
            remaining: 0,
            is_last: !has_body || is_empty,
            is_asked: false,
            length: body_length,
            stored: is_empty.then_some(Stored::Received(b"")),
            position: 0,
            failed: None,
        }
    }

    /// Whether nothing of this request can follow on the connection.
    pub(crate) fn is_drained(&self) -> bool {
        let is_read = self.is_last && self.remaining == 0 && self.received.is_empty();
        // A body in a file that nobody has asked for is not on its way.
        let is_unasked = self.length.is_some_and(|length| length > BODY_WINDOW as u64);
        (is_read || is_unasked) && self.failed.is_none()
    }

    /// Reads the next bytes of the body, 0 at its end. `ask` sends a [`Kind::Want`]; it is called
    /// when somebody waits and nothing is on its way.
    pub(crate) fn read(&mut self, buffer: &mut [u8], ask: Ask<'_>) -> Result<usize, BodyError> {
        self.unless_failed(|input| input.read_on(buffer, ask))
    }

    /// Reads on from another position of a body that httpd has read to its end.
    pub(crate) fn seek(&mut self, position: u64, ask: Ask<'_>) -> Result<(), BodyError> {
        self.unless_failed(|input| input.fetch(ask))?;
        if self.stored.is_none() {
            return Err(failure("the request body is not kept"));
        }
        self.position = position;
        Ok(())
    }

    /// Does what uses the connection: after a failure nothing can be told of what is on it.
    fn unless_failed<T>(
        &mut self,
        action: impl FnOnce(&mut Self) -> Result<T, BodyError>,
    ) -> Result<T, BodyError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        action(self).inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn read_on(&mut self, buffer: &mut [u8], ask: Ask<'_>) -> Result<usize, BodyError> {
        self.fetch(ask)?;
        if let Some(stored) = &self.stored {
            let read = stored.read_at(buffer, self.position);
            let length = read.map_err(|error| failure(&error.to_string()))?;
            self.position += length as u64;
            return Ok(length);
        }
        while self.remaining == 0 {
            if self.is_last || buffer.is_empty() {
                return Ok(0);
            }
            if self.received.is_empty() && !self.is_asked {
                ask(true)?;
                self.is_asked = true;
            }
            self.next_frame()?;
        }
        let length = self.remaining.min(buffer.len());
        let target = buffer.get_mut(..length).unwrap_or_default();
        let length = self.receive(target)?;
        self.remaining -= length;
        Ok(length)
    }

    /// Fetches a body that httpd has as a whole. One whose file cannot be received (this process
    /// has no descriptor left) comes in pieces.
    fn fetch(&mut self, ask: Ask<'_>) -> Result<(), BodyError> {
        let Some(length) = self.length.take() else { return Ok(()) };
        if self.stored.is_some() {
            return Ok(());
        }
        if length <= BODY_WINDOW as u64 && length > 0 {
            return self.fetch_received();
        }
        ask(false)?;
        let mut bytes = [0u8; HEADER];
        let (received, file) = self.stream.receive_passed(&mut bytes).map_err(|e| broken(&e))?;
        self.receive_exact(bytes.get_mut(received..).unwrap_or_default())?;
        let header = self.header(&bytes)?;
        if header.kind != Kind::BodyFile {
            return self.begin_frame(header);
        }
        let mut extent = [0u8; Extent::SIZE];
        self.receive_exact(&mut extent)?;
        if let Some(file) = file.filter(socket::is_readable_file) {
            self.is_last = true;
            self.stored = Some(Stored::File(file));
        }
        Ok(())
    }

    /// Takes a body that follows its request.
    fn fetch_received(&mut self) -> Result<(), BodyError> {
        self.next_frame()?;
        let length = std::mem::take(&mut self.remaining);
        self.stored = Some(match self.received.split_at_checked(length) {
            Some((body, rest)) => {
                self.received = rest;
                Stored::Received(body)
            }
            None => {
                let mut body = vec![0; length];
                self.receive_exact(&mut body)?;
                Stored::Memory(body)
            }
        });
        Ok(())
    }

    fn next_frame(&mut self) -> Result<(), BodyError> {
        let mut bytes = [0u8; HEADER];
        self.receive_exact(&mut bytes)?;
        let header = self.header(&bytes)?;
        self.begin_frame(header)
    }

    fn header(&self, bytes: &[u8; HEADER]) -> Result<Header, BodyError> {
        let header = Header::decode(bytes).map_err(|error| failure(&error.to_string()))?;
        if header.request_id != self.request_id {
            return Err(failure("frame of another request"));
        }
        Ok(header)
    }

    fn begin_frame(&mut self, header: Header) -> Result<(), BodyError> {
        match header.kind {
            Kind::Body => {
                self.remaining = header.length as usize;
                self.is_last = header.flags & LAST != 0;
                self.is_asked = false;
                Ok(())
            }
            Kind::BodyError => {
                let mut reason = vec![0u8; (header.length as usize).min(LONGEST_REASON)];
                self.receive_exact(&mut reason)?;
                Err(failure(&String::from_utf8_lossy(&reason)))
            }
            _ => Err(failure("unexpected frame")),
        }
    }

    fn receive_exact(&mut self, buffer: &mut [u8]) -> Result<(), BodyError> {
        let mut rest = buffer;
        while !rest.is_empty() {
            let length = self.receive(rest)?;
            rest = rest.get_mut(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// At least one byte.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        if !self.received.is_empty() {
            let length = self.received.len().min(buffer.len());
            let (taken, rest) = self.received.split_at_checked(length).unwrap_or_default();
            buffer.iter_mut().zip(taken).for_each(|(to, from)| *to = *from);
            self.received = rest;
            return Ok(length);
        }
        match self.stream.receive(buffer) {
            Ok(0) => Err(failure("connection to httpd closed")),
            Ok(length) => Ok(length),
            Err(error) => Err(broken(&error)),
        }
    }
}

fn broken(error: &io::Error) -> BodyError {
    match error.kind() {
        io::ErrorKind::TimedOut => failure("timeout while waiting for the request body"),
        _ => failure(&error.to_string()),
    }
}

fn failure(reason: &str) -> BodyError {
    BodyError { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        cell::Cell,
        io::IoSlice,
        os::fd::{AsFd, OwnedFd},
    };
    use wsgi_ipc::{
        socket::{send_vectored, send_with_descriptor, stream_pair},
        temporary::TemporaryFile,
    };

    fn stream() -> (TimedStream, OwnedFd) {
        let (left, right) = stream_pair().unwrap();
        (TimedStream::new(left, 1), right)
    }

    fn frame(kind: Kind, flags: u8, id: u64, payload: &[u8]) -> Vec<u8> {
        let header = Header::new(kind, id, payload.len()).with_flags(flags).encode();
        [header.as_slice(), payload].concat()
    }

    fn request(has_body: bool, body_length: Option<u64>, received: &[u8]) -> Request<'_> {
        Request { request_id: 7, earlier_attempts: 0, has_body, body_length, received }
    }

    fn read_all(input: &mut Input<'_>, ask: Ask<'_>) -> Vec<u8> {
        let mut body = Vec::new();
        let mut buffer = [0u8; 7];
        loop {
            match input.read(&mut buffer, ask).unwrap() {
                0 => return body,
                length => body.extend_from_slice(&buffer[..length]),
            }
        }
    }

    #[test]
    fn a_small_body_that_came_with_the_head_is_not_asked_for() {
        let (stream, _httpd) = stream();
        let received = frame(Kind::Body, LAST, 7, b"hello world");
        let mut input = Input::new(&stream, request(true, None, &received));
        let body = read_all(&mut input, &|_| panic!("asked for what was there"));
        assert_eq!(body, b"hello world");
    }

    #[test]
    fn every_further_frame_is_asked_for_once() {
        let (stream, httpd) = stream();
        let received = frame(Kind::Body, 0, 7, b"first ");
        let mut input = Input::new(&stream, request(true, None, &received));
        let asked = Cell::new(0);
        let body = read_all(&mut input, &|_| {
            asked.set(asked.get() + 1);
            let flags = if asked.get() == 2 { LAST } else { 0 };
            let bytes = frame(Kind::Body, flags, 7, b"more ");
            send_vectored(httpd.as_fd(), &[IoSlice::new(&bytes)]).unwrap();
            Ok(())
        });
        assert_eq!(body, b"first more more ");
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn a_request_without_a_body_ends_at_once() {
        let (stream, _httpd) = stream();
        let mut input = Input::new(&stream, request(false, None, b""));
        assert_eq!(input.read(&mut [0; 8], &|_| panic!("asked")), Ok(0));
    }

    #[test]
    fn a_body_that_came_as_a_whole_is_read_in_any_order() {
        let whole = frame(Kind::Body, LAST, 7, b"hello world");
        for cut in [whole.len(), HEADER + 3] {
            let (stream, httpd) = stream();
            let (received, later) = whole.split_at(cut);
            send_vectored(httpd.as_fd(), &[IoSlice::new(later)]).unwrap();
            let ask: Ask<'_> = &|_| panic!("asked for what was there");
            let mut input = Input::new(&stream, request(true, Some(11), received));
            assert_eq!(read_all(&mut input, ask), b"hello world");
            input.seek(6, ask).unwrap();
            assert_eq!(read_all(&mut input, ask), b"world");
            input.seek(99, ask).unwrap();
            assert_eq!(read_all(&mut input, ask), b"");
            assert!(input.is_drained());
        }
    }

    /// What httpd sends for a body in a file.
    fn send_file(httpd: &OwnedFd, content: &[u8]) {
        let file = TemporaryFile::in_memory().unwrap();
        file.write_at(content, 0).unwrap();
        let payload = Extent { offset: 0, length: content.len() as u64 }.encode();
        let bytes = frame(Kind::BodyFile, 0, 7, &payload);
        send_with_descriptor(httpd.as_fd(), &bytes, file.as_fd()).unwrap();
    }

    #[test]
    fn a_file_is_asked_for_once_and_read_in_any_order() {
        let (stream, httpd) = stream();
        let content: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut input = Input::new(&stream, request(true, Some(200_000), b""));
        assert!(input.is_drained(), "nothing is on its way");
        let ask: Ask<'_> = &|in_pieces| {
            assert!(!in_pieces);
            send_file(&httpd, &content);
            Ok(())
        };
        assert!(read_all(&mut input, ask) == content);
        input.seek(199_990, ask).unwrap();
        assert_eq!(read_all(&mut input, ask), &content[199_990..]);
        assert!(input.is_drained());
    }

    #[test]
    fn a_file_that_was_lost_on_its_way_comes_in_pieces() {
        let (stream, httpd) = stream();
        let mut input = Input::new(&stream, request(true, Some(200_000), b""));
        let body = read_all(&mut input, &|in_pieces| {
            let bytes = match in_pieces {
                false => frame(Kind::BodyFile, 0, 7, &Extent { offset: 0, length: 4 }.encode()),
                true => frame(Kind::Body, LAST, 7, b"body"),
            };
            send_vectored(httpd.as_fd(), &[IoSlice::new(&bytes)]).unwrap();
            Ok(())
        });
        assert_eq!(body, b"body");
        assert!(input.seek(0, &|_| Ok(())).is_err());
    }

    #[test]
    fn failures_stay() {
        let cases: [(Vec<u8>, &str); 4] = [
            (frame(Kind::BodyError, 0, 7, b"client went away"), "client went away"),
            (frame(Kind::Body, 0, 8, b"x"), "frame of another request"),
            (frame(Kind::Head, 0, 7, b"x"), "unexpected frame"),
            (vec![0xff; HEADER], "malformed frame header"),
        ];
        for (received, reason) in cases {
            let (stream, httpd) = stream();
            drop(httpd);
            let mut input = Input::new(&stream, request(true, None, &received));
            for _ in 0..2 {
                let error = input.read(&mut [0; 8], &|_| Ok(())).unwrap_err();
                assert_eq!(error.reason, reason);
            }
        }
    }

    #[test]
    fn a_body_that_could_not_be_fetched_for_a_seek_is_not_read_either() {
        let (stream, httpd) = stream();
        let mut input = Input::new(&stream, request(true, Some(200_000), b""));
        let ask: Ask<'_> = &|_| {
            // No answer to what was asked, and then something that looks like a body.
            let bytes = [&frame(Kind::Head, 0, 7, b"")[..], &frame(Kind::Body, LAST, 7, b"x")];
            send_vectored(httpd.as_fd(), &[IoSlice::new(&bytes.concat())]).unwrap();
            Ok(())
        };
        for _ in 0..2 {
            assert_eq!(input.seek(0, ask).unwrap_err().reason, "unexpected frame");
        }
        assert_eq!(input.read(&mut [0; 8], ask).unwrap_err().reason, "unexpected frame");
        assert!(!input.is_drained(), "the connection would be kept");
    }

    #[test]
    fn a_silent_or_vanished_httpd_is_noticed() {
        let (stream, httpd) = stream();
        let mut input = Input::new(&stream, request(true, None, b""));
        let error = input.read(&mut [0; 8], &|_| Ok(())).unwrap_err();
        assert!(error.reason.starts_with("timeout"), "{error}");
        let mut input = Input::new(&stream, request(true, None, b""));
        drop(httpd);
        let error = input.read(&mut [0; 8], &|_| Ok(())).unwrap_err();
        assert_eq!(error.reason, "connection to httpd closed");
    }
}
