//! Events of the process for the applications that have subscribed to them: signals, and that the
//! process is about to end.
//!
//! Callbacks run in threads of their own, one for each interpreter: neither the watcher nor an
//! interpreter waits for the callbacks of another one.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use crate::{
    host::Host,
    inspector::{ANNOUNCING, Inspectors},
    state::Daemon,
};

/// Signals that wait at most: who sends more, while a callback takes its time, is not heard.
const MOST_WAITING: usize = 100;

/// What tells applications.
#[derive(Debug)]
pub(crate) struct Announcer {
    daemon: &'static Daemon,
    host: &'static dyn Host,
    threads: Inspectors,
    /// Callbacks of signals that have not ended.
    waiting: Arc<AtomicUsize>,
    /// Closed when the end has been announced everywhere.
    stopping: OnceLock<Mutex<mpsc::Receiver<()>>>,
}

impl Announcer {
    /// An announcer that has said nothing yet.
    pub(crate) fn new(daemon: &'static Daemon, host: &'static dyn Host) -> Self {
        Self {
            daemon,
            host,
            threads: Inspectors::new(daemon, host, &ANNOUNCING),
            waiting: Arc::default(),
            stopping: OnceLock::new(),
        }
    }

    /// A signal has come. Scripts that run as services set handlers of their own.
    pub(crate) fn signal(&self, name: &'static str, number: i32) {
        if self.daemon.spec.engine.is_service() || self.stopping.get().is_some() {
            return;
        }
        for group in self.host.application_groups() {
            if self.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
                return;
            }
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let waiting = Arc::clone(&self.waiting);
            let asked = self.threads.ask(group.clone().as_bytes(), move |host| {
                host.announce_signal(&group, name, number);
                waiting.fetch_sub(1, Ordering::Relaxed);
            });
            if asked.is_none() {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// The process is about to end: tells every interpreter once, without waiting.
    pub(crate) fn stop(&self) {
        self.stopping.get_or_init(|| {
            let (done, receiver) = mpsc::channel::<()>();
            let reason = self.daemon.reason().map_or("", |reason| reason.name());
            for group in self.host.application_groups() {
                let done = done.clone();
                self.threads.ask(group.clone().as_bytes(), move |host| {
                    // Dropped at the end, however it comes.
                    let _done = done;
                    host.announce_stop(&group, reason);
                });
            }
            Mutex::new(receiver)
        });
    }

    /// Waits until every interpreter was told that the process ends; no thread is left then. The
    /// watcher limits how long that may take.
    pub(crate) fn finish(&self) {
        self.stop();
        if let Some(receiver) = self.stopping.get() {
            let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            // Nothing is sent: it fails when the last sender is gone.
            receiver.recv().ok();
        }
        self.threads.end();
    }
}
