//! From a request to its response: `checks` decides whether it may run, `environ` says what the
//! application is told, `embedded` and `daemon` run it, `respond` sends what it answers, and
//! `failure` is the one place where a failure becomes a status and a log record.
//!
//! Invariant: whatever happens, a request of ours is answered here; it is never declined once it
//! is known to be ours, because another handler might send the script's source.

mod checks;
mod daemon;
mod embedded;
mod environ;
mod failure;
mod flusher;
mod respond;

pub(crate) use embedded::child_start;
pub(crate) use environ::encode as encode_head;
pub(crate) use failure::{Failure, subject};
pub(crate) use respond::Responder;

use wsgi_core::{
    directives::Scoped,
    mapping::{self, Resolved as Choice},
};

use crate::{
    apache::{
        Request,
        hook::{RequestHook, Status},
        module,
    },
    mapping::{RequestLookups, alias_of},
    resolved::Resolved,
};

/// Handler names that mean a WSGI script.
const HANDLERS: [&[u8]; 2] = [b"wsgi-script", b"application/x-httpd-wsgi"];

/// Answers requests for WSGI scripts.
pub(crate) struct Handle;

impl RequestHook for Handle {
    const NAME: &'static str = "handler";

    fn run(request: Request<'_>) -> Status {
        let is_ours = request.handler().is_some_and(|name| HANDLERS.contains(&name.to_bytes()));
        if !is_ours {
            return Status::Declined;
        }
        match handle(request) {
            Ok(status) => status,
            Err(failure) => failure.report(request),
        }
    }
}

fn handle(request: Request<'_>) -> Result<Status, Failure> {
    let server = request.server().ok_or(Failure::internal("request without server"))?;
    let state = module::server_state(server).ok_or(Failure::internal("no server record"))?;
    let resolved = state.main().resolved.get().ok_or(Failure::internal("not configured"))?;
    let alias = alias_of(request, state);
    let target = checks::target(request, alias.is_some())?;

    let unset = Scoped::default();
    let dir = request.dir_config().map_or(&unset, |dir| &dir.config.scoped);
    let lookups = RequestLookups::new(request, resolved.ignores_case);
    let options = alias.map(|alias| &alias.options);
    let choice = mapping::resolve(&state.config.scoped, dir, options, None, &lookups);
    let body = checks::body(request, &choice)?;

    let job = Job { request, resolved, choice, script_modified: target.modified, has_body: body };
    job.run(server)
}

/// A request that may run, with everything that was decided about it.
pub(crate) struct Job<'r> {
    /// The request.
    pub(crate) request: Request<'r>,
    /// The configuration.
    pub(crate) resolved: &'r Resolved,
    /// Where and how it runs.
    pub(crate) choice: Choice<'r>,
    /// Modification time of the script, µs since the epoch.
    pub(crate) script_modified: i64,
    /// Whether a body may follow.
    pub(crate) has_body: bool,
}

impl<'r> Job<'r> {
    fn run(&self, server: crate::apache::Server<'r>) -> Result<Status, Failure> {
        match self.choice.process_group.as_ref() {
            "" => embedded::run(self),
            name => daemon::run(self, server, name),
        }
    }

    /// The script's file.
    pub(crate) fn script(&self) -> &'r [u8] {
        self.request.filename().unwrap_or_default().to_bytes()
    }
}
