//! Threads that may wait for the interpreter lock, so that the watcher need not: an application
//! can hold it for as long as it likes.
//!
//! One thread for each interpreter, in each of two sets: one that looks at requests for the timers,
//! and one that runs the application's callbacks for events of the process, which may take as long as
//! they like without anything that watches over the process having to wait for them. Up to CPython 3.12 a thread that waits for
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

/// A set of threads.
#[derive(Debug)]
pub(crate) struct Role {
    thread_name: &'static str,
    stack: usize,
    /// What is logged where a thread cannot be started.
    failure: &'static str,
}

/// Threads that look at requests.
pub(crate) const INSPECTING: Role = Role {
    thread_name: "wsgi-inspector",
    // Enough for Python's own code that formats a stack.
    stack: 1 << 20,
    failure: "WSGI0068: The thread that looks at requests cannot be started",
};

/// Threads that run callbacks.
pub(crate) const ANNOUNCING: Role = Role {
    thread_name: "wsgi-events",
    // What threads have by default: the code is the application's.
    stack: 8 << 20,
    failure: "WSGI0207: The thread that calls subscribers of process events cannot be started",
};

type Job = Box<dyn FnOnce(&dyn Host) + Send>;

/// The threads by application group.
#[derive(Debug)]
pub(crate) struct Inspectors {
    daemon: &'static Daemon,
    host: &'static dyn Host,
    role: &'static Role,
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
    pub(crate) fn new(
        daemon: &'static Daemon,
        host: &'static dyn Host,
        role: &'static Role,
    ) -> Self {
        Self { daemon, host, role, threads: Mutex::default() }
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

    /// The application groups that have an interpreter.
    pub(crate) fn application_groups(&self) -> Vec<String> {
        self.host.application_groups()
    }

    fn start(&self) -> Option<Inspector> {
        let started = Inspector::start(self.daemon, self.host, self.role).inspect_err(|error| {
            self.daemon.log.log(Level::ERROR, &format!("{}: {error}.", self.role.failure));
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
    fn start(daemon: &'static Daemon, host: &'static dyn Host, role: &Role) -> io::Result<Self> {
        let (jobs, receiver) = mpsc::channel::<Job>();
        let thread =
            thread::Builder::new().name(role.thread_name.to_owned()).stack_size(role.stack);
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
