//! A group that is no longer configured: httpd's old children may still have requests for it. Its
//! processes go on until nobody comes any more.

use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

use wsgi_core::timers::unless_zero;
use wsgi_ipc::{scoreboard::GroupState, socket};

use super::Group;

/// How often to look whether somebody still comes.
const LOOK: Duration = Duration::from_millis(250);

/// So many looks in a row must find nothing.
const LOOKS: u32 = 4;

/// A group that waits for its last requests.
#[derive(Debug)]
pub(super) struct Linger {
    next: Instant,
    end: Option<Instant>,
    looks: u32,
}

impl Linger {
    /// When to look again.
    pub(super) fn deadline(&self) -> Instant {
        self.next
    }
}

impl Group {
    /// The group is no longer configured: it ends when nobody needs it, or after
    /// `graceful-timeout`.
    pub(crate) fn end_when_idle(&mut self, now: Instant) {
        if self.linger.is_none() && !self.is_ending {
            let end = unless_zero(self.spec.graceful_timeout).map(|limit| now + limit);
            self.linger = Some(Linger { next: now + LOOK, end, looks: 0 });
        }
    }

    pub(super) fn end_if_idle(&mut self, now: Instant) {
        if self.linger.as_ref().is_none_or(|linger| now < linger.next) {
            return;
        }
        let is_needed = self.is_needed();
        let Some(linger) = self.linger.as_mut() else { return };
        linger.next = now + LOOK;
        linger.looks = if is_needed { 0 } else { linger.looks + 1 };
        if linger.looks >= LOOKS || linger.end.is_some_and(|end| now >= end) {
            self.linger = None;
            let state = GroupState::Failing("it is no longer configured".to_owned());
            self.boards.table.set_group(&state);
            self.end(false, now);
        }
    }

    /// Whether a request runs or waits to be taken.
    fn is_needed(&self) -> bool {
        let mut blocks = self.members.iter().map(|member| member.block());
        blocks.any(|block| self.boards.slots.any_active(block.first, block.count))
            || socket::poll_readable(self.listener.as_fd(), 0).unwrap_or(false)
    }
}
