//! One request on its connection: the daemon's side of `trait Exchange`.

use std::{
    os::fd::BorrowedFd,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use wsgi_core::{
    activity::{Activity, Doing},
    exchange::{BodyError, Exchange, Outcome, Pace, SendError, Source},
    frame::{Extent, Kind, Took},
    head::{Key, RequestHead, ResponseHead, flag},
    keys::number,
    level::Level,
    log_record::About,
};
use wsgi_ipc::socket::{self, TimedStream};

use crate::{forked, input::Input, output::Output, state::Daemon};

/// A request in progress.
#[derive(Debug)]
pub(crate) struct ConnectionExchange<'a> {
    daemon: &'a Daemon,
    place: Place<'a>,
    stream: &'a TimedStream,
    request_id: u64,
    earlier_attempts: u16,
    // An application may read its input in one thread and write in another: a lock for each
    // half. Asking for more input takes the second while holding the first, never otherwise.
    input: Mutex<Input<'a>>,
    output: Mutex<Output<'a>>,
    is_begun: AtomicBool,
}

impl<'a> ConnectionExchange<'a> {
    /// The exchange of request `request_id`, whose head has been read; `received` are bytes
    /// beyond the head, `held` is an empty buffer to build frames in.
    pub(crate) fn new(
        daemon: &'a Daemon,
        place: Place<'a>,
        stream: &'a TimedStream,
        request: Request<'a>,
        held: Vec<u8>,
    ) -> Self {
        let Request { request_id, earlier_attempts, .. } = request;
        Self {
            daemon,
            place,
            stream,
            request_id,
            earlier_attempts,
            input: Mutex::new(Input::new(stream, request)),
            output: Mutex::new(Output::new(stream, place.activity, request_id, held)),
            is_begun: AtomicBool::new(false),
        }
    }

    fn output(&self) -> Result<MutexGuard<'_, Output<'a>>, SendError> {
        if forked::is_forked() {
            return Err(SendError::ClientGone);
        }
        // A panic while the lock was held has ended the request; its frames are whole or gone.
        Ok(self.output.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks httpd for body.
    fn ask(&self, in_pieces: bool) -> Result<(), BodyError> {
        let asked = self.output().and_then(|mut out| out.mark(Kind::Want, in_pieces.into()));
        asked.map_err(|error| BodyError { reason: error.to_string() })
    }

    /// Writes a record of the request where those of the process are written.
    fn log_json(&self, level: Level, record: &str, source: Option<Source<'_>>) {
        const REQUEST_ID: u16 = number("mod_wsgi.request_id");
        const CLIENT: u16 = number("REMOTE_ADDR");
        let head = self.place.head;
        if level > head.log_level {
            return;
        }
        let (mut request_id, mut client) = (None, None);
        for (key, value) in head.entries() {
            match key {
                Key::Known(REQUEST_ID) => request_id = value,
                Key::Known(CLIENT) => client = value,
                _ => {}
            }
        }
        let text = |bytes: &'a [u8]| String::from_utf8_lossy(bytes);
        let (request_id, client) =
            (text(request_id.unwrap_or_default()), text(client.unwrap_or_default()));
        let (script, application_group) = (text(head.script), text(head.application_group));
        let about = About {
            request_id: &request_id,
            client: &client,
            script: &script,
            application_group: &application_group,
        };
        // A field of its own says it.
        let record = record.replace(&format!("[script {script}] "), "");
        self.daemon.log.write(level, &record, Some(about), source);
    }

    /// Whether the application was begun.
    pub(crate) fn is_begun(&self) -> bool {
        self.is_begun.load(Ordering::Relaxed)
    }

    /// Sends how the request ended. The connection may be kept for the next request if the caller
    /// says so.
    pub(crate) fn finish(self, outcome: Outcome, may_keep: bool) -> Finished {
        let is_begun = self.is_begun();
        let input = self.input.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut output = self.output.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (kind, value) = match (outcome, output.has_head()) {
            (Outcome::Completed, true) => (Kind::End, 0),
            (Outcome::Stale, false) => (Kind::Requeue, 0),
            (Outcome::Failed(status), false) => (Kind::Fail, status),
            (_, false) => (Kind::Fail, 500),
            (_, true) => (Kind::Abort, 0),
        };
        if kind == Kind::Requeue && is_begun {
            // It counted as begun while its interpreter was made. Before httpd hears of it, or it
            // would take the end of this process for that of the request.
            self.daemon.slots.forget(self.place.slot);
        }
        let keeps = may_keep && kind == Kind::End && input.is_drained();
        let took = self.place.took().filter(|_| kind != Kind::Requeue).map(|took| took.encode());
        let took = took.as_ref().map_or(&b""[..], |took| took);
        let sent = match keeps {
            true => output.end_and_keep(took),
            false => output.end(kind, value, took),
        };
        if is_begun {
            self.daemon.slots.end(self.place.slot);
        }
        // httpd may have gone with its client; the request has ended all the same.
        let status = if kind == Kind::Fail { value } else { output.status() };
        Finished { held: output.into_held(), keeps: keeps && sent.is_ok(), status }
    }
}

/// What is left of a request.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The buffer for the next one.
    pub(crate) held: Vec<u8>,
    /// Whether its connection is kept.
    pub(crate) keeps: bool,
    /// The response's status; 0 when nobody has answered it here.
    pub(crate) status: u16,
}

/// Where a request runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The thread's slot.
    pub(crate) slot: u32,
    /// What the thread does, for those who look on.
    pub(crate) activity: &'a Activity,
    /// What httpd has said about the request.
    pub(crate) head: &'a RequestHead<'a>,
    /// The thread in its process, from 1.
    pub(crate) thread: u32,
    /// µs that it has waited for the thread.
    pub(crate) queued: u64,
}

