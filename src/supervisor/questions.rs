//! How daemons ask httpd's children: two ends that are made once and kept for the life of the
//! parent, so that kept daemons find the children of every generation.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use wsgi_ipc::{questions, socket};

/// Both ends.
#[derive(Clone)]
pub(crate) struct Questions {
    answerers: Arc<OwnedFd>,
    /// The daemons' end; children do not have it.
    askers: Option<Arc<OwnedFd>>,
}

impl Questions {
    pub(super) fn new() -> io::Result<Self> {
        let (answerers, askers) = socket::pair()?;
        Ok(Self { answerers: Arc::new(answerers), askers: Some(Arc::new(askers)) })
    }

    /// The end for daemons.
    pub(super) fn askers(&self) -> Option<BorrowedFd<'_>> {
        self.askers.as_ref().map(AsFd::as_fd)
    }

    /// Lets go of the end for daemons.
    pub(super) fn leave_asking(&mut self) {
        self.askers = None;
    }

    /// Waits for a question and answers it; false when no other one can come.
    pub(crate) fn answer(&self, make: impl FnOnce() -> Option<Vec<u8>>) -> bool {
        questions::answer(self.answerers.as_fd(), make)
    }
}
