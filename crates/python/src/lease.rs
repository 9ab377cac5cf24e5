//! A request as Python objects may use it: as long as it lasts, and not a moment longer.
//!
//! `wsgi.input`, `wsgi.errors` and `start_response` can outlive their request (an environ kept
//! in a global, a thread still running). They share a [`Lease`], through which the exchange is
//! reached only before [`Lease::end`]; that waits for calls of other threads that are under way.

use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use wsgi_core::{
    exchange::{Exchange, Source},
    head::{RequestHead, flag},
    level::Level,
};

use crate::{
    module::active::{Progress, Told},
    object::{Object, Py, PyResult},
    types::body::Body,
    wsgi::{measure::Measure, response::Response},
};

/// Set in [`Lease::users`] when the request is over.
const ENDED: u32 = 1 << 31;

/// The shared part of one request.
pub(crate) struct Lease {
    exchange: *const (dyn Exchange + 'static),
    /// Lives as long as the exchange.
    head: *const RequestHead<'static>,
    /// What of its records is logged.
    log_level: Level,
    /// Calls in progress, and [`ENDED`].
    users: AtomicU32,
    last_left: (Mutex<()>, Condvar),
    response: Mutex<Response>,
    body: Mutex<Body>,
    partial_line: Mutex<Vec<u8>>,
    measure: OnceLock<Arc<Measure>>,
    /// What its events say, while the request is in progress in its interpreter.
    progress: Mutex<Progress>,
}

// SAFETY: `exchange` and `head` are followed only through `Use`, which keeps `end` waiting;
// Exchange is Sync.
unsafe impl Send for Lease {}
// SAFETY: as for Send; everything else is locked or atomic.
unsafe impl Sync for Lease {}

impl Lease {
    /// A lease on `exchange`, which must not end before [`Lease::end`] has returned, and neither
    /// must `head`.
    pub(crate) fn new(exchange: &dyn Exchange, head: &RequestHead<'_>) -> Self {
        let pointer: *const (dyn Exchange + '_) = exchange;
        // SAFETY: only the lifetime changes; `end` is called within it (see `Ending`).
        let exchange: *const (dyn Exchange + 'static) = unsafe { std::mem::transmute(pointer) };
        Self {
            exchange,
            // Only the lifetime changes, as above.
            head: ptr::from_ref(head).cast(),
            log_level: head.log_level,
            users: AtomicU32::new(0),
            last_left: (Mutex::new(()), Condvar::new()),
            response: Mutex::new(
                Response::new(head.has(flag::HEAD)).with_files(!head.sendfile_roots.is_empty()),
            ),
            body: Mutex::new(Body::new(head.body_length)),
            partial_line: Mutex::new(Vec::new()),
            measure: OnceLock::new(),
            progress: Mutex::default(),
        }
    }

    /// Measures the request from now on, unless it is being measured.
    pub(crate) fn set_measure(&self, measure: Option<Measure>) {
        if let Some(measure) = measure {
            self.measure.set(Arc::new(measure)).ok();
        }
    }

    /// What the request costs, where anybody wants to know it.
    pub(crate) fn measure(&self) -> Option<&Arc<Measure>> {
        self.measure.get()
    }

    /// Whether a record of this level would be logged.
    pub(crate) fn accepts(&self, level: Level) -> bool {
        level <= self.log_level
    }

    /// The exchange, or `None` after the request.
    pub(crate) fn enter(&self) -> Option<Use<'_>> {
        let before = self.users.fetch_add(1, Ordering::AcqRel);
        let used = Use(self);
        if before & ENDED == 0 { Some(used) } else { None }
    }

    /// Ends the request for all Python objects; waits for other threads' calls. Call detached.
    pub(crate) fn end(&self) {
        let mut guard = lock(&self.last_left.0);
        let mut users = self.users.fetch_or(ENDED, Ordering::AcqRel);
        while users & !ENDED != 0 {
            guard = self.last_left.1.wait(guard).unwrap_or_else(PoisonError::into_inner);
            users = self.users.load(Ordering::Acquire);
        }
    }

    /// The response's state. Held for moments only, never while Python code runs or anything
    /// blocks.
    pub(crate) fn response(&self) -> MutexGuard<'_, Response> {
        lock(&self.response)
    }

