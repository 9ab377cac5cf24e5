//! What httpd's children run embedded, for those who look on: memory that is made once and kept
//! for the life of the parent, so that counts go on when httpd is restarted gracefully.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::OnceLock,
};

use wsgi_core::{
    activity::Activity,
    control::EmbeddedSpec,
    status::{inquiry::GroupReport, times::Totals},
};
use wsgi_ipc::{
    clock,
    scoreboard::{Children, Place, Size, Subject},
};

use crate::apache::{mpm, process};

/// Requests at a time for each thread that httpd may have in a child: mod_http2 has threads of its
/// own.
const PLACES: u32 = 2;

/// The memory, in httpd's parent.
pub(super) struct BoardMemory {
    memory: OwnedFd,
    size: Size,
}

impl BoardMemory {
    /// Made for as many children and threads as the scoreboard has places for, which no restart
    /// changes.
    pub(super) fn create() -> io::Result<Self> {
        let (children, threads) = mpm::limits();
        let [children, threads] = [children, threads].map(|limit| limit.max(1).cast_unsigned());
        let size = Size { children, places: threads.saturating_mul(PLACES) };
        Ok(Self { memory: Children::create(size)?, size })
    }

    /// For the supervisor.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    /// What it is told about it.
    pub(super) fn spec(&self) -> EmbeddedSpec {
        let Size { children, places } = self.size;
        EmbeddedSpec { children, places, processes: mpm::children(), threads: mpm::threads() }
    }

    /// As a configuration sees it.
    pub(super) fn board(&self) -> io::Result<Board> {
        Ok(Board {
            children: Children::writer(self.memory.as_fd(), self.size)?,
            spec: self.spec(),
            own: OnceLock::new(),
            started: OnceLock::new(),
        })
    }
}

/// What is seen of embedded requests.
pub(crate) struct Board {
    children: Children,
    spec: EmbeddedSpec,
    /// The part of this child, once it has run a request.
    own: OnceLock<Option<u32>>,
    /// When this child has started, µs since the epoch.
    started: OnceLock<u64>,
}

impl Board {
    /// This process is a child that has just started.
    pub(crate) fn child_start(&self) {
        self.started.set(clock::since_epoch().cast_unsigned()).ok();
    }

    /// This process ends.
    pub(crate) fn child_end(&self) {
        if let Some(Some(own)) = self.own.get() {
            self.children.release(*own, process::own_pid());
        }
    }

    /// A request begins in the thread with this number, from 1. Where there is no room, nobody
    /// sees it.
    pub(crate) fn begin(&self, thread: u32, subject: Subject<'_>) -> Option<Running<'_>> {
        let started = self.started.get().copied().unwrap_or_default();
        let claim = || self.children.claim(process::own_pid(), started);
        let own = (*self.own.get_or_init(claim))?;
        let place = self.children.begin(own, thread.saturating_sub(1), subject)?;
        Some(Running { children: &self.children, place, status: 0 })
    }

    /// The children as a group; `None` as long as nothing has run embedded.
    pub(crate) fn report(&self) -> Option<GroupReport> {
        self.children.report(self.spec.processes, self.spec.threads)
    }

    /// What requests have come to.
    pub(crate) fn totals(&self) -> Totals {
        self.children.totals()
    }
}

/// An embedded request in progress.
pub(crate) struct Running<'b> {
    children: &'b Children,
    place: Place<'b>,
    /// The status of its response; 0 is none.
    pub(crate) status: u16,
}

impl<'b> Running<'b> {
    /// Where it says what it does.
    pub(crate) fn activity(&self) -> &'b Activity {
        self.place.activity
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.children.end(self.place, self.status);
    }
}
