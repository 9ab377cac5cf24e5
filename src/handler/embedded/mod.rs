//! Applications in httpd's own children: `side` is httpd's end of a request, `exchange` what the
//! engine sees of it.

mod exchange;
mod side;

use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use wsgi_core::{
    control::{self, EngineSpec},
    level::Level,
};
use wsgi_ipc::scoreboard::Subject;

use crate::{
    apache::{
        Server, deadline,
        exclusive::Exclusive,
        hook::Status,
        log,
        module::{self, MainState},
        pool::Pool,
        process,
        python_host::PythonHost,
    },
    request::{Failure, Job, Stored, Transfer, encode_head, memory_of, notes, subject},
    resolved::Embedded,
    supervisor::Running,
};
use exchange::{ApacheExchange, sending};
use side::Side;

/// Seconds that a child with Python may take to end; httpd warns after somewhat more, and kills it
/// after some ten.
const LONGEST_END: u32 = 3;

/// Starts Python in a child, where the configuration can need it.
pub(crate) fn child_start(server: Server<'static>, main: &MainState, pool: Pool<'static>) {
    let Some(resolved) = main.resolved.get() else { return };
    let Some(embedded) = &resolved.embedded else { return };
    match start(embedded) {
        Ok(()) => {
            if let Some(board) = resolved.board.get() {
                board.child_start();
            }
            // Not of what the child's applications have forked.
            let child = process::own_pid();
            let is_child = move || process::own_pid() == child;
            pool.as_end_begins(move || {
                if is_child() {
                    deadline::end_within(LONGEST_END);
                }
            });
            pool.at_end(Box::new(move || {
                if !is_child() {
                    return;
                }
                if let Some(host) = PythonHost::get() {
                    host.stop();
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
    let exchange = ApacheExchange::new(side, activity);
    let start = job.resolved.access_log_asks.then(Instant::now);
    let outcome = host.serve(&exchange, thread, &head);
    if let Some(start) = start {
        notes::set_own(job, start.elapsed());
    }
    let side = exchange.end().ok_or_else(|| Failure::internal("exchange without request"))?;
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

/// The request's body, where it is read before the application runs.
fn read_first(job: &Job<'_>) -> Result<Option<Stored>, Failure> {
    let Some(memory) = memory_of(job.choice.request_buffering.unwrap_or_default()) else {
        return Ok(None);
    };
    match side::open_body(job, job.request)? {
        Some(body) => Stored::read(job.request, body, memory).map(Some),
        None => Ok(Some(Stored::empty())),
    }
}
