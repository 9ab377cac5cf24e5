//! What a worker thread is doing, as the watcher sees it: waiting for a connection, or in a
//! request that began then and has this head.
//!
//! The request path pays for two uncontended locks and a coarse clock; nothing is copied. The
//! head stays where the worker received it, and the lock keeps it there while somebody reads.

use std::sync::{
    Mutex, MutexGuard, PoisonError, TryLockError,
    atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering, fence},
};

use wsgi_core::{
    activity::{Activity, Doing},
    head::{Key, RequestHead},
    keys,
};
use wsgi_ipc::process;

use crate::{
    clock::{Moment, SharedMoment},
    forked,
};

/// One worker thread.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    /// The kernel's number of the thread.
    thread: AtomicI32,
    /// It waits for a connection.
    is_waiting: AtomicBool,
    /// What `threading.get_ident()` says in the thread.
    identity: AtomicU64,
    /// Requests begun.
    begun: AtomicU64,
    /// When the last request ended.
    idle_since: SharedMoment,
    /// Another thread has taken the place of this one, which leaves after its request.
    is_written_off: AtomicBool,
    request: Mutex<Option<InProgress>>,
    /// What it does with its request.
    pub(crate) activity: Activity,
}

/// A request in progress.
#[derive(Debug)]
struct InProgress {
    /// Bytes of the head; they live until `request` is emptied, by [`Running::end`].
    head: *const [u8],
    since: Moment,
    number: u64,
    is_interrupted: bool,
}

// SAFETY: the bytes are only read, and under the lock that keeps them alive.
unsafe impl Send for InProgress {}

/// What is known of a request in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// When the daemon took it.
    pub(crate) since: Moment,
    /// Counts the requests of its thread: tells it from a later one.
    pub(crate) number: u64,
    /// What `threading.get_ident()` says in its thread.
    pub(crate) identity: u64,
    /// Method and URI, or what there is of them.
    pub(crate) subject: String,
    /// Name of the interpreter.
    pub(crate) application_group: Vec<u8>,
}

impl WorkerState {
    /// The thread that will serve is the calling one.
    pub(crate) fn adopt_thread(&self) {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        self.thread.store(thread, Ordering::Relaxed);
        // SAFETY: returns a number.
        self.identity.store(unsafe { libc::pthread_self() }, Ordering::Relaxed);
    }

    /// Whether a thread serves here, or did.
    pub(crate) fn has_thread(&self) -> bool {
        self.identity.load(Ordering::Relaxed) != 0
    }

    /// The thread begins to wait for a connection, unless the drain has begun that it looks for next.
    pub(crate) fn begin_wait(&self) {
        self.is_waiting.store(true, Ordering::Relaxed);
        // The look at the drain must not overtake the store.
        fence(Ordering::SeqCst);
    }

    /// The thread no longer waits.
    pub(crate) fn end_wait(&self) {
        self.is_waiting.store(false, Ordering::Relaxed);
    }

    /// The number of the thread if it waits.
    pub(crate) fn waiting(&self) -> Option<i32> {
        let is_waiting = self.is_waiting.load(Ordering::Relaxed);
        is_waiting.then(|| self.thread.load(Ordering::Relaxed))
    }

    /// Whether the thread waits for something that is neither a processor nor the interpreter's lock:
    /// other threads can go on meanwhile.
    pub(crate) fn is_asleep(&self) -> bool {
        self.activity.doing() != Doing::WaitingForGil
            && process::sleeps(self.thread.load(Ordering::Relaxed))
    }

    /// A request begins.
    pub(crate) fn begin<'a>(&'a self, head: &'a [u8]) -> Running<'a> {
        // Only this thread counts.
        let number = self.begun.load(Ordering::Relaxed) + 1;
        self.begun.store(number, Ordering::Relaxed);
        let since = Moment::recent();
        *self.lock() = Some(InProgress { head, since, number, is_interrupted: false });
        Running { worker: self, is_ended: false }
    }

    fn lock(&self) -> MutexGuard<'_, Option<InProgress>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// When the last request ended; kept only where somebody asks for it.
    pub(crate) fn idle_since(&self) -> Option<Moment> {
        self.idle_since.get()
    }

    /// The thread has become idle.
    pub(crate) fn note_idle(&self) {
        self.idle_since.set(Moment::recent());
    }

    /// Since when a request has been in progress.
    pub(crate) fn busy_since(&self) -> Option<Moment> {
        self.lock().as_ref().map(|request| request.since)
    }

    /// The request in progress.
    pub(crate) fn look(&self) -> Option<Seen> {
        let request = self.lock();
        let request = request.as_ref()?;
        let (subject, application_group) = with_head(request, |head| {
            let [method, uri] = subject(head);
            let subject = [method, uri].map(String::from_utf8_lossy).join(" ");
            (subject, head.application_group.to_vec())
        })?;
        Some(Seen {
            since: request.since,
            number: request.number,
            identity: self.identity.load(Ordering::Relaxed),
            subject,
            application_group,
        })
    }

