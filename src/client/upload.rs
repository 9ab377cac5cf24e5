//! The request body on its way to the daemon.
//!
//! What is there at once goes with the request; the rest is read from the client only while the
//! application waits for it (the daemon's `Want`), so an application may answer without reading
//! and the client sees `100 Continue` only when somebody reads.

use std::{
    io::{self, IoSlice},
    os::fd::BorrowedFd,
};

use wsgi_core::{
    frame::{BODY_WINDOW, Header, Kind, LAST},
    level::Level,
};
use wsgi_ipc::socket;

use crate::{
    apache::{
        Request,
        body::{Body, Read, ReadError},
        log,
    },
    request::{Failure, Job},
};

/// The body of one request.
pub(super) struct Upload<'r> {
    request: Request<'r>,
    body: Option<Body<'r>>,
    /// What was read before the request was sent: kept, because it may be sent again.
    first: Vec<u8>,
    buffer: Vec<u8>,
    failure: Option<u16>,
}

impl<'r> Upload<'r> {
    pub(super) fn open(job: &Job<'r>) -> Result<Self, Failure> {
        let request = job.request;
        let mut upload =
            Self { request, body: None, first: Vec::new(), buffer: Vec::new(), failure: None };
        if !job.has_body {
            return Ok(upload);
        }
        let body = Body::open(request)
            .map_err(|status| Failure::new(status, 1007, "request body refused"))?;
        upload.body = Some(body);
        if !request.expects_continue() {
            upload.read_ahead();
        }
        Ok(upload)
    }

    /// Takes what the client has sent already.
    fn read_ahead(&mut self) {
        let Some(body) = self.body.as_mut() else { return };
        self.first.resize(BODY_WINDOW, 0);
        let filled = take_ready(body, &mut self.first, 0);
        self.first.truncate(filled);
    }

    /// HTTP status for a body that could not be read, once the application has asked for it.
    pub(super) fn failure(&self) -> Option<u16> {
        self.failure
    }

    fn is_ended(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_ended)
    }

    /// Sends the request head with its frame's header, and the body that is already there.
    pub(super) fn send_request(
        &self,
        socket: BorrowedFd<'_>,
        header: Header,
        head: &[u8],
    ) -> io::Result<()> {
        let request_id = header.request_id;
        let header = header.encode();
        if self.first.is_empty() {
            return socket::send_vectored(socket, &[IoSlice::new(&header), IoSlice::new(head)]);
        }
        let body = self.body_header(request_id, self.first.len());
        let parts = [&header[..], head, &body, &self.first];
        socket::send_vectored(socket, &parts.map(IoSlice::new))
    }

    fn body_header(&self, request_id: u64, length: usize) -> [u8; wsgi_core::frame::HEADER] {
        let flags = if self.is_ended() { LAST } else { 0 };
        Header::new(Kind::Body, request_id, length).with_flags(flags).encode()
    }

    /// Answers a `Want`: waits for the client and sends what it gives.
    pub(super) fn send_more(&mut self, socket: BorrowedFd<'_>, request_id: u64) -> io::Result<()> {
        self.buffer.resize(BODY_WINDOW, 0);
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.fill(&mut buffer);
        let sent = match result {
            Ok(length) => {
                let header = self.body_header(request_id, length);
                let block = buffer.get(..length).unwrap_or_default();
                socket::send_vectored(socket, &[IoSlice::new(&header), IoSlice::new(block)])
            }
            Err(error) => self.send_error(socket, request_id, error),
        };
        self.buffer = buffer;
        sent
    }

    /// Waits for the first bytes, then takes what else is there.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let Some(body) = self.body.as_mut() else { return Ok(0) };
        match body.read(buffer, true)? {
            Read::Data(length) => Ok(take_ready(body, buffer, length)),
            Read::End | Read::NotYet => Ok(0),
        }
    }

    fn send_error(
        &mut self,
        socket: BorrowedFd<'_>,
        request_id: u64,
        error: ReadError,
    ) -> io::Result<()> {
        let (status, reason) = (error.http_status(), error.reason());
        self.failure = Some(status);
        self.request.close_connection_after();
        if status == 408 {
            let text = "Timeout when reading the request body from the client";
            log::request(self.request, Level::ERROR, Some(126), text);
        }
        let header = Header::new(Kind::BodyError, request_id, reason.len()).encode();
        let parts = [IoSlice::new(&header), IoSlice::new(reason.as_bytes())];
        socket::send_vectored(socket, &parts)
    }
}

/// Adds what is there without waiting behind the first `filled` bytes of `buffer`; gives the
/// number of bytes then filled. An error comes again at the next read, when they are used up.
fn take_ready(body: &mut Body<'_>, buffer: &mut [u8], mut filled: usize) -> usize {
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match body.read(room, false) {
            Ok(Read::Data(length)) => filled += length,
            Ok(Read::End | Read::NotYet) | Err(_) => break,
        }
    }
    filled
}
