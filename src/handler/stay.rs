//! Connections that stay with their thread.
//!
//! After each response the event MPM gives a kept connection back to its listener, which hands the
//! client's next request to another thread: two system calls and two threads that wake, up to a
//! quarter of a small request's time. That is right for a client that pauses. One that sends its
//! next request at once (another server's pool of connections, a program) is served sooner and
//! cheaper if the thread waits a moment.
//!
//! Nobody else may have to wait for that: only clients are waited for that were quick the last time,
//! and only by a few of a child's threads. With no more open connections than that each may have a
//! thread of its own for as long as its client is quick. With more, as a site for browsers has, no
//! thread waits for long or while many requests are in progress, and after some requests in a row a
//! connection queues up behind the others.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use wsgi_ipc::clock;

use crate::apache::{
    Request,
    connection::Pace,
    hook::{RequestHook, Status},
    mpm,
};

/// How a child treats its connections.
struct Manner {
    /// How long a thread waits, and how quick a client must have been.
    longest: Duration,
    /// Requests in a row that a connection stays for.
    in_a_row: u32,
    /// Most requests in progress beside which a thread waits, threads that wait included.
    most: u32,
}

/// With few connections: each has a thread.
const FEW: Manner =
    Manner { longest: Duration::from_millis(5), in_a_row: u32::MAX, most: u32::MAX };

/// With more connections than threads that may wait.
const MANY: Manner = Manner { longest: Duration::from_millis(1), in_a_row: 8, most: 8 };

/// How many threads of this child may wait: a quarter. 0 where threads wait anyhow, because the
/// MPM is not an asynchronous one.
static LIMIT: AtomicU32 = AtomicU32::new(0);

/// Our requests in progress in this child, and threads that wait here.
static BUSY: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The connection whose request this thread has handled last, as long as its end is awaited.
    static HANDLED: Cell<usize> = const { Cell::new(0) };
}

/// Called at the start of a child.
pub(super) fn child_start() {
    let limit = if mpm::is_asynchronous() { mpm::threads() / 4 } else { 0 };
    LIMIT.store(limit, Ordering::Relaxed);
}

/// A thread is busy until this is dropped.
pub(super) struct Busy(());

impl Busy {
    fn begin() -> Self {
        BUSY.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Begins to handle a request.
pub(super) fn begin(request: Request<'_>) -> Busy {
    HANDLED.set(request.connection_address());
    Busy::begin()
}

/// Waits for the next request when httpd has done with one: its response was sent and it was
/// logged. Where that is another thread than the one that handled it, the client was slow.
pub(crate) struct Stay;

impl RequestHook for Stay {
    const NAME: &'static str = "log_transaction";

    fn run(request: Request<'_>) -> Status {
        let is_ours = HANDLED.take() == request.connection_address();
        if is_ours && LIMIT.load(Ordering::Relaxed) > 0 && request.may_be_followed() {
            stay(request);
        }
        Status::Declined
    }
}

fn stay(request: Request<'_>) {
    let Some(pace) = request.pace() else { return };
    let limit = LIMIT.load(Ordering::Relaxed);
    let manner = if Pace::count() <= limit { FEW } else { MANY };
    let now = clock::since_epoch();
    let pause = request.start_time().saturating_sub(pace.answered.get());
    let was_quick = u128::try_from(pause).is_ok_and(|pause| pause < manner.longest.as_micros());
    let may_stay = was_quick
        && pace.in_a_row.get() < manner.in_a_row
        && BUSY.load(Ordering::Relaxed) < limit.min(manner.most);
    let has_stayed = may_stay && {
        let _busy = Busy::begin();
        request.await_successor(manner.longest)
    };
    pace.in_a_row.set(if has_stayed { pace.in_a_row.get().saturating_add(1) } else { 0 });
    pace.answered.set(now);
}
