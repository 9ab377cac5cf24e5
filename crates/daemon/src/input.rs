//! The request body as it comes in frames, with credit: httpd sends when it is asked.

use std::io;

use wsgi_core::{
    exchange::BodyError,
    frame::{HEADER, Header, Kind, LAST},
};
use wsgi_ipc::socket::TimedStream;

/// Longest reason of a [`Kind::BodyError`] that is kept.
const LONGEST_REASON: usize = 1024;

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
    failed: Option<BodyError>,
}

impl<'a> Input<'a> {
    /// The body of a request; `received` are bytes beyond its head that have come already.
    pub(crate) fn new(
        stream: &'a TimedStream,
        request_id: u64,
        has_body: bool,
        received: &'a [u8],
    ) -> Self {
        let is_last = !has_body;
        Self { stream, request_id, received, remaining: 0, is_last, is_asked: false, failed: None }
    }

    /// Whether nothing of this request can follow on the connection.
    pub(crate) fn is_drained(&self) -> bool {
        let is_read = self.is_last && self.remaining == 0 && self.received.is_empty();
        is_read && self.failed.is_none()
    }

    /// Reads the next bytes of the body, 0 at its end. `ask` sends a [`Kind::Want`]; it is called
    /// when somebody waits and nothing is on its way.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        ask: &dyn Fn() -> Result<(), BodyError>,
    ) -> Result<usize, BodyError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let read = self.read_unless_failed(buffer, ask);
        if let Err(error) = &read {
            self.failed = Some(error.clone());
        }
        read
    }

    fn read_unless_failed(
        &mut self,
        buffer: &mut [u8],
        ask: &dyn Fn() -> Result<(), BodyError>,
    ) -> Result<usize, BodyError> {
        while self.remaining == 0 {
            if self.is_last || buffer.is_empty() {
                return Ok(0);
            }
            if self.received.is_empty() && !self.is_asked {
                ask()?;
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

    fn next_frame(&mut self) -> Result<(), BodyError> {
        let mut bytes = [0u8; HEADER];
        self.receive_exact(&mut bytes)?;
        let header = Header::decode(&bytes).map_err(|error| failure(&error.to_string()))?;
        if header.request_id != self.request_id {
            return Err(failure("frame of another request"));
        }
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
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(failure("timeout while waiting for the request body"))
            }
            Err(error) => Err(failure(&error.to_string())),
        }
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
    use wsgi_ipc::socket::{send_vectored, stream_pair};

    fn stream() -> (TimedStream, OwnedFd) {
        let (left, right) = stream_pair().unwrap();
        (TimedStream::new(left, 1), right)
    }

    fn frame(kind: Kind, flags: u8, id: u64, payload: &[u8]) -> Vec<u8> {
        let header = Header::new(kind, id, payload.len()).with_flags(flags).encode();
        [header.as_slice(), payload].concat()
    }

    fn read_all(input: &mut Input<'_>, ask: &dyn Fn() -> Result<(), BodyError>) -> Vec<u8> {
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
        let mut input = Input::new(&stream, 7, true, &received);
        let body = read_all(&mut input, &|| panic!("asked for what was there"));
        assert_eq!(body, b"hello world");
    }

    #[test]
    fn every_further_frame_is_asked_for_once() {
        let (stream, httpd) = stream();
        let received = frame(Kind::Body, 0, 7, b"first ");
        let mut input = Input::new(&stream, 7, true, &received);
        let asked = Cell::new(0);
        let body = read_all(&mut input, &|| {
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
        let mut input = Input::new(&stream, 7, false, b"");
        assert_eq!(input.read(&mut [0; 8], &|| panic!("asked")), Ok(0));
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
            let mut input = Input::new(&stream, 7, true, &received);
            for _ in 0..2 {
                let error = input.read(&mut [0; 8], &|| Ok(())).unwrap_err();
                assert_eq!(error.reason, reason);
            }
        }
    }

    #[test]
    fn a_silent_or_vanished_httpd_is_noticed() {
        let (stream, httpd) = stream();
        let mut input = Input::new(&stream, 7, true, b"");
        let error = input.read(&mut [0; 8], &|| Ok(())).unwrap_err();
        assert!(error.reason.starts_with("timeout"), "{error}");
        let mut input = Input::new(&stream, 7, true, b"");
        drop(httpd);
        let error = input.read(&mut [0; 8], &|| Ok(())).unwrap_err();
        assert_eq!(error.reason, "connection to httpd closed");
    }
}
