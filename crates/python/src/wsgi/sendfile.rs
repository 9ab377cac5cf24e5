//! The response header `X-Sendfile`: the file that it names is sent instead of the body.

use std::{
    ffi::c_void,
    os::fd::{AsFd, BorrowedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use wsgi_core::{
    activity::Activity,
    exchange::{BodyError, Exchange, Outcome, Pace, SendError, Source},
    head::{RequestHead, ResponseHead},
    level::Level,
};
use wsgi_ipc::beneath::{self, Refusal};

/// Name of the header.
const NAME: &[u8] = b"x-sendfile";

/// Whether a response has the header.
pub(crate) fn is_wanted(head: &ResponseHead<'_>) -> bool {
    head.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(NAME))
}

/// An exchange on which the header is carried out.
pub(crate) struct Sendfile<'e> {
    inner: &'e dyn Exchange,
    /// Separated by NUL.
    roots: &'e [u8],
    state: Mutex<State>,
}

/// What has become of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is sent as the application produces it.
    Own,
    /// The file has taken the place of the body.
    Sent,
    /// There is no such file to be sent.
    Refused(u16),
}

impl<'e> Sendfile<'e> {
    /// The exchange of a request, if the header means something there.
    pub(crate) fn new(inner: &'e dyn Exchange, head: &RequestHead<'e>) -> Option<Self> {
        let roots = head.sendfile_roots;
        (!roots.is_empty()).then(|| Self { inner, roots, state: Mutex::new(State::Own) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the request has ended, when the engine says how it has for the application.
    pub(crate) fn judge(&self, outcome: Outcome) -> Outcome {
        match (*self.state(), outcome) {
            (State::Refused(status), Outcome::Completed | Outcome::Truncated) => {
                Outcome::Failed(status)
            }
            (_, outcome) => outcome,
        }
    }

    /// Sends the file, with what the header says left out of the head.
    fn send(&self, head: &ResponseHead<'_>, path: &[u8]) -> Result<State, SendError> {
        let roots: Vec<&[u8]> = self.roots.split(|byte| *byte == 0).collect();
        let opened = match beneath::open(&roots, path) {
            Ok(opened) => opened,
            Err(refusal) => return Ok(self.refuse(path, &refusal)),
        };
        let mut head = head.clone();
        let is_ours = |name: &[u8]| {
            [NAME, b"content-length"].iter().any(|own| name.eq_ignore_ascii_case(own))
        };
        head.headers.retain(|name, _| !is_ours(name));
        head.inferred_length = Some(opened.size);
        self.inner.send_head(&head)?;
        if opened.size > 0 {
            self.inner.send_file(opened.file.as_fd(), 0, opened.size)?;
        }
        Ok(State::Sent)
    }

    fn refuse(&self, path: &[u8], refusal: &Refusal) -> State {
        let path = path.escape_ascii();
        let text = format!("WSGI1032: Cannot send the file of X-Sendfile, '{path}': {refusal}");
        self.inner.log(Level::ERROR, &text, None);
        State::Refused(if matches!(refusal, Refusal::Missing) { 404 } else { 500 })
    }

    /// Whether the application's own body is sent.
    fn is_own(&self) -> bool {
        *self.state() == State::Own
    }
}

impl Exchange for Sendfile<'_> {
    fn begin(&self) {
        self.inner.begin();
    }

    fn read_body(&self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        self.inner.read_body(buffer)
    }

    fn seek_body(&self, position: u64) -> Result<(), BodyError> {
        self.inner.seek_body(position)
    }

    fn send_head(&self, head: &ResponseHead<'_>) -> Result<(), SendError> {
        let mut named = head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(NAME));
        let Some((_, path)) = named.next() else { return self.inner.send_head(head) };
        let state = self.send(head, path)?;
        *self.state() = state;
        Ok(())
    }

    fn write(&self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        if self.is_own() { self.inner.write(block, pace) } else { Ok(()) }
    }

    fn send_file(&self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), SendError> {
        if self.is_own() { self.inner.send_file(file, offset, length) } else { Ok(()) }
    }

    fn is_aborted(&self) -> bool {
        self.inner.is_aborted()
    }

    fn tls_variable(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.inner.tls_variable(name)
    }

    fn request_record(&self) -> *mut c_void {
        self.inner.request_record()
    }

    fn activity(&self) -> Option<&Activity> {
        self.inner.activity()
    }

    fn earlier_attempts(&self) -> u16 {
        self.inner.earlier_attempts()
    }

    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>) {
        self.inner.log(level, record, source);
    }
}
