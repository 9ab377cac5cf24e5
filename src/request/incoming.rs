//! A request body that the application reads from the client, and what has to be taken from the
//! client before anybody wants it.
//!
//! A client that sends all of its body before it reads must not be waited for by somebody whom it
//! waits for: see [`Incoming::make_way`].

use std::time::{Duration, Instant};

use wsgi_core::frame::BODY_WINDOW;
use wsgi_ipc::spool::{Limits, Store};

use crate::apache::{
    Request,
    body::{Body, Next, Read, ReadError},
    client_socket::Client,
    temporary,
};

/// How often to look whether httpd is being stopped.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Bytes that may be sent after [`Incoming::make_way`]: httpd keeps what the client does not take of
/// them, and does not wait for it.
pub(crate) const PIECE: usize = 32 << 10;

/// A body on its way.
pub(crate) struct Incoming<'r> {
    request: Request<'r>,
    body: Body<'r>,
    /// What was taken before it was wanted.
    ahead: Option<Store>,
}

impl<'r> Incoming<'r> {
    /// A body of which nothing was read.
    pub(crate) fn new(request: Request<'r>, body: Body<'r>) -> Self {
        Self { request, body, ahead: None }
    }

    /// Whether nothing of the body is left with the client.
    pub(crate) fn is_complete(&self) -> bool {
        self.body.is_ended()
    }

    /// Whether everything was read.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_complete() && self.ahead.as_ref().is_none_or(Store::is_empty)
    }

    /// Reads up to `buffer.len()` bytes; `waits` says whether to wait for the first of them.
    pub(crate) fn read(&mut self, buffer: &mut [u8], waits: bool) -> Result<Read, ReadError> {
        match &mut self.ahead {
            Some(ahead) if !ahead.is_empty() => Ok(Read::Data(ahead.take(buffer)?)),
            _ => self.body.read(buffer, waits),
        }
    }

    /// Adds what is there without waiting behind the first `filled` bytes of `buffer`; gives the
    /// number of bytes then filled. An error comes again at the next read, when they are used up.
    pub(crate) fn read_ready(&mut self, buffer: &mut [u8], mut filled: usize) -> usize {
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.read(room, false) {
                Ok(Read::Data(length)) => filled += length,
                Ok(Read::End | Read::NotYet) | Err(_) => break,
            }
        }
        filled
    }

    /// Takes what the client sends until it has taken what was sent to it, or has nothing more to
    /// send. Then it can be waited for.
    pub(crate) fn make_way(&mut self) {
        let limit = self.request.write_timeout().unwrap_or(Duration::MAX);
        let mut heard = Instant::now();
        while !self.is_complete() {
            match self.request.await_client(HEARTBEAT) {
                Client::Free | Client::Unknown => return,
                Client::Busy if self.take_ahead() => heard = Instant::now(),
                Client::Silent if heard.elapsed() < limit && !self.request.is_abandoned() => {}
                // The write that follows tells what is wrong.
                Client::Busy | Client::Silent => return,
            }
        }
    }

    /// Takes what is there of the body; whether there may be more.
    fn take_ahead(&mut self) -> bool {
        let store = self.ahead.get_or_insert_with(|| {
            let make_file = temporary::create;
            Store::new(Limits { memory: BODY_WINDOW, file: u64::MAX, make_file })
        });
        while !store.is_full() {
            match self.body.next(BODY_WINDOW, false) {
                // What no file takes is kept, and is the last.
                Ok(Next::Block(block)) => {
                    store.push(block).ok();
                }
                Ok(Next::NotYet) => return true,
                // An error comes again when the application reads.
                Ok(Next::End) | Err(_) => return false,
            }
        }
        false
    }
}