impl Place<'_> {
    /// What the request's time went into, where httpd wants to know it.
    fn took(&self) -> Option<Took> {
        self.head.has(flag::TIMES).then(|| Took {
            queue: self.queued,
            application: self.activity.application(),
            pid: std::process::id(),
            thread: self.thread,
        })
    }
}

/// What a worker has read of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Its number.
    pub(crate) request_id: u64,
    /// How often it was sent elsewhere before.
    pub(crate) earlier_attempts: u16,
    /// Whether a body may follow.
    pub(crate) has_body: bool,
    /// Bytes of the body if httpd has read it to its end.
    pub(crate) body_length: Option<u64>,
    /// Bytes beyond the head that have come with it.
    pub(crate) received: &'a [u8],
}

impl Exchange for ConnectionExchange<'_> {
    fn begin(&self) {
        if self.daemon.slots.begin(self.place.slot, self.daemon.epoch, self.request_id) {
            self.is_begun.store(true, Ordering::Relaxed);
        }
    }

    fn read_body(&self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        if forked::is_forked() {
            return Err(BodyError { reason: "connection belongs to the parent process".into() });
        }
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || input.read(buffer, &|in_pieces| self.ask(in_pieces));
        self.place.activity.during(Doing::Reading, read)
    }

    fn seek_body(&self, position: u64) -> Result<(), BodyError> {
        if forked::is_forked() {
            return Err(BodyError { reason: "connection belongs to the parent process".into() });
        }
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        input.seek(position, &|in_pieces| self.ask(in_pieces))
    }

    fn is_aborted(&self) -> bool {
        // httpd says so by sending nothing more.
        forked::is_forked() || socket::is_half_closed(self.stream.socket())
    }

    fn send_head(&self, head: &ResponseHead<'_>) -> Result<(), SendError> {
        self.output()?.head(head)
    }

    fn write(&self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        self.output()?.data(block, pace)
    }

    fn send_file(&self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), SendError> {
        self.output()?.file(file, Extent { offset, length })
    }

    fn activity(&self) -> Option<&Activity> {
        Some(self.place.activity)
    }

    fn earlier_attempts(&self) -> u16 {
        self.earlier_attempts
    }

    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>) {
        if self.daemon.log.is_json() {
            return self.log_json(level, record, source);
        }
        let number = u16::from(level.number());
        let sent =
            self.output().and_then(|mut output| output.log(number, record.as_bytes(), source));
        if sent.is_err() {
            // Nobody listens any more, yet what an application reports must not be lost.
            self.daemon.log.log(level, record);
        }
    }
}
