//! Says where an Authorization header stays with httpd: an application that sees no token is puzzling,
//! and nothing else in the log explains it.
//!
//! Once for each script and child, at level info. Where that is not logged, a request pays for one
//! comparison; elsewhere for one look at its headers, and one with credentials for a list.

use std::sync::{PoisonError, RwLock};

use wsgi_core::level::Level;

use super::Job;
use crate::apache::{Request, log};

/// The scripts that it was said of.
static SAID: RwLock<Vec<Vec<u8>>> = RwLock::new(Vec::new());

/// Most scripts that it is said of: a folder may hold any number.
const MOST: usize = 100;

/// Says so, unless nobody would see it or it was said before.
pub(super) fn tell(job: &Job<'_>, level: Level) {
    if level < Level::INFO || job.choice.pass_authorization || !is_withheld(job.request) {
        return;
    }
    if !is_first(job.script) {
        return;
    }
    let text = format!(
        "Script '{}' does not see the Authorization header of its requests: 'WSGIPassAuthorization On' \
         passes it on.",
        String::from_utf8_lossy(job.script)
    );
    log::request(job.request, Level::INFO, None, &text);
}

/// Whether there are credentials that neither httpd has used nor anything else has passed on
/// (`CGIPassAuth`, SetEnvIf, mod_rewrite).
fn is_withheld(request: Request<'_>) -> bool {
    request.headers_in().is_some_and(|headers| headers.has(c"Authorization"))
        && request.user().is_none()
        && !request.environment().is_some_and(|variables| variables.has(c"HTTP_AUTHORIZATION"))
}

/// Whether this is the first time for a script.
fn is_first(script: &[u8]) -> bool {
    let is_among = |said: &[Vec<u8>]| said.len() >= MOST || said.iter().any(|one| one == script);
    if is_among(&SAID.read().unwrap_or_else(PoisonError::into_inner)) {
        return false;
    }
    let mut said = SAID.write().unwrap_or_else(PoisonError::into_inner);
    // Another thread may have been faster.
    let is_first = !is_among(&said);
    if is_first {
        said.push(script.to_owned());
    }
    is_first
}
