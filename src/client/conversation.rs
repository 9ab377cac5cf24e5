//! One attempt at a request: a connection to whichever daemon thread accepts it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use wsgi_core::{
    exchange::{Pace, SendError},
    frame::{Extent, Header, Kind, MORE},
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
    apache::{hook::Status, log},
    request::{Failure, Job, Responder, subject},
    resolved::Group,
    supervisor::Link,
};

/// How often a waiting request looks whether its process still lives.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Heads up to this size fit the buffer of a socket together with the body that is sent at once.
const LARGE_HEAD: usize = 64 << 10;

/// A connection with its request.
pub(super) struct Conversation<'r, 'c> {
    job: &'c Job<'r>,
    group: &'c Group,
    link: &'c Link,
    request_id: u64,
    /// When the request first turned to the group.
    start: Instant,
    responder: Responder<'r>,
    socket: OwnedFd,
    frames: FrameReader,
    /// When the daemon was last heard of.
    heard: Instant,
    /// Whether the daemon has said that it sends more at once.
    expects_more: bool,
    /// Since when a block has waited for a flush.
    unflushed: Option<Instant>,
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
    /// The process is gone, or as good as gone, in these words.
    Dead(String),
    /// No process has started the request, and none will.
    Failed(Failure),
}

/// What follows a frame.
enum Step {
    Next,
    Complete,
    Incomplete,
    Failed(u16),
    Requeue,
    ClientGone,
}

