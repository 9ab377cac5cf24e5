//! Threads that may wait for the interpreter lock, so that the watcher need not: an application
//! can hold it for as long as it likes.
//!
//! One thread for each interpreter that runs requests. Up to CPython 3.12 a thread that waits for
//! the lock asks only the threads of its own interpreter to let go of it: a loop in one
//! interpreter would be noticed by nobody who waits in another.

use std::{
    collections::BTreeMap,
    io, mem,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use wsgi_core::level::Level;

use crate::{host::Host, state::Daemon};

/// How long the end of the threads is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Enough for Python's own code that formats a stack.
const STACK: usize = 1 << 20;

type Job = Box<dyn FnOnce(&dyn Host) + Send>;

/// The threads by application group.
#[derive(Debug)]
pub(crate) struct Inspectors {
    daemon: &'static Daemon,
    host: &'static dyn Host,
    /// `None` in place of a thread that cannot be started.
    threads: Mutex<BTreeMap<Vec<u8>, Option<Inspector>>>,
}

#[derive(Debug)]
struct Inspector {
    jobs: mpsc::Sender<Job>,
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

impl Inspectors {
    /// No thread yet.
    pub(crate) fn new(daemon: &'static Daemon, host: &'static dyn Host) -> Self {
        Self { daemon, host, threads: Mutex::default() }
    }

    /// Does the work in the thread of a group, after what was asked of it before. The watcher is
    /// woken then. `None` when there is no such thread.
    pub(crate) fn ask<T: Send + Sync + 'static>(
        &self,
        group: &[u8],
        work: impl FnOnce(&dyn Host) -> T + Send + 'static,
    ) -> Option<Answer<T>> {
        let answer = Arc::new(OnceLock::new());
        let place = Arc::clone(&answer);
        let job: Job = Box::new(move |host| {
            // Nobody else sets it.
            place.set(work(host)).ok();
        });
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = threads.entry(group.to_vec()).or_insert_with(|| self.start());
        thread.as_ref()?.jobs.send(job).ok()?;
        Some(Answer(answer))
    }

    fn start(&self) -> Option<Inspector> {
        let started = Inspector::start(self.daemon, self.host).inspect_err(|error| {
            let text =
                format!("WSGI0068: The thread that looks at requests cannot be started: {error}.");
            self.daemon.log.log(Level::ERROR, &text);
        });
        started.ok()
    }

    /// Takes no more work. Waits for what is being done, unless that waits for an application.
    pub(crate) fn end(&self) {
        let threads = mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        // Dropping the senders ends the threads.
        let threads: Vec<JoinHandle<()>> =
            threads.into_values().flatten().map(|inspector| inspector.thread).collect();
        let end = Instant::now() + PATIENCE;
        while !threads.iter().all(JoinHandle::is_finished) && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Inspector {
    fn start(daemon: &'static Daemon, host: &'static dyn Host) -> io::Result<Self> {
        let (jobs, receiver) = mpsc::channel::<Job>();
        let thread = thread::Builder::new().name("wsgi-inspector".to_owned()).stack_size(STACK);
        let thread = thread.spawn(move || {
            for job in receiver {
                job(host);
                daemon.wake();
            }
            // An interpreter that has a state of this thread could not be ended.
            host.thread_end();
        })?;
        Ok(Self { jobs, thread })
    }
}
