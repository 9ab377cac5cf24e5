//! What goes to the error log when an application raises, and how the request ends then.

use wsgi_core::{exchange::Outcome, level::Level};

use super::{engine::Request, observe};
use crate::{
    object::{Class, Py, Raised},
    traceback,
};

/// Logs an exception of the application and says how the request ends.
pub(crate) fn exception(py: Py<'_>, request: &Request<'_>, raised: Raised) -> Outcome {
    let Some(exception) = raised.take(py) else { return request.failed(500) };
    let state = &request.interpreter.state;
    if exception.is_instance(state.request_timeout.get(py)) {
        return interrupted(py, request);
    }
    let is_client_gone = request.lease.response().is_client_gone();
    if is_client_gone && exception.is_exception(Class::Os) {
        // write() raised because nobody reads the response: no fault of the application.
        return Outcome::Completed;
    }
    observe::exception(py, request, &exception);
    let (script, place) = (request.script(), &request.interpreter.place);
    traceback::write_application(
        py,
        &state.bootstrap,
        request.exchange,
        &script,
        place,
        &exception,
    );
    traceback::write_remedy(py, request.interpreter, &script, &exception);
    request.failed(500)
}

/// Logs that `RequestTimeout` has ended the request, and says how it ends then.
pub(crate) fn interrupted(py: Py<'_>, request: &Request<'_>) -> Outcome {
    let text = "Request interrupted by RequestTimeout; thread recovered.";
    py.detached(|| request.exchange.log(Level::INFO, text, None));
    request.failed(504)
}

/// Logs that looking up `close` failed.
pub(crate) fn close_lookup(py: Py<'_>, request: &Request<'_>, raised: Raised) {
    let Some(exception) = raised.take(py) else { return };
    let script = request.script();
    let text = format!(
        "WSGI0194: [script {script}] cannot look up 'close' of the object that WSGI script \
         '{script}' returned."
    );
    let state = &request.interpreter.state;
    traceback::write(py, &state.bootstrap, Some(request.exchange), &text, &exception);
}
