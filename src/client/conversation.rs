//! One attempt at a request: a connection to whichever daemon thread accepts it.

use std::{io, os::fd::AsFd, time::Instant};

use wsgi_core::{
    exchange::{SendError, Source},
    frame::{Extent, Header, KEEP, Kind, Located, MORE, SOURCE},
    head::ResponseHead,
    level::Level,
};
use wsgi_ipc::socket;

use super::{
    delivery::Delivery,
    fate::{self, Fate},
    feed::Feed,
    frames::{Event, FrameReader},
    upload::Upload,
    watch::{Trouble, Watch},
};
use crate::{
    apache::{hook::Status, log},
    request::{Failure, Job, PIECE, Responder, notes, subject},
    resolved::Group,
    supervisor::{Connection, Link},
};

/// Heads up to this size fit the buffer of a socket together with the body that is sent at once.
const LARGE_HEAD: usize = 64 << 10;

/// What becomes of a file that httpd cannot receive.
const NO_DESCRIPTOR: &str = "this httpd child has no descriptor left for the file of a response";

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
    delivery: Delivery<'r, 'c>,
    feed: Feed,
    frames: FrameReader,
    watch: Watch,
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
    NoDescriptor,
    ClientGone,
    Trouble(Trouble),
}

/// What follows a frame.
enum Step {
    Next,
    /// With the processor of the daemon thread that waits for the next request, if one does.
    Complete {
        kept_at: Option<u16>,
    },
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
            delivery: Delivery::new(errand.job.request, errand.group, responder),
            feed: Feed::new(connection),
            frames: FrameReader::new(),
            watch: Watch::new(),
        }
    }

    /// Sends the request, after so many earlier attempts, and relays the answer.
    pub(super) fn run(
        mut self,
        head: &[u8],
        attempt: u32,
        upload: &mut Upload<'_>,
    ) -> Result<Verdict<'r>, Failure> {
        if head.len() > LARGE_HEAD {
            // It waits in the socket for a thread that takes it, unlike others; the limit of the
            // connect is too short for that.
            self.feed.connection().be_patient(super::patience(self.errand.group));
        }
        let header = Header::new(Kind::Request, self.errand.request_id, head.len());
        let header = header.with_value(u16::try_from(attempt).unwrap_or(u16::MAX));
        let header = header.with_flags(if self.errand.group.keeps_connections { KEEP } else { 0 });
        if let Err(error) = upload.send_request(self.feed.socket(), header, head) {
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
            match self.await_frames(upload) {
                Wait::Frames => {}
                Wait::EndOfFile => return self.after_end_of_file(),
                Wait::NoDescriptor => return self.fail(fate::no_descriptor, NO_DESCRIPTOR),
                Wait::ClientGone => return self.finish(Step::ClientGone),
                Wait::Trouble(Trouble::Stopping) => return self.finish(Step::Stopping),
                Wait::Trouble(Trouble::Dead(how)) => return self.fail(fate::died, &how),
                Wait::Trouble(Trouble::Failed(failure)) => return Err(failure),
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
            if header.kind != Kind::Requeue {
                self.watch.note_begun();
            }
            let step = match header.kind {
                Kind::Want => {
                    self.send_body(upload, header.value != 0);
                    Step::Next
                }
                Kind::Head => {
                    let head = ResponseHead::decode(payload).map_err(io::Error::other)?;
                    if self.delivery.head(&head) { Step::Next } else { Step::HeaderTooLong }
                }
                Kind::Data => {
                    let expects_more = header.flags & MORE != 0;
                    let delivery = &mut self.delivery;
                    sent(if delivery.may_wait(payload.len()) {
                        let write = || write(delivery, upload, payload, expects_more);
                        self.feed.while_waiting(self.errand.group, write)
                    } else {
                        delivery.block(payload, expects_more)
                    })
                }
                Kind::File => {
                    let extent = Extent::decode(payload).map_err(io::Error::other)?;
                    self.send_file(extent)?
                }
                Kind::Log => {
                    log_record(self.errand.job, header, payload);
                    Step::Next
                }
                Kind::Fail | Kind::End | Kind::Abort => {
                    notes::set_took(self.errand.job, payload);
                    match header.kind {
                        Kind::Fail => Step::Failed(header.value),
                        Kind::End => Step::Complete {
                            kept_at: (header.flags & KEEP != 0).then_some(header.value),
                        },
                        _ => Step::Incomplete,
                    }
                }
                Kind::Requeue => Step::Requeue,
                Kind::Request | Kind::Body | Kind::BodyError | Kind::BodyFile => {
                    return Err(io::Error::other("frame in the wrong direction"));
                }
            };
            if !matches!(step, Step::Next) {
                return Ok(Some(step));
            }
        }
    }

    /// The body is part of a file that came with the frame.
    fn send_file(&mut self, extent: Extent) -> io::Result<Step> {
        let file = self.frames.take_descriptor().filter(socket::is_readable_file);
        let file = file.ok_or_else(|| io::Error::other("file frame without a readable file"))?;
        let result = self.delivery.file(file.as_fd(), extent);
        if let Err(SendError::Failed(why)) = &result {
            let subject = subject(self.errand.job.request);
            let text = format!("Unable to take over the file of a response: {why}: {subject}");
            log::request(self.errand.job.request, Level::ERROR, Some(1034), &text);
        }
        Ok(sent(result))
    }

    /// The application waits for the request body.
    fn send_body(&mut self, upload: &mut Upload<'_>, in_pieces: bool) {
        if self.delivery.is_unflushed() {
            let delivery = &mut self.delivery;
            self.feed.while_waiting(self.errand.group, || {
                delivery.pass_held().ok();
                upload.make_way();
                // The client may wait for what there is before it sends more. A failure shows at
                // the next write.
                delivery.flush().ok();
            });
        }
        // A daemon that has stopped reading says why in its next frames.
        upload.send_more(self.feed.socket(), self.errand.request_id, in_pieces).ok();
        if let Some(status) = upload.failure() {
            self.delivery.body_failed(status);
        }
    }

    /// Waits for more bytes, and flushes what the client has waited for when there are none.
    fn await_frames(&mut self, upload: &mut Upload<'_>) -> Wait {
        if let Some(rest) = self.delivery.until_flush()
            && (rest.is_zero() || !self.feed.poll(rest))
        {
            let delivery = &mut self.delivery;
            let flush = || {
                if !upload.is_complete() {
                    delivery.pass_held()?;
                    upload.make_way();
                }
                delivery.flush()
            };
            if self.feed.while_waiting(self.errand.group, flush).is_err() {
                return Wait::ClientGone;
            }
        }
        self.feed.tell_trouble(self.errand.job.request);
        self.watch.begin();
        loop {
            match self.frames.receive(&self.feed) {
                Ok(true) => return Wait::Frames,
                // A heartbeat has passed in silence.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if socket::is_out_of_descriptors(&error) => return Wait::NoDescriptor,
                Ok(false) | Err(_) => return Wait::EndOfFile,
            }
            if let Some(trouble) = self.watch.look(self.errand, self.delivery.has_begun()) {
                return Wait::Trouble(trouble);
            }
            // Behind a body that has not been read, its end cannot be told from that of the client.
            if upload.is_complete() && self.errand.job.request.client_has_gone() {
                self.feed.end_sending();
            }
        }
    }

    fn finish(self, step: Step) -> Result<Verdict<'r>, Failure> {
        let Self { errand, delivery, feed, frames, .. } = self;
        let responder = delivery.into_responder();
        let has_begun = responder.has_begun();
        Ok(match step {
            Step::HeaderTooLong if !has_begun => {
                return Err(fate::header_too_long(errand.job, errand.group));
            }
            Step::Requeue if !has_begun => Verdict::NotStarted(responder),
            Step::Complete { kept_at } => {
                if let Some(processor) = kept_at.filter(|_| frames.is_empty()) {
                    feed.keep(errand.link, processor);
                }
                Verdict::Answered(responder.complete())
            }
            Step::Failed(status) if !has_begun => {
                let status = responder.failure_status(status);
                Verdict::Answered(Status::Http(if status >= 400 { status } else { 500 }))
            }
            // Nobody is left to answer; the access log keeps the application's status.
            Step::ClientGone => Verdict::Answered(Status::Ok),
            Step::Stopping if !has_begun => Verdict::Answered(Status::Http(503)),
            Step::Next
            | Step::Stopping
            | Step::HeaderTooLong
            | Step::Incomplete
            | Step::Failed(_)
            | Step::Requeue => Verdict::Answered(responder.truncate()),
        })
    }

    fn after_end_of_file(mut self) -> Result<Verdict<'r>, Failure> {
        match fate::after_end_of_file(self.errand.link, self.errand.request_id) {
            Fate::Queued if !self.watch.is_begun() => {
                if self.feed.connection().is_kept() {
                    self.errand.link.prune();
                }
                Ok(Verdict::NotStarted(self.delivery.into_responder()))
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
        if !self.delivery.has_begun() {
            return Err(failure(self.errand.job, self.errand.group, why));
        }
        let name = &self.errand.group.definition.name;
        let subject = subject(self.errand.job.request);
        let text = format!(
            "Daemon process group '{name}': {why} in the middle of its response: {subject}"
        );
        log::request(self.errand.job.request, Level::ERROR, Some(119), &text);
        Ok(Verdict::Answered(self.delivery.into_responder().truncate()))
    }
}

