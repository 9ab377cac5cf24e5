//! Waiting for a daemon that says nothing: does anybody still work on the request?

use std::time::Instant;

use super::{
    conversation::Errand,
    fate::{self, Fate},
};
use crate::request::Failure;

/// What is known of the daemon's work on a request.
pub(super) struct Watch {
    /// When the daemon was last heard of.
    heard: Instant,
    /// Whether a frame has told that a process has begun the request. A slot forgets it when it
    /// is used again, which may happen while this side waits for its client.
    is_begun: bool,
}

/// Why waiting has no sense any more.
pub(super) enum Trouble {
    /// httpd is stopped or restarted at once, and waits for this thread.
    Stopping,
    /// The process is gone, or as good as gone, in these words.
    Dead(String),
    /// No process has started the request, and none will.
    Failed(Failure),
}

impl Watch {
    /// Nothing was heard yet.
    pub(super) fn new() -> Self {
        Self { heard: Instant::now(), is_begun: false }
    }

    /// A process has begun the request.
    pub(super) fn note_begun(&mut self) {
        self.is_begun = true;
    }

    /// Whether a process is known to have begun the request.
    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// The daemon's silence begins: what the client took before, to send its body or to take ours,
    /// does not count.
    pub(super) fn begin(&mut self) {
        self.heard = Instant::now();
    }

    /// A while has passed in silence.
    pub(super) fn look(&self, errand: Errand<'_, '_>, has_response: bool) -> Option<Trouble> {
        let Errand { job, group, link, request_id, start } = errand;
        if job.request.is_abandoned() {
            return Some(Trouble::Stopping);
        }
        match fate::of(link, request_id) {
            Fate::Dead(how) => return Some(Trouble::Dead(how)),
            Fate::Running => {}
            // Its slot was used again; the end of file or socket-timeout tells the rest.
            Fate::Queued if self.is_begun => {}
            Fate::Queued => {
                if let Some(failure) = fate::failing(job, group, link) {
                    return Some(Trouble::Failed(failure));
                }
                let limit = group.definition.queue_timeout;
                if limit.is_some_and(|limit| start.elapsed() > limit) {
                    return Some(Trouble::Failed(fate::queue_timed_out(job, group)));
                }
            }
        }
        let is_late = self.heard.elapsed() > group.definition.socket_timeout;
        is_late.then(|| {
            if has_response {
                Trouble::Dead("nothing was heard within socket-timeout".into())
            } else {
                Trouble::Failed(fate::timed_out(job, group))
            }
        })
    }
}
