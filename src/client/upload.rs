//! The request body on its way to the daemon.
//!
//! A body that httpd has read goes with the request while it is small, and as the descriptor of its
//! file when the daemon asks for it (`Want`). Where nothing is buffered, what is there at once goes
//! with the request; the rest is read from the client only while the application waits for it, so
//! an application may answer without reading and the client sees `100 Continue` only when somebody
//! reads.

use std::{
    io::{self, IoSlice},
    os::fd::BorrowedFd,
};

use wsgi_core::{
    frame::{BODY_WINDOW, Extent, Header, Kind, LAST},
    level::Level,
};
use wsgi_ipc::socket;

use crate::{
    apache::{
        Request,
        body::{Body, Read, ReadError},
        log,
    },
    request::{Failure, Incoming, Job, Stored, no_room},
};

/// The body of one request.
pub(super) struct Upload<'r> {
    request: Request<'r>,
    source: Source<'r>,
    buffer: Vec<u8>,
    failure: Option<u16>,
}

/// Where the body is.
enum Source<'r> {
    /// With the client, apart from what had come when the request was sent: that is kept, because
    /// it may be sent again.
    Client { body: Option<Incoming<'r>>, first: Vec<u8> },
    /// Here; so much of it has been sent in pieces.
    Here { body: Stored, sent: u64 },
}

impl<'r> Upload<'r> {
    /// The body of a request: read to its end, keeping so many bytes in memory, or not at all.
    pub(super) fn open(job: &Job<'r>, memory: Option<u64>) -> Result<Self, Failure> {
        let request = job.request;
        let source = match (open_body(job)?, memory) {
            (None, Some(_)) => Source::Here { body: Stored::empty(), sent: 0 },
            (Some(body), Some(memory)) => {
                let mut body = Stored::read(request, body, memory)?;
                body.sort(BODY_WINDOW).map_err(|why| no_room(request, &why))?;
                Source::Here { body, sent: 0 }
            }
            (body, None) => {
                let body = body.map(|body| Incoming::new(request, body));
                Source::Client { body, first: Vec::new() }
            }
        };
        let mut upload = Self { request, source, buffer: Vec::new(), failure: None };
        upload.read_ahead();
        Ok(upload)
    }

    /// Bytes of the body if all of it is here.
    pub(super) fn length(&self) -> Option<u64> {
        match &self.source {
            Source::Client { .. } => None,
            Source::Here { body, .. } => Some(body.length()),
        }
    }

    /// Takes what the client has sent already.
    fn read_ahead(&mut self) {
        if let Source::Client { body: Some(body), first } = &mut self.source
            && !self.request.expects_continue()
        {
            first.resize(BODY_WINDOW, 0);
            let filled = body.read_ready(first, 0);
            first.truncate(filled);
        }
    }

    /// HTTP status for a body that could not be read, once the application has asked for it.
    pub(super) fn failure(&self) -> Option<u16> {
        self.failure
    }

    /// Whether nothing of the body is left with the client.
    pub(super) fn is_complete(&self) -> bool {
        match &self.source {
            Source::Client { body, .. } => body.as_ref().is_none_or(Incoming::is_complete),
            Source::Here { .. } => true,
        }
    }

    /// The client is about to be waited for: see [`Incoming::make_way`].
    pub(super) fn make_way(&mut self) {
        if let Source::Client { body: Some(body), .. } = &mut self.source {
            body.make_way();
        }
    }

    /// What goes with the request, and whether that is all.
    fn first(&self) -> (&[u8], bool) {
        match &self.source {
            Source::Client { body, first } => (first, body.as_ref().is_none_or(Incoming::is_ended)),
            Source::Here { body, .. } => (body.in_memory().unwrap_or_default(), true),
        }
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
        let (first, is_last) = self.first();
        if first.is_empty() {
            return socket::send_vectored(socket, &[IoSlice::new(&header), IoSlice::new(head)]);
        }
        let body = body_header(request_id, first.len(), is_last);
        let parts = [&header[..], head, &body, first];
        socket::send_vectored(socket, &parts.map(IoSlice::new))
    }

    /// Answers a `Want`: with the file, or with a piece of the body, for which it may wait for the
    /// client.
    pub(super) fn send_more(
        &mut self,
        socket: BorrowedFd<'_>,
        request_id: u64,
        in_pieces: bool,
    ) -> io::Result<()> {
        if let Source::Here { body, .. } = &self.source
            && let Some(file) = body.file().filter(|_| !in_pieces)
        {
            let payload = Extent { offset: 0, length: body.length() }.encode();
            let mut frame =
                Header::new(Kind::BodyFile, request_id, payload.len()).encode().to_vec();
            frame.extend_from_slice(&payload);
            return socket::send_with_descriptor(socket, &frame, file);
        }
        self.buffer.resize(BODY_WINDOW, 0);
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.source.fill(&mut buffer);
        let sent = match result {
            Ok((length, is_last)) => {
                let header = body_header(request_id, length, is_last);
                let block = buffer.get(..length).unwrap_or_default();
                socket::send_vectored(socket, &[IoSlice::new(&header), IoSlice::new(block)])
            }
            Err(error) => self.send_error(socket, request_id, error),
        };
        self.buffer = buffer;
        sent
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

impl Source<'_> {
    /// The next piece and whether it is the last: waits for its first bytes, then takes what else
    /// is there.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(usize, bool), ReadError> {
        match self {
            Self::Client { body: None, .. } => Ok((0, true)),
            Self::Client { body: Some(body), .. } => {
                let length = match body.read(buffer, true)? {
                    Read::Data(length) => body.read_ready(buffer, length),
                    Read::End | Read::NotYet => 0,
                };
                Ok((length, body.is_ended()))
            }
            Self::Here { body, sent } => {
                let length = body.read_at(buffer, *sent).map_err(ReadError::from)?;
                *sent += length as u64;
                Ok((length, *sent >= body.length()))
            }
        }
    }
}

fn open_body<'r>(job: &Job<'r>) -> Result<Option<Body<'r>>, Failure> {
    let body = job.has_body.then(|| Body::open(job.request)).transpose();
    body.map_err(|status| Failure::new(status, 1007, "request body refused"))
}

fn body_header(request_id: u64, length: usize, is_last: bool) -> [u8; wsgi_core::frame::HEADER] {
    let flags = if is_last { LAST } else { 0 };
    Header::new(Kind::Body, request_id, length).with_flags(flags).encode()
}
