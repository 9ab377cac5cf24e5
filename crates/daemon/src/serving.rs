//! One request of a connection: read, run by the host, answered.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use wsgi_core::{
    exchange::{Exchange, Outcome},
    frame::{HEADER, Header, KEEP, Kind},
    head::{RequestHead, flag},
    level::Level,
    status::times::Sample,
};
use wsgi_ipc::{
    clock,
    socket::{self, TimedStream},
};

use crate::{
    connection::{ConnectionExchange, Place, Request},
    forked,
    host::Host,
    kept::Connection,
    progress::WorkerState,
    state::Daemon,
};

/// Bytes of the receive buffer: a head and a small body usually come at once.
const BUFFER: usize = 32 << 10;

/// A larger buffer than this is not kept for the next request.
const LARGEST_KEPT: usize = 1 << 20;

/// A request that has waited for longer, in µs, may have been given up by httpd meanwhile.
const LONG_WAIT: i64 = 500_000;

/// What a thread needs to serve requests.
pub(crate) struct Serving<'a> {
    daemon: &'a Daemon,
    host: &'a dyn Host,
    state: &'a WorkerState,
    /// The thread in its process, from 0.
    index: u32,
    buffer: Vec<u8>,
    held: Vec<u8>,
}

impl<'a> Serving<'a> {
    /// For the thread with this index.
    pub(crate) fn new(
        daemon: &'a Daemon,
        host: &'a dyn Host,
        state: &'a WorkerState,
        index: u32,
    ) -> Self {
        Self { daemon, host, state, index, buffer: vec![0; BUFFER], held: Vec::new() }
    }

    fn report(&self, level: Level, record: &str) {
        self.daemon.log.log(level, record);
    }

    /// Serves the request that is on its way; whether its connection is kept, which `may_keep`
    /// allows or not.
    pub(crate) fn serve(&mut self, connection: &Connection, may_keep: &dyn Fn() -> bool) -> bool {
        let stream = &connection.stream;
        let keeps = match receive_request(connection, &mut self.buffer) {
            Ok(Received::Request(header, length)) => self.answer(stream, header, length, may_keep),
            Ok(Received::Nothing) => true,
            Ok(Received::End) => false,
            Err(error) => {
                self.report(
                    Level::ERROR,
                    &format!("WSGI0080: Unable to read the request from httpd: {error}."),
                );
                false
            }
        };
        if self.buffer.len() > LARGEST_KEPT {
            self.buffer = vec![0; BUFFER];
        }
        if self.held.capacity() > LARGEST_KEPT {
            self.held = Vec::new();
        }
        keeps
    }

    /// Answers a request; whether the connection is kept.
    fn answer(
        &mut self,
        stream: &TimedStream,
        header: Header,
        received: usize,
        may_keep: &dyn Fn() -> bool,
    ) -> bool {
        let taken = clock::since_epoch();
        let end = HEADER + header.length as usize;
        let bytes = self.buffer.get(HEADER..end).unwrap_or_default();
        let head = match RequestHead::decode(bytes) {
            Ok(head) if head.request_id == header.request_id => head,
            Ok(_) | Err(_) => {
                self.report(Level::ERROR, "WSGI0080: Malformed request from httpd.");
                return false;
            }
        };
        let queued = waited(&head, taken);
        if queued > LONG_WAIT && socket::is_hung_up(stream.socket()) {
            // httpd has answered it: no process was free for too long.
            return false;
        }
        let request = Request {
            request_id: header.request_id,
            earlier_attempts: header.value,
            has_body: head.has(flag::BODY),
            body_length: head.body_length,
            received: self.buffer.get(end..received).unwrap_or_default(),
        };
        let held = std::mem::take(&mut self.held);
        let queued = u64::try_from(queued).unwrap_or(0);
        let (slot, thread) = (self.daemon.first_slot + self.index, self.index + 1);
        let place = Place { slot, activity: &self.state.activity, head: &head, thread, queued };
        place.activity.begin();
        let exchange = ConnectionExchange::new(self.daemon, place, stream, request, held);
        let outcome = self.outcome(&head, &exchange, taken);
        if forked::is_forked() {
            return false;
        }
        if outcome == Outcome::Stale && !self.daemon.is_draining() {
            // Before the answer: the request must not find this process again.
            self.daemon.begin_stale();
        }
        let may_keep = header.flags & KEEP != 0 && may_keep();
        let finished = exchange.finish(outcome, may_keep);
        self.held = finished.held;
        let spent = place.activity.end();
        if outcome != Outcome::Stale {
            let times = [
                Some(queued.saturating_mul(1000)),
                Some(spent.lock),
                spent.application,
                Some(spent.send),
            ];
            self.daemon.tallies.add(place.slot, &Sample { status: finished.status, times });
        }
        finished.keeps
    }

