//! The client of the daemons: sends a request to whichever process takes it, relays what comes
//! back, and tries again as long as nobody has started it.
//!
//! * `conversation`: one attempt, from connecting to the last frame.
//! * `delivery`: the response on its way to the client.
//! * `feed`: the bytes of a connection, or what was taken over from it while the client was slow.
//! * `frames`: frames out of the bytes of a connection.
//! * `upload`: the request body on its way to the daemon.
//! * `watch`, `fate`: what has become of a request that nobody answers.
//!
//! Invariant: a request is sent again only when it is certain that no process has started it
//! (REQUEUE, or end of file while no slot knows it).

mod conversation;
mod delivery;
mod fate;
mod feed;
mod frames;
mod upload;
mod watch;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use conversation::{Conversation, Errand, Verdict};
use upload::Upload;
use wsgi_ipc::clock;

use crate::{
    apache::{hook::Status, process},
    request::{Failure, Job, Responder, Transfer, encode_head, memory_of},
    resolved::Group,
    supervisor::{Connection, Link},
};

/// Attempts without a pause between them: a group being replaced refuses a few times at most.
const EAGER_ATTEMPTS: u32 = 50;

/// Pause between later attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Sends a request to the group and relays its answer.
pub(crate) fn relay(job: &Job<'_>, group: &Group, link: &Link) -> Result<Status, Failure> {
    let responder =
        Responder::new(job.request, job.choice.error_override, job.choice.enable_sendfile)
            .ok_or_else(|| Failure::internal("no output brigade"))?;
    // First: a slow upload is no part of the time in the queue.
    let buffering = job.choice.request_buffering.unwrap_or(group.definition.bodies.request);
    let mut upload = Upload::open(job, memory_of(buffering))?;
    let request_id = next_request_id();
    let transfer = Transfer { request_id, queue_start: clock::since_epoch() };
    let head = encode_head(job, upload.length(), transfer);
    let start = Instant::now();
    let errand = Errand { job, group, link, request_id, start };
    let mut responder = Some(responder);
    for attempt in 0u32.. {
        let Some(current) = responder.take() else { break };
        let connection = connection(errand, attempt == 0)?;
        let conversation = Conversation::new(errand, connection, current);
        match conversation.run(&head, attempt, &mut upload)? {
            Verdict::Answered(status) => return Ok(status),
            Verdict::NotStarted(unused) => responder = Some(unused),
        }
        if start.elapsed() > patience(group) {
            break;
        }
        if attempt > EAGER_ATTEMPTS {
            thread::sleep(PAUSE);
        }
    }
    Err(fate::nobody_takes_it(job, group))
}

/// A kept connection for the first attempt, if there is one, otherwise a new one.
fn connection(errand: Errand<'_, '_>, is_first: bool) -> Result<Connection, Failure> {
    let Errand { job, group, link, start, .. } = errand;
    if is_first && let Some(kept) = link.take_kept() {
        return Ok(kept);
    }
    let elapsed = if is_first { Duration::ZERO } else { start.elapsed() };
    let limit = group.definition.connect_timeout.saturating_sub(elapsed);
    link.connect(limit, is_first).map_err(|error| fate::cannot_connect(job, group, &error))
}

/// How long a request may be turned away again and again.
fn patience(group: &Group) -> Duration {
    let definition = &group.definition;
    definition.queue_timeout.unwrap_or(definition.socket_timeout).max(definition.connect_timeout)
}

/// A number that no other request of this httpd has had for weeks: the child, and a count that
/// starts at the time of day.
fn next_request_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    const COUNT: u64 = (1 << 42) - 1;
    // A forked child inherits the parent's count only if the parent served requests (-X).
    if NEXT.load(Ordering::Relaxed) == 0 {
        let now = clock::since_epoch().cast_unsigned();
        // Another thread may have been first: then its start stands.
        NEXT.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).ok();
    }
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    (u64::from(process::own_pid()) << 42) | (count & COUNT)
}
