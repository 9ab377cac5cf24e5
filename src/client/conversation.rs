//! One attempt at a request: a connection to whichever daemon thread accepts it.

use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use wsgi_core::{
    exchange::{Pace, SendError},
    frame::{Extent, Header, KEEP, Kind, MORE},
    head::ResponseHead,
    level::Level,
};
use wsgi_ipc::socket;

use super::{
    fate::{self, Fate},
    frames::{Event, FrameReader},
    upload::Upload,
};
use crate::{
    apache::{client_socket::WriteLimit, hook::Status, log},
    request::{Failure, Job, Responder, subject},
    resolved::Group,
    supervisor::{Connection, Link},
};

/// Heads up to this size fit the buffer of a socket together with the body that is sent at once.
const LARGE_HEAD: usize = 64 << 10;

/// A request and where it is to go, whatever connection takes it there.
#[derive(Clone, Copy)]
pub(super) struct Errand<'r, 'c> {
    pub(super) job: &'c Job<'r>,
    pub(super) group: &'c Group,
    pub(super) link: &'c Link,
    pub(super) request_id: u64,
    /// When the request first turned to the group.
    pub(super) start: Instant,
}

/// A connection with its request.
pub(super) struct Conversation<'r, 'c> {
    errand: Errand<'r, 'c>,
    responder: Responder<'r>,
    /// Holds while the response is sent.
    write_limit: Option<WriteLimit<'r>>,
    connection: Connection,
    frames: FrameReader,
    /// When the daemon was last heard of.
    heard: Instant,
    /// Whether the daemon has said that it sends more at once.
    expects_more: bool,
    /// Since when a block has waited for a flush.
    unflushed: Option<Instant>,
    /// Bytes passed on since the last flush.
    relayed: u64,
    /// Whether a frame has told that a process has begun the request. A slot forgets it when it
    /// is used again, which may happen while this side waits for its client.
    is_begun: bool,
}

/// How an attempt ended.
pub(super) enum Verdict<'r> {
    /// The request has its response.
    Answered(Status),
    /// No process has started it.
    NotStarted(Responder<'r>),
}

/// What waiting for frames gave.
enum Wait {
    Frames,
    EndOfFile,
    ClientGone,
    /// httpd is stopped or restarted at once, and waits for this thread.
    Stopping,
    /// The process is gone, or as good as gone, in these words.
    Dead(String),
    /// No process has started the request, and none will.
    Failed(Failure),
}

/// What follows a frame.
enum Step {
    Next,
    Complete { keeps: bool },
    Incomplete,
    Failed(u16),
    Requeue,
    ClientGone,
    Stopping,
    HeaderTooLong,
}

impl<'r, 'c> Conversation<'r, 'c> {
    /// A conversation in which nothing has been said.
    pub(super) fn new(
        errand: Errand<'r, 'c>,
        connection: Connection,
        responder: Responder<'r>,
    ) -> Self {
        Self {
            errand,
            responder,
            write_limit: None,
            connection,
            frames: FrameReader::new(),
            heard: Instant::now(),
            expects_more: false,
            unflushed: None,
            relayed: 0,
            is_begun: false,
        }
    }