    fn outcome(
        &self,
        head: &RequestHead<'_>,
        exchange: &ConnectionExchange<'_>,
        taken: i64,
    ) -> Outcome {
        // Draining is not atomic: the connection may have been taken after it began.
        if self.daemon.is_draining() {
            return Outcome::Stale;
        }
        if let Some(seconds) = self.too_late(head, taken) {
            exchange.log(
                Level::ERROR,
                &format!(
                    "WSGI0084: Queue timeout expired: the request waited {seconds} seconds for \
                     daemon process group '{}'.",
                    self.daemon.group()
                ),
                None,
            );
            return Outcome::Failed(504);
        }
        let thread = self.index + 1;
        let running = self.daemon.begin_request(self.state, head.encoded());
        let serve = || self.host.serve(head, exchange, thread, taken);
        let outcome = catch_unwind(AssertUnwindSafe(serve)).unwrap_or_else(|_| {
            // The panic hook has logged where and why.
            self.daemon.note_panic();
            exchange.log(
                Level::ERROR,
                "WSGI1202: An internal error ended the request; see the daemon's log line.",
                None,
            );
            Outcome::Failed(500)
        });
        if !forked::is_forked() {
            if running.end() {
                self.host.forget_interrupt(head.application_group);
            }
            if outcome != Outcome::Stale {
                let is_activity = !head.has(flag::IGNORE_ACTIVITY);
                self.daemon.note_answered(self.state, is_activity);
            }
        }
        outcome
    }

    /// Seconds that the request has waited if that is longer than allowed.
    fn too_late(&self, head: &RequestHead<'_>, taken: i64) -> Option<i64> {
        let limit = i64::from(self.daemon.spec.queue_timeout);
        let waited = waited(head, taken) / 1_000_000;
        (limit > 0 && head.queue_start > 0 && waited >= limit).then_some(waited)
    }
}

/// What has come of a request.
pub(crate) enum Received {
    /// Its header, and the bytes that are in the buffer.
    Request(Header, usize),
    /// Nothing: what was reported of a kept connection belonged to its last request.
    Nothing,
    /// The connection has ended: httpd's child, or its client before the request was sent.
    End,
}

/// Receives the first bytes of a request, how many they are.
fn receive_first(connection: &Connection, buffer: &mut [u8]) -> io::Result<usize> {
    match connection.is_kept() {
        true => connection.stream.receive_present(buffer),
        false => connection.stream.receive_first(buffer),
    }
}

/// Reads a request frame into `buffer`; there may be more bytes behind it.
pub(crate) fn receive_request(
    connection: &Connection,
    buffer: &mut Vec<u8>,
) -> io::Result<Received> {
    let mut received = match receive_first(connection, buffer) {
        Ok(0) => return Ok(Received::End),
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
        // httpd has closed it without reading all of the last response.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(Received::End),
        Err(error) => return Err(error),
    };
    let mut header: Option<Header> = None;
    loop {
        if header.is_none()
            && let Some(bytes) = buffer.get(..received).and_then(|bytes| bytes.first_chunk())
        {
            let read = Header::decode(bytes).map_err(io::Error::other)?;
            if read.kind != Kind::Request {
                return Err(io::Error::other("not a request frame"));
            }
            let needed = HEADER + read.length as usize;
            if buffer.len() < needed {
                buffer.resize(needed, 0);
            }
            header = Some(read);
        }
        if let Some(header) = header.filter(|header| received >= HEADER + header.length as usize) {
            return Ok(Received::Request(header, received));
        }
        match connection.stream.receive(buffer.get_mut(received..).unwrap_or_default())? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            length => received += length,
        }
    }
}

/// µs between httpd's reading of a request and its taking at `taken`.
fn waited(head: &RequestHead<'_>, taken: i64) -> i64 {
    taken.saturating_sub(head.queue_start)
}