    /// The interpreter of the request in progress.
    pub(crate) fn application_group(&self) -> Option<Vec<u8>> {
        with_head(self.lock().as_ref()?, |head| head.application_group.to_vec())
    }

    /// Tells `tell` about the request in progress, without waiting or allocating: for a signal
    /// handler.
    pub(crate) fn glance(&self, tell: &mut dyn FnMut([&[u8]; 2], u64)) {
        let request = match self.request.try_lock() {
            Ok(request) => request,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let identity = self.identity.load(Ordering::Relaxed);
        if let Some(request) = request.as_ref() {
            with_head(request, |head| tell(subject(head), identity));
        }
    }

    /// Does `work`, which makes the thread raise an exception, if it still is in that request.
    pub(crate) fn interrupt(&self, number: u64, work: &dyn Fn() -> bool) -> bool {
        let mut request = self.lock();
        match request.as_mut() {
            Some(request) if request.number == number => {
                request.is_interrupted = work();
                request.is_interrupted
            }
            _ => false,
        }
    }

    /// Whether the thread still is in that request.
    pub(crate) fn is_in(&self, number: u64) -> bool {
        self.lock().as_ref().is_some_and(|request| request.number == number)
    }

    /// Another thread takes the place of this one.
    pub(crate) fn write_off(&self) {
        self.is_written_off.store(true, Ordering::Relaxed);
    }

    /// Whether another thread has taken the place of this one.
    pub(crate) fn is_written_off(&self) -> bool {
        self.is_written_off.load(Ordering::Relaxed)
    }
}

fn with_head<R>(request: &InProgress, look: impl FnOnce(&RequestHead<'_>) -> R) -> Option<R> {
    // SAFETY: alive until the worker has emptied the place under the lock, which the caller holds.
    let bytes = unsafe { &*request.head };
    RequestHead::decode(bytes).ok().map(|head| look(&head))
}

/// Method and URI, as far as httpd has sent them.
fn subject<'a>(head: &RequestHead<'a>) -> [&'a [u8]; 2] {
    let mut found: [&[u8]; 2] = [b"-", b"-"];
    for (key, value) in head.entries() {
        let Key::Known(number) = key else { continue };
        let [method, uri] = &mut found;
        match keys::name_of(number) {
            Some("REQUEST_METHOD") => *method = value.unwrap_or_default(),
            Some("REQUEST_URI") => *uri = value.unwrap_or_default(),
            _ => {}
        }
    }
    found
}

/// A request in progress, until its end.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    worker: &'a WorkerState,
    is_ended: bool,
}

impl Running<'_> {
    /// Nothing interrupts the thread from here on. Says whether something has.
    pub(crate) fn end(mut self) -> bool {
        self.is_ended = true;
        self.worker.lock().take().is_some_and(|request| request.is_interrupted)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // In a forked child the lock may be held by a thread that is not there.
        if !self.is_ended && !forked::is_forked() {
            self.worker.lock().take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wsgi_core::head::RequestHeadBuilder;

    fn head() -> Vec<u8> {
        let mut builder = RequestHeadBuilder::new();
        builder.entry(b"HTTP_HOST", Some(b"x"));
        builder.entry(b"REQUEST_METHOD", Some(b"GET"));
        builder.entry(b"REQUEST_URI", Some(b"/a?b"));
        let mut head = RequestHead::empty();
        head.application_group = b"group";
        builder.finish(&head)
    }

    #[test]
    fn a_request_is_seen_from_its_begin_to_its_end() {
        let worker = WorkerState::default();
        worker.adopt_thread();
        assert_eq!(worker.look(), None);
        let bytes = head();
        let running = worker.begin(&bytes);
        let seen = worker.look().unwrap();
        assert_eq!((seen.subject.as_str(), seen.number), ("GET /a?b", 1));
        assert_eq!(seen.application_group, b"group");
        assert!(seen.identity != 0 && worker.is_in(1));
        let mut glanced = Vec::new();
        worker.glance(&mut |subject, _| glanced.push(subject.concat()));
        assert_eq!(glanced, [b"GET/a?b"]);
        assert!(!running.end());
        assert!(worker.look().is_none() && worker.busy_since().is_none() && !worker.is_in(1));
        assert_eq!(worker.begun(), 1);
    }

    #[test]
    fn only_the_request_that_was_meant_is_interrupted() {
        let worker = WorkerState::default();
        let bytes = head();
        let running = worker.begin(&bytes);
        assert!(!worker.interrupt(2, &|| true));
        assert!(!worker.interrupt(1, &|| false));
        assert!(worker.interrupt(1, &|| true));
        assert!(running.end());
        assert!(!worker.interrupt(1, &|| true), "it is over");
        drop(worker.begin(&bytes));
        assert!(!worker.is_in(2));
        assert!(!worker.is_written_off());
        worker.write_off();
        assert!(worker.is_written_off());
    }
}
