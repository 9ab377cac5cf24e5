//! Applications in httpd's own children.

use std::{
    cell::Cell,
    ffi::c_void,
    os::fd::BorrowedFd,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use wsgi_core::{
    activity::{Activity, Doing},
    control::{self, EngineSpec},
    exchange::{BodyError, Exchange, Outcome, Pace, SendError, Source},
    head::ResponseHead,
    level::Level,
};
use wsgi_ipc::{clock::nanoseconds, scoreboard::Subject};

use super::flusher::{self, DELAY, Flush};
use crate::{
    apache::{
        Request, Server,
        body::{Body, Read},
        exclusive::{Exclusive, Shared},
        hook::Status,
        log,
        module::{self, MainState},
        pool::Pool,
        process,
        python_host::PythonHost,
    },
    request::{
        Failure, Incoming, Job, PIECE, Responder, Stored, Transfer, encode_head, memory_of, notes,
        subject,
    },
    resolved::Embedded,
    supervisor::Running,
};

/// How long the interpreters of a child may take to end; httpd itself kills children that take
/// some ten seconds.
const LONGEST_STOP: Duration = Duration::from_secs(3);

/// Starts Python in a child, where the configuration can need it.
pub(crate) fn child_start(server: Server<'static>, main: &MainState, pool: Pool<'static>) {
    let Some(resolved) = main.resolved.get() else { return };
    let Some(embedded) = &resolved.embedded else { return };
    match start(embedded) {
        Ok(()) => {
            if let Some(board) = resolved.board.get() {
                board.child_start();
            }
            let child = process::own_pid();
            pool.at_end(Box::new(move || {
                if process::own_pid() != child {
                    return;
                }
                if let Some(host) = PythonHost::get() {
                    host.stop(LONGEST_STOP);
                }
                let main = module::server_state(server).map(module::ServerState::main_handle);
                let resolved = main.and_then(|main| main.resolved.get());
                if let Some(board) = resolved.and_then(|resolved| resolved.board.get()) {
                    board.child_end();
                }
            }));
        }
        Err(why) => {
            let text = format!("Python cannot be started in this httpd child: {why}");
            log::server(server, Level::CRIT, Some(1), &text);
        }
    }
}

fn start(embedded: &Embedded) -> Result<(), String> {
    let is_single_process = std::process::id() == embedded.parent;
    let log_level = log::process_level();
    let spec = EngineSpec { is_single_process, log_level, ..embedded.spec.clone() };
    let spec = control::encode(&spec).map_err(|error| error.to_string())?;
    PythonHost::start(&embedded.library, &spec)
}

/// Runs a request in this child.
pub(super) fn run(job: &Job<'_>) -> Result<Status, Failure> {
    let request = job.request;
    if job.resolved.restricts_embedded {
        let text = format!(
            "Embedded mode is switched off (WSGIRestrictEmbedded On) and no WSGIProcessGroup is \
             in force: {}",
            subject(request)
        );
        return Err(Failure::new(500, 143, text));
    }
    let host = PythonHost::get().ok_or_else(|| {
        let text = format!("Python has not been started in this child: {}", subject(request));
        Failure::new(500, 210, text)
    })?;
    let stored = read_first(job)?;
    let length = stored.as_ref().map(Stored::length);
    let head = encode_head(job, length, Transfer::default());
    let side = Exclusive::of_request(request, |request| Side::open(job, request, stored))?;
    notes::set_context(job);
    let (thread, mut running) = (thread_number(), None);
    if let Some(board) = job.resolved.board.get() {
        running = board.begin(thread, seen(job));
    }
    let activity = running.as_ref().map(Running::activity);
    let exchange = ApacheExchange { side, activity };
    let start = job.resolved.access_log_asks.then(Instant::now);
    let outcome = host.serve(&exchange, thread, &head);
    if let Some(start) = start {
        notes::set_own(job, start.elapsed());
    }
    let taken = exchange.side.take();
    let side = taken.ok_or_else(|| Failure::internal("exchange without request"))?;
    let (status, sent) = sending(activity, || side.finish(outcome));
    if let Some(running) = &mut running {
        running.status = sent;
    }
    Ok(status)
}

/// What those who look on are told about the request.
fn seen<'j>(job: &'j Job<'_>) -> Subject<'j> {
    Subject {
        method: job.request.method().unwrap_or_default().to_bytes(),
        uri: job.request.unparsed_uri().unwrap_or_default().to_bytes(),
        application_group: job.choice.application_group.as_bytes(),
    }
}

/// Number of this thread among the child's request threads, from 1.
fn thread_number() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static OWN: Cell<u32> = const { Cell::new(0) };
    }
    if OWN.get() == 0 {
        OWN.set(LAST.fetch_add(1, Ordering::Relaxed) + 1);
    }
    OWN.get()
}