    /// What of the request body was read; held while reading, so waited for detached.
    pub(crate) fn body(&self, py: Py<'_>) -> MutexGuard<'_, Body> {
        lock_detached(py, &self.body)
    }

    /// The unfinished line of `wsgi.errors`; held for moments only.
    pub(crate) fn partial_line(&self) -> MutexGuard<'_, Vec<u8>> {
        lock(&self.partial_line)
    }

    /// The request is in progress in its interpreter.
    pub(crate) fn begin_progress(&self) {
        *lock(&self.progress) = Progress::Unasked;
    }

    /// It is not any more; what was told about it until now.
    pub(crate) fn end_progress(&self) -> Option<Told> {
        match std::mem::take(&mut *lock(&self.progress)) {
            Progress::Told(told) => Some(told),
            Progress::Outside | Progress::Unasked => None,
        }
    }

    /// What events say about the request, while it is in progress: its id and its data. Called
    /// attached to its interpreter.
    pub(crate) fn progress<'py>(
        &self,
        py: Py<'py>,
    ) -> PyResult<Option<(Option<Object<'py>>, Object<'py>)>> {
        match &*lock(&self.progress) {
            Progress::Told(told) => return Ok(Some(told.get(py))),
            Progress::Outside => return Ok(None),
            Progress::Unasked => {}
        }
        // Not while the lock is held: making an object may run anything.
        let made = Told::make(py, self.enter().as_ref().map(Use::head))?;
        let mut progress = lock(&self.progress);
        let (shown, unused) = match &*progress {
            Progress::Unasked => {
                let shown = made.get(py);
                *progress = Progress::Told(made);
                return Ok(Some(shown));
            }
            Progress::Told(told) => (Some(told.get(py)), made),
            Progress::Outside => (None, made),
        };
        drop(progress);
        drop(unused.take(py));
        Ok(shown)
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Lease").field("users", &self.users).finish_non_exhaustive()
    }
}

/// The exchange in use: the request does not end meanwhile.
#[derive(Debug)]
pub(crate) struct Use<'l>(&'l Lease);

impl Use<'_> {
    /// Logs a line that the application wrote.
    pub(crate) fn log_line(&self, line: &str) {
        self.log_lines(&[line]);
    }

    /// Logs lines that the application wrote at once.
    pub(crate) fn log_lines(&self, lines: &[impl AsRef<str>]) {
        self.log_located(Level::ERROR, lines, None);
    }

    /// The request's head.
    pub(crate) fn head(&self) -> &RequestHead<'_> {
        // SAFETY: `end` has not returned while this use is counted, so the head lives.
        unsafe { &*self.0.head }
    }

    /// Logs lines that the application reported, as one record.
    pub(crate) fn log_located(
        &self,
        level: Level,
        lines: &[impl AsRef<str>],
        source: Option<Source<'_>>,
    ) {
        let script = String::from_utf8_lossy(self.head().script);
        let lines = lines.iter().map(|line| format!("[script {script}] {}", line.as_ref()));
        self.log(level, &lines.collect::<Vec<_>>().join("\n"), source);
    }
}

impl<'l> Deref for Use<'l> {
    type Target = dyn Exchange + 'l;

    fn deref(&self) -> &Self::Target {
        // SAFETY: `end` has not returned while this use is counted, so the exchange lives.
        unsafe { &*self.0.exchange }
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        let left = self.0.users.fetch_sub(1, Ordering::AcqRel) - 1;
        if left == ENDED {
            let _guard = lock(&self.0.last_left.0);
            self.0.last_left.1.notify_all();
        }
    }
}

/// Locks; a panic elsewhere left consistent values, so poison means nothing here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks a mutex whose holders attach and detach: a waiting thread must not be attached.
pub(crate) fn lock_detached<'m, T: Send>(py: Py<'_>, mutex: &'m Mutex<T>) -> MutexGuard<'m, T> {
    match mutex.try_lock() {
        Ok(guard) => guard,
        Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(std::sync::TryLockError::WouldBlock) => py.detached(|| lock(mutex)),
    }
}
