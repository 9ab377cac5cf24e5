//! What a worker thread needs of the CPython host, so that workers are tested without Python.

use std::{fmt::Debug, time::Instant};

use wsgi_core::{
    control::ImportScript,
    exchange::{Exchange, Outcome},
    head::RequestHead,
};
use wsgi_python::Runtime;

/// Decides whether to call what it is given.
pub(crate) type When<'a> = dyn Fn(&dyn Fn() -> bool) -> bool + 'a;

/// Runs applications.
pub(crate) trait Host: Debug + Sync {
    /// Answers one request. `thread` counts from 1; `taken` is when the daemon took the request,
    /// µs since the epoch.
    fn serve(
        &self,
        head: &RequestHead<'_>,
        exchange: &dyn Exchange,
        thread: u32,
        taken: i64,
    ) -> Outcome;

    /// Loads a script if it is not loaded; false when that goes wrong, which is logged.
    fn preload(&self, _script: &ImportScript) -> bool {
        false
    }

    /// Called by a thread that has used the host before it ends.
    fn thread_end(&self);

    /// The Python stack of a thread in an interpreter, by lines; waits for its lock.
    fn stack(&self, _group: &[u8], _thread: u64) -> Option<Vec<String>> {
        None
    }

    /// The Python stacks of the threads that applications have started in an interpreter; waits for
    /// its lock.
    fn other_stacks(&self, _group: &[u8]) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// Raises RequestTimeout in a thread; `when` decides at the last moment.
    fn interrupt(&self, _group: &[u8], _thread: u64, _when: &When<'_>) -> bool {
        false
    }

    /// Waits for the lock of an interpreter and gives it back.
    fn take_turn(&self, _group: &[u8]) {}

    /// Since when requests have been trying in vain to load an application.
    fn loading_since(&self) -> Option<Instant> {
        None
    }

    /// Takes back an exception that the calling thread has not noticed.
    fn forget_interrupt(&self, _group: &[u8]) {}

    /// The application groups that have an interpreter.
    fn application_groups(&self) -> Vec<String> {
        Vec::new()
    }

    /// Tells the subscribers in an interpreter that the process is about to end; runs their code.
    fn announce_stop(&self, _group: &str, _reason: &str) {}

    /// Tells the subscribers in an interpreter of a signal; runs their code.
    fn announce_signal(&self, _group: &str, _name: &str, _number: i32) {}
}

impl Host for Runtime {
    fn serve(
        &self,
        head: &RequestHead<'_>,
        exchange: &dyn Exchange,
        thread: u32,
        taken: i64,
    ) -> Outcome {
        Runtime::serve(self, head, exchange, thread, taken)
    }

    fn preload(&self, script: &ImportScript) -> bool {
        Runtime::preload(self, script)
    }

    fn thread_end(&self) {
        Runtime::thread_end(self);
    }

    fn stack(&self, group: &[u8], thread: u64) -> Option<Vec<String>> {
        Runtime::stack(self, group, thread)
    }

    fn other_stacks(&self, group: &[u8]) -> Vec<Vec<String>> {
        Runtime::other_stacks(self, group)
    }

    fn interrupt(&self, group: &[u8], thread: u64, when: &When<'_>) -> bool {
        Runtime::interrupt(self, group, thread, when)
    }

    fn take_turn(&self, group: &[u8]) {
        Runtime::take_turn(self, group);
    }

    fn loading_since(&self) -> Option<Instant> {
        Runtime::loading_since(self)
    }

    fn forget_interrupt(&self, group: &[u8]) {
        Runtime::forget_interrupt(self, group);
    }

    fn application_groups(&self) -> Vec<String> {
        Runtime::application_groups(self)
    }

    fn announce_stop(&self, group: &str, reason: &str) {
        Runtime::announce_stop(self, group, reason);
    }

    fn announce_signal(&self, group: &str, name: &str, number: i32) {
        Runtime::announce_signal(self, group, name, number);
    }
}
