//! Applications in httpd's own children.

use std::{
    os::fd::BorrowedFd,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use wsgi_core::{
    control,
    exchange::{BodyError, Exchange, Outcome, Pace, SendError},
    head::ResponseHead,
    level::Level,
};

use super::{Failure, Job, Responder, environ, failure::subject};
use crate::{
    apache::{
        Request, Server,
        body::{Body, Read},
        hook::Status,
        log,
        module::MainState,
        pool::Pool,
        process,
        python_host::{Exclusive, PythonHost},
    },
    resolved::Embedded,
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
            let child = process::own_pid();
            pool.at_end(Box::new(move || {
                if let Some(host) = PythonHost::get().filter(|_| process::own_pid() == child) {
                    host.stop(LONGEST_STOP);
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
    let spec = control::encode(&embedded.spec).map_err(|error| error.to_string())?;
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
    let body = if job.has_body {
        let body = Body::open(request);
        Some(body.map_err(|status| Failure::new(status, 1007, "request body refused"))?)
    } else {
        None
    };
    let responder = Responder::new(request, job.choice.error_override, job.choice.enable_sendfile)
        .ok_or(Failure::internal("no output brigade"))?;
    // The engine never sees this number; it only tells requests to daemons apart.
    let head = environ::encode(job, 0, 0);
    let exchange = ApacheExchange {
        shared: Exclusive::new(Shared { request, body, responder }),
        failed_body: Mutex::new(None),
    };
    let outcome = host.serve(&exchange, &head);
    Ok(exchange.finish(outcome))
}

/// A request served in this child.
struct ApacheExchange<'r> {
    shared: Exclusive<Shared<'r>>,
    /// Status for a body that could not be read, should the application answer nothing.
    failed_body: Mutex<Option<u16>>,
}

/// httpd's side of the request: one thread at a time.
struct Shared<'r> {
    request: Request<'r>,
    body: Option<Body<'r>>,
    responder: Responder<'r>,
}

impl ApacheExchange<'_> {
    fn finish(self, outcome: Outcome) -> Status {
        let failed_body = self.failed_body.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Shared { responder, .. } = self.shared.into_inner();
        match outcome {
            Outcome::Completed => responder.complete(),
            Outcome::Truncated => responder.truncate(),
            Outcome::Failed(status) if responder.has_begun() => {
                let _ = status; // the head has left: all that is left is to say it is not complete
                responder.truncate()
            }
            Outcome::Failed(status) => Status::Http(failed_body.unwrap_or(status)),
            // Embedded engines run a changed script again instead.
            Outcome::Stale => Status::Http(500),
        }
    }
}

impl Exchange for ApacheExchange<'_> {
    fn begin(&self) {}

    fn read_body(&self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        let mut shared = self.shared.lock();
        let shared = &mut *shared;
        let Some(body) = shared.body.as_mut() else { return Ok(0) };
        match body.read(buffer, true) {
            Ok(Read::Data(length)) => Ok(length),
            Ok(Read::End | Read::NotYet) => Ok(0),
            Err(error) => {
                shared.request.close_connection_after();
                let status = error.http_status();
                *self.failed_body.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
                Err(BodyError { reason: error.reason() })
            }
        }
    }

    fn send_head(&self, head: &ResponseHead) -> Result<(), SendError> {
        self.shared.lock().responder.head(head);
        Ok(())
    }

    fn write(&self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        let mut shared = self.shared.lock();
        shared.responder.write(block, pace)?;
        match pace {
            Pace::More => Ok(()),
            Pace::Unknown => shared.responder.flush(),
        }
    }

    fn send_file(&self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), SendError> {
        self.shared.lock().responder.write_file(file, offset, length)
    }

    fn log(&self, level: Level, record: &str) {
        log::request(self.shared.lock().request, level, None, record);
    }
}
