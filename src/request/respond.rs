//! Sends what an application answers, the same way in both placements.

use std::os::fd::BorrowedFd;

use wsgi_core::{
    digits,
    exchange::{Pace, SendError},
    head::ResponseHead,
};

use crate::apache::{Request, hook::Status, output::Output, text::c_string};

/// Blocks at least this long are passed on without being copied, in bytes.
const LARGE: usize = 16 << 10;

/// Status for a client that has stopped sending.
const TIMED_OUT: u16 = 408;

/// The response of one request.
pub(crate) struct Responder<'r> {
    request: Request<'r>,
    output: Output<'r>,
    error_override: bool,
    allows_sendfile: bool,
    state: State,
    body_failure: Option<u16>,
}

/// How far a response is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// No head yet.
    Waiting,
    /// The body goes to the client.
    Sending,
    /// The body is dropped: httpd answers with something else.
    Replaced(Replacement),
}

/// What httpd answers instead of the application's body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Replacement {
    /// Another URI of this server.
    Redirect(Vec<u8>),
    /// Its own page for an error status (`WSGIErrorOverride`).
    ErrorPage(u16),
}

impl<'r> Responder<'r> {
    /// A responder for a request whose handler is running.
    pub(crate) fn new(
        request: Request<'r>,
        error_override: bool,
        allows_sendfile: bool,
    ) -> Option<Self> {
        let output = Output::open(request)?;
        Some(Self {
            request,
            output,
            error_override,
            allows_sendfile,
            state: State::Waiting,
            body_failure: None,
        })
    }

    /// Whether a head was given.
    pub(crate) fn has_begun(&self) -> bool {
        self.state != State::Waiting
    }

    /// The request body could not be read; `status` says why in HTTP's terms. For a client that
    /// has stopped sending the application cannot know a better answer.
    pub(crate) fn body_failed(&mut self, status: u16) {
        self.body_failure = Some(status);
        if status == TIMED_OUT && self.state == State::Waiting {
            self.state = State::Replaced(Replacement::ErrorPage(status));
        }
    }

    /// The status of a request whose application has no answer of its own but `status`.
    pub(crate) fn failure_status(&self, status: u16) -> u16 {
        self.body_failure.unwrap_or(status)
    }

    /// Sets status and headers.
    pub(crate) fn head(&mut self, head: &ResponseHead<'_>) {
        if self.state != State::Waiting {
            return;
        }
        if self.error_override && head.status >= 400 {
            self.keep_error_headers(head);
            self.state = State::Replaced(Replacement::ErrorPage(head.status));
            return;
        }
        if let (200, Some(location)) = (head.status, local_location(head)) {
            self.state = State::Replaced(Replacement::Redirect(location.to_vec()));
            return;
        }
        self.state = State::Sending;
        self.request.set_status(head.status, &head.reason);
        for (name, value) in &head.headers {
            self.header(name, value);
        }
        if let Some(length) = head.inferred_length {
            self.request.set_content_length(length);
        }
    }

    fn header(&self, name: &[u8], value: &[u8]) {
        let Some(pool) = self.request.pool() else { return };
        if name.eq_ignore_ascii_case(b"content-type") {
            self.request.set_content_type(pool.copy_bytes(value));
            return;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            // The engine has checked the number.
            if let Some(length) = digits::parse(value.trim_ascii()) {
                self.request.set_content_length(length);
            }
            return;
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            // How a body is framed is httpd's to say (PEP 3333 forbids it to applications): with
            // this header it would announce chunks and send none.
            return;
        }
        let table = if name.eq_ignore_ascii_case(b"www-authenticate") {
            self.request.error_headers_out()
        } else {
            self.request.headers_out()
        };
        if let Some(table) = table {
            table.add(pool.copy_bytes(name), pool.copy_bytes(value));
        }
    }

    /// What an error page must not lose.
    fn keep_error_headers(&self, head: &ResponseHead<'_>) {
        for (name, value) in &head.headers {
            if name.eq_ignore_ascii_case(b"www-authenticate") {
                self.header(name, value);
            }
        }
    }

