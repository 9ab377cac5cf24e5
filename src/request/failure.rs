//! Failures of a request: the one place that maps them to HTTP and logs them.

use wsgi_core::level::Level;

use crate::apache::{Request, hook::Status, log};

/// Why a request has no response of its application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// HTTP status.
    status: u16,
    /// Number of the record (`WSGInnnn`).
    code: u16,
    /// What happened.
    text: String,
    /// Whether the client is asked to come again.
    retry_after: bool,
    /// How much it matters to the operator.
    level: Level,
    /// Whether the client has its answer.
    is_answered: bool,
}

/// Seconds after which a client may come again when the group has no room for it now.
const RETRY_AFTER: &std::ffi::CStr = c"1";

impl Failure {
    /// A failure with its status, record number and text.
    pub(crate) fn new(status: u16, code: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            code,
            text: text.into(),
            retry_after: false,
            level: Level::ERROR,
            is_answered: false,
        }
    }

    /// The same failure with a `Retry-After` header.
    pub(crate) fn with_retry_after(self) -> Self {
        Self { retry_after: true, ..self }
    }

    /// The same failure of a request that a filter has answered.
    pub(crate) fn answered(self) -> Self {
        Self { is_answered: true, ..self }
    }

    /// The same failure logged at another level; below a warning without its number.
    pub(crate) fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Something that cannot happen unless httpd or this module is broken.
    pub(crate) fn internal(text: &str) -> Self {
        Self::new(500, 1005, format!("internal error: {text}"))
    }

    /// Logs the failure and gives httpd its status.
    pub(crate) fn report(&self, request: Request<'_>) -> Status {
        let code = Some(self.code).filter(|_| self.level <= Level::WARNING);
        log::request(request, self.level, code, &self.text);
        if let Some(headers) = request.error_headers_out().filter(|_| self.retry_after) {
            headers.set(c"Retry-After", RETRY_AFTER);
        }
        if self.is_answered { Status::Answered } else { Status::Http(self.status) }
    }
}

/// The request's script and URL, for messages: `script '/srv/app.wsgi', URL '/app/x'`.
pub(crate) fn subject(request: Request<'_>) -> String {
    let script = request.filename().unwrap_or_default().to_string_lossy();
    let url = request.uri().unwrap_or_default().to_string_lossy();
    format!("script '{script}', URL '{url}'")
}
