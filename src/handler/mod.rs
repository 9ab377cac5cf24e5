//! The content handler: `checks` and `ownership` decide whether a request may run, `embedded` and
//! `daemon` run it; `flusher` sends what an embedded application has produced when it pauses.
//! `stay` keeps a quick client's connection with its thread. `answers` is for daemons that ask, and
//! for operators where nobody else answers them.
//!
//! Invariant: whatever happens, a request of ours is answered here; it is never declined once it
//! is known to be ours, because another handler might send the script's source.

mod answers;
mod checks;
mod daemon;
mod embedded;
mod flusher;
mod ownership;
mod stay;

use std::{ffi::CStr, os::fd::OwnedFd, time::Instant};

use wsgi_core::{
    directives::{HandlerScript, Scoped},
    mapping,
};

use crate::{
    aaa,
    apache::{
        Request, Server,
        hook::{RequestHook, Status},
        module::{self, MainState},
        pool::Pool,
    },
    mapping::{RequestLookups, alias_of},
    request::{Failure, Job, notes},
};

pub(crate) use stay::Stay;

/// Handler names that mean a WSGI script.
const HANDLERS: [&[u8]; 2] = [b"wsgi-script", b"application/x-httpd-wsgi"];

/// Answers requests for WSGI scripts.
pub(crate) struct Handle;

impl RequestHook for Handle {
    const NAME: &'static str = "handler";

    fn run(request: Request<'_>) -> Status {
        let Some(name) = request.handler() else { return Status::Declined };
        let script = if HANDLERS.contains(&name.to_bytes()) {
            None
        } else {
            match handler_script(request, name) {
                None => return Status::Declined,
                script => script,
            }
        };
        match handle(request, script) {
            Ok(status) => status,
            Err(failure) => failure.report(request),
        }
    }
}

/// Starts what a child needs before its first request.
pub(crate) fn child_start(
    server: Server<'static>,
    main: &'static MainState,
    control: Option<OwnedFd>,
    pool: Pool<'static>,
) {
    answers::child_start(server, main, control);
    stay::child_start();
    embedded::child_start(server, main, pool);
}

/// The script that WSGIHandlerScript binds to the handler's name.
fn handler_script<'r>(request: Request<'r>, name: &CStr) -> Option<&'r HandlerScript> {
    let server = request.server().and_then(module::server_state)?;
    mapping::handler_script(&server.config.scoped, dir_of(request)?, name.to_str().ok()?)
}

/// What is set for the request's directory; every request has such a record.
fn dir_of<'r>(request: Request<'r>) -> Option<&'r Scoped> {
    Some(&request.dir_config()?.config.scoped)
}

fn handle(request: Request<'_>, script: Option<&HandlerScript>) -> Result<Status, Failure> {
    let server = request.server().ok_or_else(|| Failure::internal("request without server"))?;
    let state =
        module::server_state(server).ok_or_else(|| Failure::internal("no server record"))?;
    let resolved =
        state.main().resolved.get().ok_or_else(|| Failure::internal("not configured"))?;
    let dir = dir_of(request).ok_or_else(|| Failure::internal("no directory record"))?;
    // The options of an alias belong to the script that it names.
    let alias = alias_of(request, state).filter(|_| script.is_none());
    let (path, script_modified) = target(request, alias.is_some(), script)?;
    checks::path_info(request)?;
    let lookups = RequestLookups::new(request, resolved.ignores_case);
    let options = alias.map(|alias| &alias.options);
    let scoped = &state.config.scoped;
    let choice = mapping::resolve(scoped, dir, options, script, &lookups);
    let mut job = Job {
        request,
        resolved,
        has_body: checks::body(request, &choice)?,
        choice,
        script: path,
        is_handler_script: script.is_some(),
        script_modified,
        root: None,
    };
    if let Some(script) = mapping::dispatch_script(scoped, dir)
        && !aaa::dispatch(&mut job, script, &lookups)?
    {
        return Ok(Status::Http(500));
    }
    run(&mut job, server)
}

/// The script that will run, and when it was last changed.
fn target<'r>(
    request: Request<'r>,
    is_aliased: bool,
    script: Option<&'r HandlerScript>,
) -> Result<(&'r [u8], i64), Failure> {
    if let Some(script) = script {
        return Ok((script.path.as_bytes(), checks::handler_script(request, script)?));
    }
    let target = checks::target(request, is_aliased)?;
    Ok((request.filename().unwrap_or_default().to_bytes(), target.modified))
}

fn run(job: &mut Job<'_>, server: Server<'_>) -> Result<Status, Failure> {
    let result = run_placed(job, server);
    if result.is_err() {
        notes::set_context(job);
    }
    result
}

fn run_placed(job: &mut Job<'_>, server: Server<'_>) -> Result<Status, Failure> {
    checks::process_group(job)?;
    let _busy = stay::begin(job.request);
    let start = job.resolved.access_log_asks.then(Instant::now);
    let result = match job.choice.process_group.as_ref() {
        "" => embedded::run(job),
        name => {
            let group = daemon::group(job, server, name)?;
            job.root = group.definition.chroot.as_deref();
            daemon::run(job, group)
        }
    };
    if let Some(start) = start {
        notes::set_total(job, start.elapsed());
    }
    result
}