/// Sends, as those who look on see it.
fn sending<T>(activity: Option<&Activity>, send: impl FnOnce() -> T) -> T {
    match activity {
        Some(activity) => activity.sending(nanoseconds, send),
        None => send(),
    }
}

/// The request's body, where it is read before the application runs.
fn read_first(job: &Job<'_>) -> Result<Option<Stored>, Failure> {
    let Some(memory) = memory_of(job.choice.request_buffering.unwrap_or_default()) else {
        return Ok(None);
    };
    match open_body(job, job.request)? {
        Some(body) => Stored::read(job.request, body, memory).map(Some),
        None => Ok(Some(Stored::empty())),
    }
}

fn open_body<'r>(job: &Job<'_>, request: Request<'r>) -> Result<Option<Body<'r>>, Failure> {
    let body = job.has_body.then(|| Body::open(request)).transpose();
    body.map_err(|status| Failure::new(status, 1007, "request body refused"))
}

/// Where the body comes from.
enum Intake<'r> {
    /// From the client, while the application reads.
    Client(Option<Incoming<'r>>),
    /// It is here, and was read up to this position.
    Here(Stored, u64),
}

/// A request served in this child.
struct ApacheExchange<'r> {
    side: Exclusive<'r, Side<'static>>,
    /// What its thread does.
    activity: Option<&'r Activity>,
}

/// httpd's side of the request: one thread at a time.
struct Side<'r> {
    request: Request<'r>,
    body: Intake<'r>,
    responder: Responder<'r>,
    /// When output was last flushed.
    flushed: Option<Instant>,
    /// Whether the flusher will look.
    is_scheduled: bool,
    /// The application's status; 0 before it has one.
    status: u16,
}

impl<'r> Side<'r> {
    fn open(job: &Job<'_>, request: Request<'r>, stored: Option<Stored>) -> Result<Self, Failure> {
        let body = match stored {
            Some(stored) => Intake::Here(stored, 0),
            None => {
                let body = open_body(job, request)?;
                Intake::Client(body.map(|body| Incoming::new(request, body)))
            }
        };
        let responder =
            Responder::new(request, job.choice.error_override, job.choice.enable_sendfile)
                .ok_or_else(|| Failure::internal("no output brigade"))?;
        Ok(Self { request, body, responder, flushed: None, is_scheduled: false, status: 0 })
    }

