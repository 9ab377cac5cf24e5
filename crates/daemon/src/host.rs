//! What a worker thread needs of the CPython host, so that workers are tested without Python.

use std::fmt::Debug;

use wsgi_core::exchange::{Exchange, Outcome};
use wsgi_python::Runtime;

/// Runs applications.
pub(crate) trait Host: Debug + Sync {
    /// Answers one request. `thread` counts from 1; `taken` is when the daemon took the request,
    /// µs since the epoch.
    fn serve(&self, head: &[u8], exchange: &dyn Exchange, thread: u32, taken: i64) -> Outcome;

    /// Called by a worker thread before it ends.
    fn thread_end(&self);
}

impl Host for Runtime {
    fn serve(&self, head: &[u8], exchange: &dyn Exchange, thread: u32, taken: i64) -> Outcome {
        Runtime::serve(self, head, exchange, thread, taken)
    }

    fn thread_end(&self) {
        Runtime::thread_end(self);
    }
}
