//! What httpd's children run embedded: nothing of the supervisor's, which only tells operators.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use wsgi_core::{control::EmbeddedSpec, status::inquiry::GroupReport};
use wsgi_ipc::scoreboard::{Children, Size};

/// The memory that httpd's children write.
#[derive(Debug)]
pub(crate) struct Embedded {
    children: Children,
    spec: EmbeddedSpec,
}

impl Embedded {
    /// Maps what httpd's parent has passed.
    pub(crate) fn open(spec: EmbeddedSpec, descriptors: &[OwnedFd]) -> io::Result<Self> {
        let memory = descriptors.first().ok_or(io::ErrorKind::InvalidInput)?;
        let size = Size { children: spec.children, places: spec.places };
        Ok(Self { children: Children::reader(memory.as_fd(), size)?, spec })
    }

    /// What is seen of it, once something has run.
    pub(crate) fn report(&self) -> Option<GroupReport> {
        self.children.report(self.spec.processes, self.spec.threads)
    }
}
