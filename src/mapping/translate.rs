//! The translate_name hook: WSGIScriptAlias and WSGIScriptAliasMatch.

use std::{ffi::CStr, sync::PoisonError};

use wsgi_core::{
    directives::ScriptAlias,
    mapping::{self, Spans},
};

use crate::apache::{
    Request,
    hook::{RequestHook, Status},
    module::{self, ServerState},
};

/// Name of the handler that runs WSGI scripts.
pub(crate) const HANDLER: &CStr = c"wsgi-script";

/// mod_alias's note: the handler was forced by an alias (and ExecCGI is not needed).
const FORCED: &CStr = c"alias-forced-type";

/// Maps URLs to scripts.
pub(crate) struct Translate;

impl RequestHook for Translate {
    const NAME: &'static str = "translate_name";

    fn run(request: Request<'_>) -> Status {
        let state = request.server().and_then(module::server_state);
        let (Some(state), Some(uri)) = (state, request.uri()) else { return Status::Declined };
        let aliases = &state.config.aliases;
        let found =
            mapping::find_alias(aliases, uri.to_bytes(), |pattern| find(state, pattern, uri));
        let Some((alias, mapped)) = found else { return Status::Declined };
        request.set_filename(&mapped.filename);
        request.set_handler(HANDLER);
        if let Some(notes) = request.notes() {
            notes.set(FORCED, HANDLER);
        }
        module::set_alias(request, alias);
        Status::Ok
    }
}

/// The alias that mapped a request.
pub(crate) fn alias_of<'r>(
    request: Request<'r>,
    state: &'r ServerState,
) -> Option<&'r ScriptAlias> {
    module::alias(request).or_else(|| {
        // mod_dir makes the request for a directory that of its index: URI and notes go over, our
        // record does not.
        request.notes()?.get(FORCED).filter(|forced| *forced == HANDLER)?;
        let uri = request.uri()?;
        let find = |pattern| find(state, pattern, uri);
        let (alias, _) = mapping::find_alias(&state.config.aliases, uri.to_bytes(), find)?;
        Some(alias)
    })
}

fn find(state: &ServerState, pattern: usize, uri: &CStr) -> Option<Spans> {
    let patterns = state.main().patterns.read().unwrap_or_else(PoisonError::into_inner);
    let spans = patterns.get(pattern)?.find(uri)?;
    Some(spans.map(|span| span.map(|range| (range.start, range.end))))
}
