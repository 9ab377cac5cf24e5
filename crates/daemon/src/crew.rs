//! The worker threads of the process: those it was configured with, and those that take the
//! place of threads that are stuck in a request.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
};

use wsgi_core::{control::ImportScript, level::Level};

use crate::{clock::Moment, host::Host, startup, state::Daemon, worker::Worker};

/// All worker threads.
#[derive(Debug)]
pub(crate) struct Crew {
    daemon: &'static Daemon,
    host: &'static dyn Host,
    /// Places that were taken; none is taken twice.
    started: AtomicU32,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Crew {
    /// Starts the configured number of threads, or as many as there can be.
    pub(crate) fn start(daemon: &'static Daemon, host: &'static dyn Host) -> Self {
        let crew = Self { daemon, host, started: AtomicU32::new(0), handles: Mutex::default() };
        for _ in 0..daemon.spec.threads {
            if !crew.add() {
                break;
            }
        }
        crew
    }

    /// Loads a script beside the requests. Failing is logged, and tried again by its first request.
    pub(crate) fn preload(&self, script: ImportScript) {
        let host = self.host;
        let load = move || {
            host.preload(&script);
            host.thread_end();
        };
        let started = thread::Builder::new()
            .name("wsgi-preload".to_owned())
            // What a worker could load must load here too.
            .stack_size(startup::stack_size(self.daemon.spec.limits.stack_size))
            .spawn(load);
        if let Ok(handle) = started {
            let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
            // The stack of a thread that has ended is kept as long as its handle.
            handles.retain(|handle| !handle.is_finished());
            handles.push(handle);
        }
    }

    /// Starts one more thread; false when there is no place for it, or no thread.
    pub(crate) fn add(&self) -> bool {
        let index = self.started.fetch_add(1, Ordering::Relaxed);
        let Some(mut worker) = Worker::new(self.daemon, self.host, index) else { return false };
        let started = thread::Builder::new()
            .name(format!("wsgi-worker-{}", index + 1))
            .stack_size(startup::stack_size(self.daemon.spec.limits.stack_size))
            .spawn(move || worker.run());
        match started {
            Ok(handle) => {
                self.handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
                true
            }
            Err(error) => {
                let text = format!("WSGI0022: Worker thread cannot be started: {error}.");
                self.daemon.log.log(Level::ALERT, &text);
                false
            }
        }
    }

    /// Since when requests have been trying in vain to load an application.
    pub(crate) fn loading_since(&self) -> Option<Moment> {
        self.host.loading_since().map(|since| Moment::before_now(since.elapsed()))
    }

    /// Whether no thread was started.
    pub(crate) fn is_empty(&self) -> bool {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Waits until all threads have ended.
    pub(crate) fn join(&self) {
        loop {
            let last = self.handles.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(last) = last else { return };
            // A worker that panicked outside a request has been logged by the panic hook.
            last.join().ok();
        }
    }
}
