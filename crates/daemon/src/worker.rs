//! A worker thread: takes connections and hands their requests to the host. A connection has one
//! request, or several one after the other when httpd and this process keep it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
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
    progress::WorkerState,
    state::Daemon,
};

/// Bytes of the receive buffer: a head and a small body usually come at once.
const BUFFER: usize = 32 << 10;

/// A larger buffer than this is not kept for the next request.
const LARGEST_KEPT: usize = 1 << 20;

/// A request that has waited for longer, in µs, may have been given up by httpd meanwhile.
const LONG_WAIT: i64 = 500_000;

/// How long to wait when the process has no descriptor left for a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// One worker thread of a daemon process.
pub(crate) struct Worker<'a> {
    daemon: &'a Daemon,
    host: &'a dyn Host,
    state: &'a WorkerState,
    /// Counts from 0 in the process.
    index: u32,
    /// The kernel's number of the thread.
    thread: i32,
    /// httpd keeps the connection that is being served.
    is_kept: bool,
    /// How often in a row no connection could be accepted.
    failures: u32,
    buffer: Vec<u8>,
    held: Vec<u8>,
}

impl<'a> Worker<'a> {
    /// The worker with this index, if there is a place for it.
    pub(crate) fn new(daemon: &'a Daemon, host: &'a dyn Host, index: u32) -> Option<Self> {
        let state = daemon.workers.get(index as usize)?;
        Some(Self {
            daemon,
            host,
            state,
            index,
            thread: 0,
            is_kept: false,
            failures: 0,
            buffer: vec![0; BUFFER],
            held: Vec::new(),
        })
    }

    /// Serves until the process drains.
    pub(crate) fn run(&mut self) {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        self.thread = thread;
        let state = self.state;
        state.adopt_thread();
        while !state.is_written_off() {
            // Before the check: a drain that begins after it finds this thread waiting and
            // wakes it, again and again until it has gone.
            state.begin_wait(thread);
            if self.daemon.is_draining() {
                break;
            }
            self.daemon.idle.begin_accept();
            let accepted = socket::accept(self.daemon.listener.as_fd());
            self.daemon.idle.end_accept(accepted.is_ok());
            state.end_wait();
            match accepted {
                Ok(connection) => {
                    self.failures = 0;
                    self.serve(connection);
                }
                Err(error) => self.judge_accept(&error),
            }
        }
        state.end_wait();
        self.host.thread_end();
    }

    fn judge_accept(&mut self, error: &io::Error) {
        let is_passing =
            matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted);
        if !is_passing {
            self.failures = self.failures.saturating_add(1);
            // Ever more rarely: what lasts must not fill the log.
            if self.failures.is_power_of_two() {
                self.report(
                    Level::CRIT,
                    &format!("WSGI1201: Unable to accept a connection of httpd: {error}."),
                );
            }
            thread::sleep(PAUSE);
        }
    }

    fn report(&self, level: Level, record: &str) {
        self.daemon.log.log(level, record);
    }

    fn serve(&mut self, connection: OwnedFd) {
        self.size_buffers(&connection);
        let stream = Arc::new(TimedStream::new(connection, self.daemon.spec.socket_timeout));
        forked::set_connection(self.index as usize, Some(stream.socket()));
        let mut received = 0;
        self.is_kept = false;
        while self.serve_one(&stream, received) {
            self.note_kept();
            match self.await_next(&stream) {
                Some(length) => received = length,
                None => break,
            }
        }
        if forked::is_forked() {
            // A copy of this thread came back from the application: it has nothing to serve.
            // SAFETY: ends the process without running anything of its parent's.
            unsafe { libc::_exit(0) };
        }
        if forked::has_forked() {
            socket::shutdown(stream.socket());
        }
        forked::set_connection(self.index as usize, None);
        if self.is_kept {
            self.daemon.slots.set_kept(self.slot(), false);
        }
    }

    /// Accepted sockets do not take these over from their listener. Sizes that the system does not
    /// allow were logged when httpd set them there.
    fn size_buffers(&self, connection: &OwnedFd) {
        let buffers = self.daemon.spec.buffers;
        if buffers.send > 0 {
            socket::set_send_buffer(connection.as_fd(), buffers.send).ok();
        }
        if buffers.receive > 0 {
            socket::set_receive_buffer(connection.as_fd(), buffers.receive).ok();
        }
    }

    fn slot(&self) -> u32 {
        self.daemon.first_slot + self.index
    }

    fn note_kept(&mut self) {
        if !self.is_kept {
            self.is_kept = true;
            self.daemon.slots.set_kept(self.slot(), true);
        }
    }

    /// Whether httpd may keep the connection. A new one only if this process does not have more
    /// of them than its share: the kernel wakes waiting threads in their order, which would give
    /// all of them to the process that was started first.
    fn may_keep(&self) -> bool {
        let daemon = self.daemon;
        let is_leaving = daemon.is_draining() || self.state.is_written_off();
        if is_leaving || !daemon.idle.may_keep() {
            return false;
        }
        self.is_kept || {
            let places = daemon.spec.slots_per_process();
            let (own, all) = daemon.slots.count_kept(daemon.first_slot, places);
            own.saturating_mul(daemon.spec.processes) < all.saturating_add(daemon.spec.processes)
        }
    }

    /// Serves the request whose first bytes are in the buffer, or on their way; whether the
    /// connection is kept.
    fn serve_one(&mut self, stream: &TimedStream, received: usize) -> bool {
        let keeps = match receive_request(stream, &mut self.buffer, received) {
            Ok(Some((header, received))) => self.answer(stream, header, received),
            // httpd's child has ended, or its client has gone, before the request was sent.
            Ok(None) => false,
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

    /// Waits on a kept connection; the number of bytes of the next request that have come, or
    /// `None` when this thread is to go back to the listener.
    fn await_next(&mut self, stream: &Arc<TimedStream>) -> Option<usize> {
        let state = self.state;
        if !self.daemon.idle.begin_keep(self.index, stream) {
            return None;
        }
        state.begin_wait(self.thread);
        let received = loop {
            if self.daemon.is_draining() {
                break Ok(0);
            }
            match stream.receive_idle(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => break received,
            }
        };
        state.end_wait();
        let is_ours = self.daemon.idle.end_keep(self.index);
        // The end of the connection or of its patience: httpd sends what it may have written
        // there again.
        received.ok().filter(|length| is_ours && *length > 0)
    }

    /// Answers a request; whether the connection is kept.
    fn answer(&mut self, stream: &TimedStream, header: Header, received: usize) -> bool {
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
        let (slot, thread) = (self.slot(), self.index + 1);
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
        let may_keep = header.flags & KEEP != 0 && self.may_keep();
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

/// Reads a request frame into `buffer`, where `received` bytes of it are already, and returns its
/// header and the number of bytes received, which may be more; `None` when the connection closes
/// without one.
fn receive_request(
    stream: &TimedStream,
    buffer: &mut Vec<u8>,
    mut received: usize,
) -> io::Result<Option<(Header, usize)>> {
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
            return Ok(Some((header, received)));
        }
        let rest = buffer.get_mut(received..).unwrap_or_default();
        let length =
            if received == 0 { stream.receive_first(rest)? } else { stream.receive(rest)? };
        match length {
            0 if received == 0 => return Ok(None),
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            length => received += length,
        }
    }
}

/// µs between httpd's reading of a request and its taking at `taken`.
fn waited(head: &RequestHead<'_>, taken: i64) -> i64 {
    taken.saturating_sub(head.queue_start)
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
