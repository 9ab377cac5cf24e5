//! `wsgi.errors`: a text stream for every request.
//!
//! To make and to end an `io.TextIOWrapper` costs more than all the rest of a small request. Most
//! requests log nothing and keep nothing of their stream: nobody could tell it from a new one, so
//! it serves another request. All that changes a stream either calls the log under it or leaves a
//! reference, an attribute or a weak reference, apart from its private `_CHUNK_SIZE`.

use std::sync::{Arc, Mutex};

use crate::{
    lease::{Lease, lock},
    object::{Object, Py, PyResult, Ref, Stored},
    state::State,
    types::log_stream::{self, RequestLog, Target},
};

/// Streams of an interpreter that no request has, at most as many as it had at once.
#[derive(Debug, Default)]
pub(crate) struct IdleStreams(Mutex<Vec<(Stored, Stored)>>);

/// The stream of one request.
#[derive(Debug)]
pub(crate) struct ErrorStream<'py> {
    /// The stream as the application sees it.
    text: Object<'py>,
    log: Object<'py>,
}

impl<'py> ErrorStream<'py> {
    /// A stream that writes to the request's log.
    pub(crate) fn open(py: Py<'py>, state: &State, lease: &Arc<Lease>) -> PyResult<Self> {
        let idle = lock(&state.idle_streams.0).pop();
        let stream = match idle {
            Some((text, log)) => Self { text: text.take(py), log: log.take(py) },
            None => {
                let target = Target::Request(RequestLog::default());
                let log = log_stream::new(py, state.log.get(py), target)?;
                Self { text: state.text_stream(py, &log)?, log }
            }
        };
        if let Some(log) = stream.request_log() {
            log.lend(Some(Arc::clone(lease)));
        }
        Ok(stream)
    }

    /// The stream as the application sees it.
    pub(crate) fn text(&self) -> &Ref<'py> {
        &self.text
    }

    /// Keeps the stream for another request, unless the application used it or has it still.
    /// Called when nothing of the request is left but what somebody kept.
    pub(crate) fn close(self, state: &State) {
        let Some(log) = self.request_log().filter(|log| log.is_unused()) else { return };
        // `self` has both, the text stream has its log.
        let is_alone = self.text.reference_count() == 1 && self.log.reference_count() == 2;
        if !is_alone || self.text.is_marked() {
            return;
        }
        log.lend(None);
        let Self { text, log } = self;
        lock(&state.idle_streams.0).push((Stored::new(text), Stored::new(log)));
    }

    fn request_log(&self) -> Option<&RequestLog> {
        match log_stream::target(&self.log) {
            Target::Request(log) => Some(log),
            Target::Process(_) => None,
        }
    }
}