    /// Sends a block of the body.
    pub(crate) fn write(&mut self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        if self.state != State::Sending {
            return Ok(());
        }
        match pace {
            Pace::More if block.len() < LARGE => self.output.hold(block),
            _ => self.output.write(block),
        }
    }

    /// Whether a block of this length, with more to follow, is held back: only others can have to
    /// wait for the client.
    pub(crate) fn holds(&self, length: usize) -> bool {
        self.state != State::Sending || (length < LARGE && self.output.holds(length))
    }

    /// A file need not be sent that the client has already, by the tag that the application gave it.
    fn check_conditions(&mut self) {
        let headers = self.request.headers_out();
        if headers.is_none_or(|headers| headers.get(c"ETag").is_none()) {
            return;
        }
        if let Some(status) = self.request.unmet_conditions() {
            self.request.set_status(status, b"");
            headers.inspect(|headers| headers.unset(c"Content-Length"));
            self.state = State::Replaced(Replacement::ErrorPage(status));
        }
    }

    /// Sends part of a file.
    pub(crate) fn write_file(
        &mut self,
        file: BorrowedFd<'_>,
        offset: u64,
        length: u64,
    ) -> Result<(), SendError> {
        if self.state != State::Sending || length == 0 {
            return Ok(());
        }
        if !self.output.is_unflushed() {
            self.check_conditions();
        }
        if self.state != State::Sending {
            return Ok(());
        }
        self.output.write_file(file, offset, length, self.allows_sendfile)
    }

    /// Whether something waits for a flush.
    pub(crate) fn is_unflushed(&self) -> bool {
        self.state == State::Sending && self.output.is_unflushed()
    }

    /// Whether the client took nothing for longer than a write may wait.
    pub(crate) fn client_has_stalled(&self) -> bool {
        self.output.has_stalled()
    }

    /// Passes on what is held back, as far as the client takes it without being waited for.
    pub(crate) fn pass_held(&mut self) -> Result<(), SendError> {
        if self.state == State::Sending { self.output.pass_held() } else { Ok(()) }
    }

    /// Sends everything so far to the client.
    pub(crate) fn flush(&mut self) -> Result<(), SendError> {
        if self.state == State::Sending { self.output.flush() } else { Ok(()) }
    }

    /// The response is complete.
    pub(crate) fn complete(mut self) -> Status {
        match &self.state {
            State::Waiting => Status::Http(500),
            State::Sending => {
                // A client that has gone meanwhile is no error of this request. One that lacks a part
                // (of a file that cannot be read to its end) must not wait for it.
                if let Err(SendError::Failed(_)) = self.output.end() {
                    self.request.close_connection_after();
                }
                Status::Ok
            }
            State::Replaced(Replacement::ErrorPage(status)) => Status::Http(*status),
            State::Replaced(Replacement::Redirect(location)) => self.redirect(location),
        }
    }

    /// The response ends without being complete.
    pub(crate) fn truncate(mut self) -> Status {
        match &self.state {
            State::Sending => {
                self.output.abort();
                Status::Ok
            }
            State::Replaced(Replacement::ErrorPage(status)) => Status::Http(*status),
            State::Waiting | State::Replaced(Replacement::Redirect(_)) => Status::Http(500),
        }
    }

    fn redirect(&self, location: &[u8]) -> Status {
        self.request.discard_body();
        self.request.set_method_get();
        if let Some(headers) = self.request.headers_in() {
            headers.unset(c"Content-Length");
        }
        self.request.redirect_internally(&c_string(location));
        Status::Ok
    }
}

/// The local path that a `Location` header names.
fn local_location<'h>(head: &'h ResponseHead<'_>) -> Option<&'h [u8]> {
    let is_location = |name: &[u8]| name.eq_ignore_ascii_case(b"location");
    let (_, value) = head.headers.iter().filter(|(name, _)| is_location(name)).last()?;
    value.starts_with(b"/").then_some(value)
}
