//! Puts a question to a script in this child's Python.

use std::os::fd::BorrowedFd;
use std::{convert::Infallible, ffi::c_void};

use wsgi_core::{
    decide::{Question, Verdict},
    directives::{AuthScript, Scoped},
    exchange::{BodyError, Exchange, Pace, SendError, Source},
    head::{RequestHead, flag},
    level::Level,
    mapping,
};

use super::environ;
use crate::{
    apache::{Request, exclusive::Exclusive, log, module, python_host::PythonHost, text::c_string},
    mapping::RequestLookups,
    request::subject,
};

/// Asks an access or authentication script.
pub(super) fn ask(request: Request<'_>, script: &AuthScript, question: &Question<'_>) -> Verdict {
    let server = request.server().and_then(module::server_state);
    let resolved = server.and_then(|server| server.main().resolved.get());
    let ignores_case = resolved.is_some_and(|resolved| resolved.ignores_case);
    let lookups = RequestLookups::new(request, ignores_case);
    let group = mapping::expand_script_group(script.application_group.as_deref(), &lookups);
    let mut head = RequestHead::empty();
    let dir = request.dir_config();
    let is_on = |field: fn(&Scoped) -> Option<bool>| {
        dir.and_then(|dir| field(&dir.config.scoped))
            .or_else(|| server.and_then(|server| field(&server.config.scoped)))
    };
    if is_on(|scoped| scoped.script_reloading).unwrap_or(true) {
        head.flags |= flag::SCRIPT_RELOADING;
    }
    if is_on(|scoped| scoped.pass_apache_request).unwrap_or(false) {
        head.flags |= flag::PASS_RECORD;
    }
    head.script = script.path.as_bytes();
    head.application_group = group.as_bytes();
    head.log_level = log::level_of_request(request);
    put(request, question, &environ::entries(request).finish(&head))
}

/// Puts a question about the request whose head is encoded.
pub(super) fn put(request: Request<'_>, question: &Question<'_>, head: &[u8]) -> Verdict {
    let Some(host) = PythonHost::get() else {
        // Only a .htaccess file can name a script that nobody has reckoned with.
        let text = format!("Python has not been started in this child: {}", subject(request));
        log::request(request, Level::ERROR, Some(210), &text);
        return Verdict::Failed;
    };
    let Ok(request) = Exclusive::of_request(request, Ok::<_, Infallible>);
    host.decide(&LogOnly(request), &question.encode(head))
}

/// An exchange of which only the log is there: there is no body to be read yet, and it is not the
/// script that answers.
struct LogOnly<'r>(Exclusive<'r, Request<'static>>);

impl Exchange for LogOnly<'_> {
    fn begin(&self) {}

    fn read_body(&self, _buffer: &mut [u8]) -> Result<usize, BodyError> {
        Ok(0)
    }

    fn send_head(&self, _head: &wsgi_core::head::ResponseHead<'_>) -> Result<(), SendError> {
        Err(no_answer())
    }

    fn write(&self, _block: &[u8], _pace: Pace) -> Result<(), SendError> {
        Err(no_answer())
    }

    fn send_file(&self, _file: BorrowedFd<'_>, _from: u64, _length: u64) -> Result<(), SendError> {
        Err(no_answer())
    }

    fn tls_variable(&self, name: &[u8]) -> Option<Vec<u8>> {
        let request = self.0.lock();
        Some(request.as_ref()?.tls_variable(&c_string(name))?.to_bytes().to_vec())
    }

    fn request_record(&self) -> *mut c_void {
        self.0.lock().as_ref().map_or(std::ptr::null_mut(), |request| request.untyped())
    }

    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>) {
        if let Some(request) = self.0.lock().as_ref() {
            log::application(Some(*request), level, record, source);
        }
    }
}

fn no_answer() -> SendError {
    SendError::Failed("a script that decides about a request does not answer it".into())
}
