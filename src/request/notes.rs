//! Notes about a request for the formats of logs: made only where a format shows them.

use std::{ffi::CStr, time::Duration};

use wsgi_core::frame::Took;

use super::Job;
use crate::apache::{process, text::c_string};

fn set(job: &Job<'_>, name: &CStr, value: impl AsRef<[u8]>) {
    // A format shows what is missing as `-`.
    if let Some(notes) = job.request.notes().filter(|_| !value.as_ref().is_empty()) {
        notes.set(name, &c_string(value));
    }
}

/// For ErrorLogFormat, before something is logged: what the request is for.
pub(crate) fn set_context(job: &Job<'_>) {
    if !job.resolved.error_log_asks {
        return;
    }
    set(job, c"wsgi:script", job.script);
    set(job, c"wsgi:application-group", job.choice.application_group.as_bytes());
    set(job, c"wsgi:group", job.choice.process_group.as_bytes());
}

/// For the access log: how long the handler has taken.
pub(crate) fn set_total(job: &Job<'_>, total: Duration) {
    set(job, c"wsgi:total", total.as_micros().to_string());
    set(job, c"wsgi:group", job.choice.process_group.as_bytes());
}

/// For the access log: where the request ran in a daemon, and what its time went into.
pub(crate) fn set_took(job: &Job<'_>, payload: &[u8]) {
    let Some(took) = Took::decode(payload).filter(|_| job.resolved.access_log_asks) else { return };
    set(job, c"wsgi:queue", took.queue.to_string());
    set(job, c"wsgi:application", took.application.to_string());
    set(job, c"wsgi:pid", took.pid.to_string());
    set(job, c"wsgi:thread", took.thread.to_string());
}

/// The same for a request that ran here.
pub(crate) fn set_own(job: &Job<'_>, application: Duration) {
    set(job, c"wsgi:application", application.as_micros().to_string());
    set(job, c"wsgi:pid", process::own_pid().to_string());
}
