//! A request body that httpd has read to its end: it can be read in any order.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use wsgi_ipc::temporary;

/// The whole body.
#[derive(Debug)]
pub(crate) enum Stored<'a> {
    /// It came with the request.
    Received(&'a [u8]),
    /// It was received then.
    Memory(Vec<u8>),
    /// It waits in a file.
    File(OwnedFd),
}

impl Stored<'_> {
    /// Reads what is there from `position` on; 0 at the end.
    pub(crate) fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let bytes = match self {
            Self::Received(bytes) => bytes,
            Self::Memory(bytes) => bytes.as_slice(),
            Self::File(file) => return temporary::read_at(file.as_fd(), buffer, position),
        };
        let start = usize::try_from(position).unwrap_or(usize::MAX);
        let rest = bytes.get(start..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Ok(count)
    }
}