/// Sends a block to a client that may itself wait for its body to be read.
fn write(
    delivery: &mut Delivery<'_, '_>,
    upload: &mut Upload<'_>,
    block: &[u8],
    expects_more: bool,
) -> Result<(), SendError> {
    if upload.is_complete() {
        return delivery.block(block, expects_more);
    }
    for piece in block.chunks(PIECE) {
        delivery.pass_held()?;
        upload.make_way();
        delivery.block(piece, expects_more)?;
    }
    Ok(())
}

/// A client that has gone ends the conversation; other output errors cut the response.
fn sent(result: Result<(), SendError>) -> Step {
    match result {
        Ok(()) => Step::Next,
        Err(SendError::ClientGone) => Step::ClientGone,
        Err(SendError::Failed(_)) => Step::Incomplete,
    }
}

fn log_record(job: &Job<'_>, header: Header, payload: &[u8]) {
    let level = Level::from_number(u8::try_from(header.value).unwrap_or(u8::MAX));
    let located = (header.flags & SOURCE != 0).then(|| Located::decode(payload).ok()).flatten();
    let record = String::from_utf8_lossy(located.map_or(payload, |located| located.record));
    let file = located.map(|located| String::from_utf8_lossy(located.file));
    let line = located.map_or(0, |located| located.line);
    let source = file.as_deref().map(|file| Source { file, line });
    if log::logs_request(job.request, level) {
        notes::set_context(job);
        log::application(Some(job.request), level, &record, source);
    }
}
