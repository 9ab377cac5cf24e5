//! The response on its way to the client: blocks that follow each other leave together, none waits
//! for long.

use std::time::{Duration, Instant};

use wsgi_core::{
    exchange::{Pace, SendError},
    frame::Extent,
    head::ResponseHead,
    level::Level,
};

use crate::{
    apache::{Request, client_socket::WriteLimit, log},
    request::{Responder, subject},
    resolved::Group,
};

/// The response of one attempt at a request.
pub(super) struct Delivery<'r, 'c> {
    request: Request<'r>,
    group: &'c Group,
    responder: Responder<'r>,
    /// Holds while the response is sent.
    write_limit: Option<WriteLimit<'r>>,
    /// Whether the daemon has said that it sends more at once.
    expects_more: bool,
    /// Since when a block has waited for a flush.
    unflushed: Option<Instant>,
    /// Bytes passed on since the last flush.
    relayed: u64,
}

impl<'r, 'c> Delivery<'r, 'c> {
    /// A response of which nothing is known.
    pub(super) fn new(request: Request<'r>, group: &'c Group, responder: Responder<'r>) -> Self {
        Self {
            request,
            group,
            responder,
            write_limit: None,
            expects_more: false,
            unflushed: None,
            relayed: 0,
        }
    }

    /// Whether a head was given.
    pub(super) fn has_begun(&self) -> bool {
        self.responder.has_begun()
    }

    /// Begins the response; `false` for a header longer than `header-buffer-size`.
    pub(super) fn head(&mut self, head: &ResponseHead<'_>) -> bool {
        let limit = self.group.definition.header_buffer_size as usize;
        if head.headers.iter().any(|(name, value)| name.len() + value.len() > limit) {
            return false;
        }
        self.responder.head(head);
        // From here on: until now the client may have been sending.
        if let Some(limit) = self.group.definition.response_socket_timeout {
            self.write_limit = WriteLimit::set(self.request, limit);
        }
        true
    }

    /// Whether a block of this length may have to wait for the client.
    pub(super) fn may_wait(&self, length: usize) -> bool {
        let relayed = self.relayed + length as u64;
        !self.responder.holds(length)
            || relayed >= u64::from(self.group.definition.response_buffer_size)
    }

    /// A block, held back until the daemon is silent: see [`Self::until_flush`].
    pub(super) fn block(&mut self, block: &[u8], expects_more: bool) -> Result<(), SendError> {
        self.expects_more = expects_more;
        self.responder.write(block, Pace::More)?;
        self.relayed += block.len() as u64;
        // A filter that collects output must not collect more than that.
        if self.relayed < u64::from(self.group.definition.response_buffer_size) {
            return Ok(());
        }
        self.flush()
    }

    /// The body is part of a file, which httpd sends itself.
    pub(super) fn file(
        &mut self,
        file: std::os::fd::BorrowedFd<'_>,
        extent: Extent,
    ) -> Result<(), SendError> {
        self.responder.write_file(file, extent.offset, extent.length)
    }

    /// How long what has been passed on may still wait for more of it; `None` when nothing waits,
    /// or when more is announced.
    pub(super) fn until_flush(&mut self) -> Option<Duration> {
        if !self.responder.is_unflushed() {
            self.unflushed = None;
            return None;
        }
        if self.expects_more {
            return None;
        }
        let since = *self.unflushed.get_or_insert_with(Instant::now);
        Some(self.group.definition.response_flush_delay.saturating_sub(since.elapsed()))
    }

    /// Sends the client what it takes without being waited for.
    pub(super) fn pass_held(&mut self) -> Result<(), SendError> {
        self.responder.pass_held()
    }

    /// Sends the client everything so far.
    pub(super) fn flush(&mut self) -> Result<(), SendError> {
        self.relayed = 0;
        self.unflushed = None;
        self.responder.flush()
    }

    /// Whether something waits for a flush.
    pub(super) fn is_unflushed(&self) -> bool {
        self.responder.is_unflushed()
    }

    /// The request body could not be read, in HTTP's terms.
    pub(super) fn body_failed(&mut self, status: u16) {
        self.responder.body_failed(status);
    }

    /// Gives the responder back, to be ended, or to be used by another attempt.
    pub(super) fn into_responder(self) -> Responder<'r> {
        self.tell_stall();
        self.responder
    }

    /// A client that has gone is no news; one that stays and takes nothing may be.
    fn tell_stall(&self) {
        if self.responder.client_has_stalled() {
            let text = format!(
                "Unable to proxy response to client (write timeout): daemon process group '{}', {}",
                self.group.definition.name,
                subject(self.request)
            );
            log::request(self.request, Level::ERROR, Some(120), &text);
        }
    }
}