    /// Sends the request and relays the answer.
    pub(super) fn run(
        mut self,
        head: &[u8],
        upload: &mut Upload<'_>,
    ) -> Result<Verdict<'r>, Failure> {
        if head.len() > LARGE_HEAD {
            // It waits in the socket for a thread that takes it, unlike others; the limit of the
            // connect is too short for that.
            self.connection.be_patient(super::patience(self.errand.group));
        }
        let header = Header::new(Kind::Request, self.errand.request_id, head.len());
        let header = header.with_flags(if self.errand.group.keeps_connections { KEEP } else { 0 });
        if let Err(error) = upload.send_request(self.connection.socket(), header, head) {
            if error.kind() == io::ErrorKind::WouldBlock {
                // Trying again would leave one dead connection after the other in the queue.
                return Err(fate::queue_timed_out(self.errand.job, self.errand.group));
            }
            // A draining daemon closes without reading; whatever it said is still to be read.
            return self.after_end_of_file();
        }
        loop {
            match self.drain(upload) {
                Ok(None) => {}
                Ok(Some(step)) => return self.finish(step),
                Err(error) => return self.fail(fate::garbled, &error.to_string()),
            }
            match self.await_frames() {
                Wait::Frames => {}
                Wait::EndOfFile => return self.after_end_of_file(),
                Wait::ClientGone => return self.finish(Step::ClientGone),
                Wait::Stopping => return self.finish(Step::Stopping),
                Wait::Dead(how) => return self.fail(fate::died, &how),
                Wait::Failed(failure) => return Err(failure),
            }
        }
    }

    /// Handles every frame that has arrived.
    fn drain(&mut self, upload: &mut Upload<'_>) -> io::Result<Option<Step>> {
        loop {
            let Event::Frame(header, payload) = self.frames.next()? else { return Ok(None) };
            if header.request_id != self.errand.request_id {
                return Err(io::Error::other("frame of another request"));
            }
            self.is_begun |= header.kind != Kind::Requeue;
            let step = match header.kind {
                Kind::Want => {
                    self.send_body(upload);
                    Step::Next
                }
                Kind::Head => {
                    let head = ResponseHead::decode(payload).map_err(io::Error::other)?;
                    let step = begin_response(&mut self.responder, self.errand.group, &head);
                    self.limit_writes();
                    step
                }
                Kind::Data => {
                    // Held back until the connection is silent: `await_frames` flushes.
                    self.expects_more = header.flags & MORE != 0;
                    let written = self.responder.write(payload, Pace::More);
                    self.relayed += payload.len() as u64;
                    sent(written.and_then(|()| self.flush_when_full()))?
                }
                Kind::File => {
                    let extent = Extent::decode(payload).map_err(io::Error::other)?;
                    self.send_file(extent)?
                }
                Kind::Log => {
                    log_record(self.errand.job, header, payload);
                    Step::Next
                }
                Kind::Fail => Step::Failed(header.value),
                Kind::End => Step::Complete { keeps: header.flags & KEEP != 0 },
                Kind::Abort => Step::Incomplete,
                Kind::Requeue => Step::Requeue,
                Kind::Request | Kind::Body | Kind::BodyError => {
                    return Err(io::Error::other("frame in the wrong direction"));
                }
            };
            if !matches!(step, Step::Next) {
                return Ok(Some(step));
            }
        }
    }

    /// `response-socket-timeout` holds from the head on: until then the client may be sending.
    fn limit_writes(&mut self) {
        if let Some(limit) = self.errand.group.definition.response_socket_timeout {
            self.write_limit = WriteLimit::set(self.errand.job.request, limit);
        }
    }

    /// A filter that collects output must not collect more than `response-buffer-size`.
    fn flush_when_full(&mut self) -> Result<(), SendError> {
        if self.relayed < u64::from(self.errand.group.definition.response_buffer_size) {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), SendError> {
        self.relayed = 0;
        self.unflushed = None;
        self.responder.flush()
    }

    /// The body is part of a file, which httpd sends itself.
    fn send_file(&mut self, extent: Extent) -> io::Result<Step> {
        let file = self.frames.take_descriptor().filter(socket::is_readable_file);
        let file = file.ok_or_else(|| io::Error::other("file frame without a readable file"))?;
        sent(self.responder.write_file(file.as_fd(), extent.offset, extent.length))
    }

    /// The application waits for the request body.
    fn send_body(&mut self, upload: &mut Upload<'_>) {
        if self.responder.is_unflushed() {
            // The client may wait for it before it sends more; its failure shows at the next
            // write.
            self.responder.flush().ok();
        }
        // A daemon that has stopped reading says why in its next frames.
        upload.send_more(self.connection.socket(), self.errand.request_id).ok();
        if let Some(status) = upload.failure() {
            self.responder.body_failed(status);
        }
    }

    /// Waits for more bytes.
    fn await_frames(&mut self) -> Wait {
        if self.flush_when_due().is_err() {
            return Wait::ClientGone;
        }
        // What the client took to send its body or to take ours is not the daemon's silence.
        self.heard = Instant::now();
        loop {
            match self.frames.receive(self.connection.socket()) {
                Ok(true) => return Wait::Frames,
                // A heartbeat has passed in silence.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(false) | Err(_) => return Wait::EndOfFile,
            }
            if let Some(trouble) = self.look_for_trouble() {
                return trouble;
            }
        }
    }

    /// Blocks that follow each other quickly leave together, but none waits longer than the delay.
    fn flush_when_due(&mut self) -> Result<(), SendError> {
        if !self.responder.is_unflushed() {
            self.unflushed = None;
        } else if !self.expects_more {
            let since = *self.unflushed.get_or_insert_with(Instant::now);
            let delay = self.errand.group.definition.response_flush_delay;
            if !self.poll(delay.saturating_sub(since.elapsed())) || since.elapsed() >= delay {
                return self.flush();
            }
        }
        Ok(())
    }

    fn poll(&self, limit: Duration) -> bool {
        let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        // An error is an event: the receive that follows reports it.
        socket::poll_readable(self.connection.socket(), limit).unwrap_or(true)
    }

    /// Nothing was heard for a while: does anybody still work on the request?
    fn look_for_trouble(&self) -> Option<Wait> {
        if self.errand.job.request.is_abandoned() {
            return Some(Wait::Stopping);
        }
        let definition = &self.errand.group.definition;
        match fate::of(self.errand.link, self.errand.request_id) {
            Fate::Dead(how) => return Some(Wait::Dead(how)),
            Fate::Running => {}
            // Its slot was used again; the end of file or socket-timeout tells the rest.
            Fate::Queued if self.is_begun => {}
            Fate::Queued => {
                if let Some(failure) =
                    fate::failing(self.errand.job, self.errand.group, self.errand.link)
                {
                    return Some(Wait::Failed(failure));
                }
                if definition.queue_timeout.is_some_and(|limit| self.errand.start.elapsed() > limit)
                {
                    return Some(Wait::Failed(fate::queue_timed_out(
                        self.errand.job,
                        self.errand.group,
                    )));
                }
            }
        }
        let is_late = self.heard.elapsed() > definition.socket_timeout;
        is_late.then(|| {
            if self.responder.has_begun() {
                Wait::Dead("nothing was heard within socket-timeout".into())
            } else {
                Wait::Failed(fate::timed_out(self.errand.job, self.errand.group))
            }
        })
    }

    fn finish(self, step: Step) -> Result<Verdict<'r>, Failure> {
        self.tell_stall();
        Ok(match step {
            Step::HeaderTooLong if !self.responder.has_begun() => {
                return Err(fate::header_too_long(self.errand.job, self.errand.group));
            }
            Step::Requeue if !self.responder.has_begun() => Verdict::NotStarted(self.responder),
            Step::Complete { keeps } => {
                if keeps && self.frames.is_empty() {
                    self.errand.link.keep(self.connection);
                }
                Verdict::Answered(self.responder.complete())
            }
            Step::Failed(status) if !self.responder.has_begun() => {
                let status = self.responder.failure_status(status);
                Verdict::Answered(Status::Http(if status >= 400 { status } else { 500 }))
            }
            // Nobody is left to answer; the access log keeps the application's status.
            Step::ClientGone => Verdict::Answered(Status::Ok),
            Step::Stopping if !self.responder.has_begun() => Verdict::Answered(Status::Http(503)),
            Step::Next
            | Step::Stopping
            | Step::HeaderTooLong
            | Step::Incomplete
            | Step::Failed(_)
            | Step::Requeue => Verdict::Answered(self.responder.truncate()),
        })
    }

    /// A client that has gone is no news; one that stays and takes nothing may be.
    fn tell_stall(&self) {
        if self.responder.client_has_stalled() {
            let text = format!(
                "Unable to proxy response to client (write timeout): daemon process group '{}', {}",
                self.errand.group.definition.name,
                subject(self.errand.job.request)
            );
            log::request(self.errand.job.request, Level::ERROR, Some(120), &text);
        }
    }

    fn after_end_of_file(self) -> Result<Verdict<'r>, Failure> {
        match fate::after_end_of_file(self.errand.link, self.errand.request_id) {
            Fate::Queued if !self.is_begun => {
                if self.connection.is_kept() {
                    self.errand.link.prune();
                }
                Ok(Verdict::NotStarted(self.responder))
            }
            Fate::Dead(how) => self.fail(fate::died, &how),
            Fate::Queued | Fate::Running => {
                self.fail(fate::died, "the daemon process closed the connection")
            }
        }
    }

    /// The daemon broke off: a status if there is no head yet, else a visible end.
    fn fail(
        self,
        failure: impl FnOnce(&Job<'_>, &Group, &str) -> Failure,
        why: &str,
    ) -> Result<Verdict<'r>, Failure> {
        if !self.responder.has_begun() {
            return Err(failure(self.errand.job, self.errand.group, why));
        }
        let name = &self.errand.group.definition.name;
        let subject = subject(self.errand.job.request);
        let text = format!(
            "Daemon process group '{name}': {why} in the middle of its response: {subject}"
        );
        log::request(self.errand.job.request, Level::ERROR, Some(119), &text);
        Ok(Verdict::Answered(self.responder.truncate()))
    }
}

/// A client that has gone ends the conversation; other output errors cut the response.
fn sent(result: Result<(), SendError>) -> io::Result<Step> {
    match result {
        Ok(()) => Ok(Step::Next),
        Err(SendError::ClientGone) => Ok(Step::ClientGone),
        Err(SendError::Failed(_)) => Ok(Step::Incomplete),
    }
}

fn begin_response(responder: &mut Responder<'_>, group: &Group, head: &ResponseHead) -> Step {
    let limit = group.definition.header_buffer_size as usize;
    if head.headers.iter().any(|(name, value)| name.len() + value.len() > limit) {
        return Step::HeaderTooLong;
    }
    responder.head(head);
    Step::Next
}

fn log_record(job: &Job<'_>, header: Header, payload: &[u8]) {
    let level = Level::from_number(u8::try_from(header.value).unwrap_or(u8::MAX));
    log::request(job.request, level, None, &String::from_utf8_lossy(payload));
}
