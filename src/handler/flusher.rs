//! Sends what an embedded application has produced when it pauses.
//!
//! Blocks that follow each other quickly leave together; a block that is followed by a pause
//! must not wait for the next one. Nobody knows in the application's thread which it will be, so
//! a thread of its own looks a moment later. It runs once a child has streamed something. While
//! it waits for a client that does not read, another one takes its place.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use wsgi_ipc::process::spawn_quiet;

/// How long a block may wait for the next one, as `response-flush-delay` is for daemons.
pub(super) const DELAY: Duration = Duration::from_millis(5);

/// Threads that are kept although nothing is due.
const SPARE: usize = 2;

/// Something that may need a flush.
pub(super) trait Flush: Send {
    /// Flushes it, if it still needs to be.
    fn flush(&self);
}

/// What is due when; due times only grow, because the delay is always the same.
struct Queue {
    due: Mutex<VecDeque<(Instant, Box<dyn Flush>)>>,
    changed: Condvar,
    /// Threads that wait for something to be due.
    idle: AtomicUsize,
}

impl Queue {
    fn due(&self) -> MutexGuard<'_, VecDeque<(Instant, Box<dyn Flush>)>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next one that is due.
    fn next(&self) -> Box<dyn Flush> {
        let mut due = self.due();
        loop {
            let now = Instant::now();
            let wait = match due.front() {
                Some((at, _)) if *at <= now => match due.pop_front() {
                    Some((_, item)) => {
                        // Somebody else looks after the rest.
                        self.changed.notify_one();
                        return item;
                    }
                    None => continue,
                },
                Some((at, _)) => *at - now,
                None => Duration::MAX,
            };
            due = match self.changed.wait_timeout(due, wait) {
                Ok((due, _)) => due,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

/// Has `item` flushed after [`DELAY`]; `false` when that cannot be promised.
pub(super) fn schedule(item: Box<dyn Flush>) -> bool {
    static QUEUE: OnceLock<Option<&'static Queue>> = OnceLock::new();
    let Some(queue) = QUEUE.get_or_init(start) else { return false };
    queue.due().push_back((Instant::now() + DELAY, item));
    queue.changed.notify_one();
    true
}

/// Starts the thread of this child.
fn start() -> Option<&'static Queue> {
    let queue: &'static Queue = Box::leak(Box::new(Queue {
        due: Mutex::default(),
        changed: Condvar::new(),
        idle: AtomicUsize::new(0),
    }));
    start_thread(queue).then_some(queue)
}

/// Starts a thread that flushes what is due. The last one that waits for that is replaced before
/// it flushes, because its client may not read; one that finds enough others waiting ends.
fn start_thread(queue: &'static Queue) -> bool {
    let run = move || {
        while queue.idle.fetch_add(1, Ordering::Relaxed) < SPARE {
            let item = queue.next();
            if queue.idle.fetch_sub(1, Ordering::Relaxed) == 1 {
                // Without another thread everything waits for this one: late, but not never.
                start_thread(queue);
            }
            item.flush();
        }
        queue.idle.fetch_sub(1, Ordering::Relaxed);
    };
    spawn_quiet("wsgi-flusher", run).is_ok()
}
