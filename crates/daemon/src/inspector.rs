//! A thread that may wait for the interpreter lock, so that the watcher need not: an application
//! can hold it for as long as it likes.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{host::Host, state::Daemon};

/// How long the end of the thread is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce(&dyn Host) + Send>;

/// The thread and its work.
#[derive(Debug)]
pub(crate) struct Inspector {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: JoinHandle<()>,
}

/// What a job will find out.
#[derive(Debug)]
pub(crate) struct Answer<T>(Arc<OnceLock<T>>);

impl<T> Answer<T> {
    /// What it has found out.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.get()
    }
}

impl Inspector {
    /// Starts the thread.
    pub(crate) fn start(daemon: &'static Daemon, host: &'static dyn Host) -> std::io::Result<Self> {
        let (jobs, receiver) = mpsc::channel::<Job>();
        let thread = thread::Builder::new().name("wsgi-inspector".to_owned()).spawn(move || {
            for job in receiver {
                job(host);
                // An interpreter that has a state of this thread could not be ended.
                host.thread_end();
                daemon.wake();
            }
        })?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread })
    }

    /// Does the work in the thread, after what was asked for before. The watcher is woken then.
    pub(crate) fn ask<T: Send + Sync + 'static>(
        &self,
        work: impl FnOnce(&dyn Host) -> T + Send + 'static,
    ) -> Answer<T> {
        let answer = Arc::new(OnceLock::new());
        let place = Arc::clone(&answer);
        let job: Job = Box::new(move |host| {
            // Nobody else sets it.
            place.set(work(host)).ok();
        });
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jobs) = jobs.as_ref() {
            // The thread is gone only when the process ends: nobody waits for the answer then.
            jobs.send(job).ok();
        }
        Answer(answer)
    }

    /// Takes no more work. Waits for what is being done, unless that waits for an application.
    pub(crate) fn end(&self) {
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let end = Instant::now() + PATIENCE;
        while !self.thread.is_finished() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
