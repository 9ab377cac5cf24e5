//! WSGIDispatchScript: which process group, interpreter and callable answer a request.

use wsgi_core::{
    decide::{Question, Verdict},
    directives::DispatchScript,
    mapping::{self, Lookups},
};

use super::ask::put;
use crate::request::{Failure, Job, encode_dispatch_head, subject};

/// Lets the script change what was chosen for a request; false when it has failed, which is
/// logged. Without a verdict the request must not run: what is configured may not be where the
/// script would have sent it.
pub(crate) fn dispatch(
    job: &mut Job<'_>,
    script: &DispatchScript,
    lookups: &dyn Lookups,
) -> Result<bool, Failure> {
    let group = mapping::expand_script_group(script.application_group.as_deref(), lookups);
    let head = encode_dispatch_head(job, script.path.as_bytes(), group.as_bytes());
    let Verdict::Changes(changes) = put(job.request, &Question::Dispatch, &head) else {
        return Ok(false);
    };
    let changed = job.choice.change(changes, lookups).map(|()| true);
    changed.map_err(|why| {
        let text = format!("{why}: dispatch script '{}', {}", script.path, subject(job.request));
        Failure::new(500, 86, text)
    })
}
