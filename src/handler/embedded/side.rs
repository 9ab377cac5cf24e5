//! httpd's side of a request that runs here: its body, its response, and how they wait for each
//! other.

use std::time::Instant;

use wsgi_core::exchange::{BodyError, Outcome, Pace, SendError};

use crate::{
    apache::{
        Request,
        body::{Body, Read},
        hook::Status,
    },
    request::{Failure, Incoming, Job, PIECE, Responder, Stored},
};

/// The request's body, if it has one.
pub(super) fn open_body<'r>(
    job: &Job<'_>,
    request: Request<'r>,
) -> Result<Option<Body<'r>>, Failure> {
    let body = job.has_body.then(|| Body::open(request)).transpose();
    body.map_err(|status| Failure::new(status, 1007, "request body refused"))
}

/// Where the body comes from.
enum Intake<'r> {
    /// From the client, while the application reads.
    Client(Option<Incoming<'r>>),
    /// It is here, and was read up to this position.
    Here(Stored, u64),
}

/// httpd's side of the request: one thread at a time.
pub(super) struct Side<'r> {
    pub(super) request: Request<'r>,
    body: Intake<'r>,
    pub(super) responder: Responder<'r>,
    /// When output was last flushed.
    pub(super) flushed: Option<Instant>,
    /// Whether the flusher will look.
    pub(super) is_scheduled: bool,
    /// The application's status; 0 before it has one.
    pub(super) status: u16,
}

impl<'r> Side<'r> {
    /// The side of a request with the body that was read, or with that which is to come.
    pub(super) fn open(
        job: &Job<'_>,
        request: Request<'r>,
        stored: Option<Stored>,
    ) -> Result<Self, Failure> {
        let body = match stored {
            Some(stored) => Intake::Here(stored, 0),
            None => {
                let body = open_body(job, request)?;
                Intake::Client(body.map(|body| Incoming::new(request, body)))
            }
        };
        let responder =
            Responder::new(request, job.choice.error_override, job.choice.enable_sendfile)
                .ok_or_else(|| Failure::internal("no output brigade"))?;
        Ok(Self { request, body, responder, flushed: None, is_scheduled: false, status: 0 })
    }

    /// Ends the response; what httpd is told, and the response's status.
    pub(super) fn finish(self, outcome: Outcome) -> (Status, u16) {
        let failed = |status| (Status::Http(status), status);
        match outcome {
            Outcome::Completed => (self.responder.complete(), self.status),
            Outcome::Truncated => (self.responder.truncate(), self.status),
            // The head has left: all that can be said is that the response is not complete.
            Outcome::Failed(_) if self.responder.has_begun() => {
                (self.responder.truncate(), self.status)
            }
            Outcome::Failed(status) => failed(self.responder.failure_status(status)),
            // Embedded engines run a changed script again instead.
            Outcome::Stale => failed(500),
        }
    }

    /// Reads the body.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        let body = match &mut self.body {
            Intake::Client(Some(body)) => body,
            Intake::Client(None) => return Ok(0),
            Intake::Here(stored, position) => {
                let length = stored
                    .read_at(buffer, *position)
                    .map_err(|error| BodyError { reason: error.to_string() })?;
                *position += length as u64;
                return Ok(length);
            }
        };
        if self.responder.is_unflushed() {
            // The client may wait for it before it sends more; its failure shows at the next write.
            self.responder.pass_held().ok();
            body.make_way();
            self.responder.flush().ok();
        }
        match body.read(buffer, true) {
            Ok(Read::Data(length)) => Ok(length),
            Ok(Read::End | Read::NotYet) => Ok(0),
            Err(error) => {
                self.request.close_connection_after();
                self.responder.body_failed(error.http_status());
                Err(BodyError { reason: error.reason() })
            }
        }
    }

    /// Where to read from next, of a body that is here.
    pub(super) fn seek(&mut self, to: u64) -> Result<(), BodyError> {
        match &mut self.body {
            Intake::Here(_, position) => {
                *position = to;
                Ok(())
            }
            Intake::Client(_) => Err(BodyError { reason: "the request body is not kept".into() }),
        }
    }

    /// Writes a block.
    pub(super) fn write(&mut self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        if self.is_complete() || self.responder.holds(block.len()) {
            return self.responder.write(block, pace);
        }
        for piece in block.chunks(PIECE) {
            self.make_way()?;
            self.responder.write(piece, pace)?;
        }
        Ok(())
    }

    /// Writes a block if that does not leave yet.
    pub(super) fn hold(&mut self, block: &[u8]) -> Option<Result<(), SendError>> {
        self.responder.holds(block.len()).then(|| self.responder.write(block, Pace::More))
    }

    /// Whether nothing of the request's body is left with the client.
    fn is_complete(&self) -> bool {
        match &self.body {
            Intake::Client(body) => body.as_ref().is_none_or(Incoming::is_complete),
            Intake::Here(..) => true,
        }
    }

    /// Has the client get all there is.
    pub(super) fn flush(&mut self) -> Result<(), SendError> {
        self.flushed = Some(Instant::now());
        self.make_way()?;
        self.responder.flush()
    }

    /// The client is about to be waited for, which may itself wait for its body to be read.
    fn make_way(&mut self) -> Result<(), SendError> {
        if let Intake::Client(Some(body)) = &mut self.body
            && !body.is_complete()
        {
            self.responder.pass_held()?;
            body.make_way();
        }
        Ok(())
    }
}