impl<'r, 'c> Conversation<'r, 'c> {
    /// Connects.
    pub(super) fn begin(
        job: &'c Job<'r>,
        group: &'c Group,
        link: &'c Link,
        request_id: u64,
        start: Instant,
        responder: Responder<'r>,
    ) -> Result<Self, Failure> {
        let limit = group.definition.connect_timeout.saturating_sub(start.elapsed());
        let socket = socket::connect_within(link.address(), limit)
            .map_err(|error| fate::cannot_connect(job, group, &error))?;
        Ok(Self {
            job,
            group,
            link,
            request_id,
            start,
            responder,
            socket,
            frames: FrameReader::new(),
            heard: Instant::now(),
            expects_more: false,
            unflushed: None,
            is_begun: false,
        })
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
            let limit = u32::try_from(super::patience(self.group).as_secs()).unwrap_or(u32::MAX);
            socket::set_timeouts(self.socket.as_fd(), limit.max(1)).ok();
        }
        if let Err(error) = upload.send_request(self.socket.as_fd(), self.request_id, head) {
            if error.kind() == io::ErrorKind::WouldBlock {
                // Trying again would leave one dead connection after the other in the queue.
                return Err(fate::queue_timed_out(self.job, self.group));
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
                Wait::Dead(how) => return self.fail(fate::died, &how),
                Wait::Failed(failure) => return Err(failure),
            }
        }
    }

    /// Handles every frame that has arrived.
    fn drain(&mut self, upload: &mut Upload<'_>) -> io::Result<Option<Step>> {
        loop {
            let Event::Frame(header, payload) = self.frames.next()? else { return Ok(None) };
            if header.request_id != self.request_id {
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
                    begin_response(&mut self.responder, self.group, &head)?;
                    Step::Next
                }
                Kind::Data => {
                    // Held back until the connection is silent: `await_frames` flushes.
                    self.expects_more = header.flags & MORE != 0;
                    sent(self.responder.write(payload, Pace::More))?
                }
                Kind::File => {
                    let extent = Extent::decode(payload).map_err(io::Error::other)?;
                    self.send_file(extent)?
                }
                Kind::Log => {
                    log_record(self.job, header, payload);
                    Step::Next
                }
                Kind::Fail => Step::Failed(header.value),
                Kind::End => Step::Complete,
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
        upload.send_more(self.socket.as_fd(), self.request_id).ok();
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
        while !self.poll(HEARTBEAT) {
            if let Some(trouble) = self.look_for_trouble() {
                return trouble;
            }
        }
        match self.frames.receive(self.socket.as_fd()) {
            Ok(true) => Wait::Frames,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Wait::Frames,
            Ok(false) | Err(_) => Wait::EndOfFile,
        }
    }

    /// Blocks that follow each other quickly leave together, but none waits longer than the delay.
    fn flush_when_due(&mut self) -> Result<(), SendError> {
        if !self.responder.is_unflushed() {
            self.unflushed = None;
        } else if !self.expects_more {
            let since = *self.unflushed.get_or_insert_with(Instant::now);
            let delay = self.group.definition.response_flush_delay;
            if !self.poll(delay.saturating_sub(since.elapsed())) || since.elapsed() >= delay {
                self.unflushed = None;
                return self.responder.flush();
            }
        }
        Ok(())
    }

    fn poll(&self, limit: Duration) -> bool {
        let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        // An error is an event: the receive that follows reports it.
        socket::poll_readable(self.socket.as_fd(), limit).unwrap_or(true)
    }

    /// Nothing was heard for a while: does anybody still work on the request?
    fn look_for_trouble(&self) -> Option<Wait> {
        let definition = &self.group.definition;
        match fate::of(self.link, self.request_id) {
            Fate::Dead(how) => return Some(Wait::Dead(how)),
            Fate::Running => {}
            // Its slot was used again; the end of file or socket-timeout tells the rest.
            Fate::Queued if self.is_begun => {}
            Fate::Queued => {
                if let Some(failure) = fate::failing(self.job, self.group, self.link) {
                    return Some(Wait::Failed(failure));
                }
                if definition.queue_timeout.is_some_and(|limit| self.start.elapsed() > limit) {
                    return Some(Wait::Failed(fate::queue_timed_out(self.job, self.group)));
                }
            }
        }
        let is_late = self.heard.elapsed() > definition.socket_timeout;
        is_late.then(|| {
            if self.responder.has_begun() {
                Wait::Dead("nothing was heard within socket-timeout".into())
            } else {
                Wait::Failed(fate::timed_out(self.job, self.group))
            }
        })
    }

    fn finish(self, step: Step) -> Result<Verdict<'r>, Failure> {
        Ok(match step {
            Step::Requeue if !self.responder.has_begun() => Verdict::NotStarted(self.responder),
            Step::Complete => Verdict::Answered(self.responder.complete()),
            Step::Failed(status) if !self.responder.has_begun() => {
                let status = self.responder.failure_status(status);
                Verdict::Answered(Status::Http(if status >= 400 { status } else { 500 }))
            }
            // Nobody is left to answer; the access log keeps the application's status.
            Step::ClientGone => Verdict::Answered(Status::Ok),
            Step::Next | Step::Incomplete | Step::Failed(_) | Step::Requeue => {
                Verdict::Answered(self.responder.truncate())
            }
        })
    }

    fn after_end_of_file(self) -> Result<Verdict<'r>, Failure> {
        match fate::after_end_of_file(self.link, self.request_id) {
            Fate::Queued if !self.is_begun => Ok(Verdict::NotStarted(self.responder)),
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
            return Err(failure(self.job, self.group, why));
        }
        let name = &self.group.definition.name;
        let subject = subject(self.job.request);
        let text = format!(
            "Daemon process group '{name}': {why} in the middle of its response: {subject}"
        );
        log::request(self.job.request, Level::ERROR, Some(119), &text);
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

fn begin_response(
    responder: &mut Responder<'_>,
    group: &Group,
    head: &ResponseHead,
) -> io::Result<()> {
    let limit = group.definition.header_buffer_size as usize;
    let longest = head.headers.iter().map(|(name, value)| name.len() + value.len()).max();
    if longest.is_some_and(|longest| longest > limit) {
        return Err(io::Error::other(format!(
            "response header of more than header-buffer-size={limit} bytes"
        )));
    }
    responder.head(head);
    Ok(())
}

fn log_record(job: &Job<'_>, header: Header, payload: &[u8]) {
    let level = Level::from_number(u8::try_from(header.value).unwrap_or(u8::MAX));
    log::request(job.request, level, None, &String::from_utf8_lossy(payload));
}
