//! The content handler: `checks` and `ownership` decide whether a request may run, `embedded` and
//! `daemon` run it; `flusher` sends what an embedded application has produced when it pauses.
//!
//! Invariant: whatever happens, a request of ours is answered here; it is never declined once it
//! is known to be ours, because another handler might send the script's source.

mod checks;
mod daemon;
mod embedded;
mod flusher;
mod ownership;

pub(crate) use embedded::child_start;

use std::ffi::CStr;

use wsgi_core::{directives::Scoped, mapping};

use crate::{
    apache::{
        Request,
        hook::{RequestHook, Status},
        module,
    },
    mapping::{RequestLookups, alias_of},
    request::{Failure, Job},
};

/// Handler names that mean a WSGI script.
const HANDLERS: [&[u8]; 2] = [b"wsgi-script", b"application/x-httpd-wsgi"];

/// Answers requests for WSGI scripts.
pub(crate) struct Handle;

impl RequestHook for Handle {
    const NAME: &'static str = "handler";

    fn run(request: Request<'_>) -> Status {
        let Some(name) = request.handler() else { return Status::Declined };
        let answer = if HANDLERS.contains(&name.to_bytes()) {
            handle(request)
        } else if is_handler_script(request, name) {
            // Declined, it would be sent as a file: source code, perhaps.
            Err(Failure::new(500, 1010, "WSGIHandlerScript has no effect in this version"))
        } else {
            return Status::Declined;
        };
        match answer {
            Ok(status) => status,
            Err(failure) => failure.report(request),
        }
    }
}

/// Whether the handler's name is bound to a script by WSGIHandlerScript.
fn is_handler_script(request: Request<'_>, name: &CStr) -> bool {
    let server = request.server().and_then(module::server_state);
    let (Some(server), Ok(name)) = (server, name.to_str()) else { return false };
    let unset = Scoped::default();
    let dir = request.dir_config().map_or(&unset, |dir| &dir.config.scoped);
    mapping::handler_script(&server.config.scoped, dir, name).is_some()
}

fn handle(request: Request<'_>) -> Result<Status, Failure> {
    let server = request.server().ok_or_else(|| Failure::internal("request without server"))?;
    let state =
        module::server_state(server).ok_or_else(|| Failure::internal("no server record"))?;
    let resolved =
        state.main().resolved.get().ok_or_else(|| Failure::internal("not configured"))?;
    let alias = alias_of(request, state);
    let target = checks::target(request, alias.is_some())?;

    let unset = Scoped::default();
    let dir = request.dir_config().map_or(&unset, |dir| &dir.config.scoped);
    let lookups = RequestLookups::new(request, resolved.ignores_case);
    let options = alias.map(|alias| &alias.options);
    let choice = mapping::resolve(&state.config.scoped, dir, options, None, &lookups);
    let body = checks::body(request, &choice)?;

    let script_modified = target.modified;
    let mut job = Job { request, resolved, choice, script_modified, has_body: body, root: None };
    match job.choice.process_group.as_ref() {
        "" => embedded::run(&job),
        name => {
            let group = daemon::group(&job, server, name)?;
            job.root = group.definition.chroot.as_deref();
            daemon::run(&job, group)
        }
    }
}