    /// Ends the response; what httpd is told, and the response's status.
    fn finish(self, outcome: Outcome) -> (Status, u16) {
        let failed = |status| (Status::Http(status), status);
        match outcome {
            Outcome::Completed => (self.responder.complete(), self.status),
            Outcome::Truncated => (self.responder.truncate(), self.status),
            // The head has left: all that can be said is that the response is not complete.
            Outcome::Failed(_) if self.responder.has_begun() => {
                (self.responder.truncate(), self.status)
            }
            Outcome::Failed(status) => failed(self.responder.failure_status(status)),
            // Embedded engines run a changed script again instead.
            Outcome::Stale => failed(500),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        let body = match &mut self.body {
            Intake::Client(Some(body)) => body,
            Intake::Client(None) => return Ok(0),
            Intake::Here(stored, position) => {
                let length = stored
                    .read_at(buffer, *position)
                    .map_err(|error| BodyError { reason: error.to_string() })?;
                *position += length as u64;
                return Ok(length);
            }
        };
        if self.responder.is_unflushed() {
            // The client may wait for it before it sends more; its failure shows at the next write.
            self.responder.pass_held().ok();
            body.make_way();
            self.responder.flush().ok();
        }
        match body.read(buffer, true) {
            Ok(Read::Data(length)) => Ok(length),
            Ok(Read::End | Read::NotYet) => Ok(0),
            Err(error) => {
                self.request.close_connection_after();
                self.responder.body_failed(error.http_status());
                Err(BodyError { reason: error.reason() })
            }
        }
    }

    fn seek(&mut self, to: u64) -> Result<(), BodyError> {
        match &mut self.body {
            Intake::Here(_, position) => {
                *position = to;
                Ok(())
            }
            Intake::Client(_) => Err(BodyError { reason: "the request body is not kept".into() }),
        }
    }

    fn write(&mut self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        if self.is_complete() || self.responder.holds(block.len()) {
            return self.responder.write(block, pace);
        }
        for piece in block.chunks(PIECE) {
            self.make_way()?;
            self.responder.write(piece, pace)?;
        }
        Ok(())
    }

    /// Writes a block if that does not leave yet.
    fn hold(&mut self, block: &[u8]) -> Option<Result<(), SendError>> {
        self.responder.holds(block.len()).then(|| self.responder.write(block, Pace::More))
    }

    /// Whether nothing of the request's body is left with the client.
    fn is_complete(&self) -> bool {
        match &self.body {
            Intake::Client(body) => body.as_ref().is_none_or(Incoming::is_complete),
            Intake::Here(..) => true,
        }
    }

    fn flush(&mut self) -> Result<(), SendError> {
        self.flushed = Some(Instant::now());
        self.make_way()?;
        self.responder.flush()
    }

    /// The client is about to be waited for, which may itself wait for its body to be read.
    fn make_way(&mut self) -> Result<(), SendError> {
        if let Intake::Client(Some(body)) = &mut self.body
            && !body.is_complete()
        {
            self.responder.pass_held()?;
            body.make_way();
        }
        Ok(())
    }
}

/// What the flusher gets.
struct Pending(Shared<Side<'static>>);

impl Flush for Pending {
    fn flush(&self) {
        let mut side = self.0.lock();
        let Some(side) = side.as_mut() else { return };
        side.is_scheduled = false;
        if side.responder.is_unflushed() {
            // A client that has gone shows at the application's next write.
            side.flush().ok();
        }
    }
}

impl ApacheExchange<'_> {
    fn with<T>(&self, action: impl FnOnce(&mut Side<'static>) -> T) -> Result<T, SendError> {
        self.side.lock().as_mut().map(action).ok_or(SendError::ClientGone)
    }

    /// The same for what is sent.
    fn send<T>(&self, action: impl FnOnce(&mut Side<'static>) -> T) -> Result<T, SendError> {
        self.with(|side| sending(self.activity, || action(side)))
    }
}

impl Exchange for ApacheExchange<'_> {
    fn begin(&self) {}

    fn read_body(&self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        let mut read = || self.with(|side| side.read(buffer));
        let result = match self.activity {
            Some(activity) => activity.during(Doing::Reading, read),
            None => read(),
        };
        result.map_err(|error| BodyError { reason: error.to_string() })?
    }

    fn seek_body(&self, position: u64) -> Result<(), BodyError> {
        self.with(|side| side.seek(position))
            .map_err(|error| BodyError { reason: error.to_string() })?
    }

    fn is_aborted(&self) -> bool {
        self.with(|side| side.request.client_has_gone()).unwrap_or(true)
    }

    fn send_head(&self, head: &ResponseHead) -> Result<(), SendError> {
        self.with(|side| {
            side.status = head.status;
            side.responder.head(head);
        })
    }

    fn write(&self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        // What is only put by takes no time worth looking at a clock for.
        if pace == Pace::More
            && let Some(held) = self.with(|side| side.hold(block))?
        {
            return held;
        }
        self.send(|side| {
            if pace == Pace::More || side.is_scheduled {
                return side.write(block, Pace::More);
            }
            let is_burst = side.flushed.is_some_and(|last| last.elapsed() < DELAY);
            if is_burst && flusher::schedule(Box::new(Pending(self.side.share()))) {
                side.is_scheduled = true;
                return side.write(block, Pace::More);
            }
            side.write(block, pace)?;
            side.flush()
        })?
    }

    fn send_file(&self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), SendError> {
        self.send(|side| side.responder.write_file(file, offset, length))?
    }

    fn activity(&self) -> Option<&Activity> {
        self.activity
    }

    fn request_record(&self) -> *mut c_void {
        self.with(|side| side.request.untyped()).unwrap_or(std::ptr::null_mut())
    }

    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>) {
        // Once the request is over the engine logs to the process's log.
        self.with(|side| log::application(Some(side.request), level, record, source)).ok();
    }
}
