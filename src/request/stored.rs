//! A request body that httpd has read before the application runs: in memory, or in a temporary file
//! without a name.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use wsgi_core::{directives::RequestBuffering, level::Level};
use wsgi_ipc::temporary::TemporaryFile;

use super::{Failure, subject};
use crate::apache::{
    Request,
    body::{Body, Read, ReadError},
    temporary,
};

/// Bytes read from the client at a time; a body of this size that is there already is read without
/// a file or a further call, whatever may be kept in memory.
const WINDOW: usize = 64 << 10;

/// A whole request body.
pub(crate) struct Stored {
    memory: Vec<u8>,
    /// Where the body is if it is not in memory.
    file: Option<TemporaryFile>,
    length: u64,
}

impl Stored {
    /// The body of a request that has none.
    pub(crate) fn empty() -> Self {
        Self { memory: Vec::new(), file: None, length: 0 }
    }

    /// Reads the body to its end. What the client does wrong meanwhile, or the disk, is the end of
    /// the request.
    pub(crate) fn read(
        request: Request<'_>,
        mut body: Body<'_>,
        memory: u64,
    ) -> Result<Self, Failure> {
        let mut stored = Self::empty();
        let mut buffer = vec![0; WINDOW];
        // A client that waits for `100 Continue` has sent nothing yet.
        let mut waits = request.expects_continue();
        loop {
            match body.read(&mut buffer, waits) {
                Ok(Read::Data(length)) => {
                    let block = buffer.get(..length).unwrap_or_default();
                    stored.push(block, memory).map_err(|why| no_room(request, &why))?;
                }
                Ok(Read::End) => break,
                // Everything that was there is read.
                Ok(Read::NotYet) => waits = true,
                Err(error) => return Err(unreadable(request, error)),
            }
        }
        Ok(stored)
    }

    fn push(&mut self, block: &[u8], memory: u64) -> io::Result<()> {
        let offset = self.length;
        self.length += block.len() as u64;
        if let Some(file) = &self.file {
            return file.write_at(block, offset);
        }
        if self.length <= memory {
            self.memory.extend_from_slice(block);
            return Ok(());
        }
        let file = self.file.insert(temporary::create()?);
        file.write_at(&std::mem::take(&mut self.memory), 0)?;
        file.write_at(block, offset)
    }

    /// Bytes of the body.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The body if it is in memory.
    pub(crate) fn in_memory(&self) -> Option<&[u8]> {
        if self.file.is_none() { Some(&self.memory) } else { None }
    }

    /// The body's file, if it is in one.
    pub(crate) fn file(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(TemporaryFile::as_fd)
    }

    /// Makes the body ready to be passed on: in memory up to `limit` bytes, else in a file.
    pub(crate) fn sort(&mut self, limit: usize) -> io::Result<()> {
        let is_small = self.length <= limit as u64;
        match &self.file {
            Some(file) if is_small => {
                let mut memory = vec![0; usize::try_from(self.length).unwrap_or(limit)];
                let read = file.read_at(&mut memory, 0)?;
                if read < memory.len() {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                (self.memory, self.file) = (memory, None);
            }
            None if !is_small => {
                let file = TemporaryFile::in_memory()?;
                file.write_at(&std::mem::take(&mut self.memory), 0)?;
                self.file = Some(file);
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads what is there from `position` on; 0 at the end.
    pub(crate) fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        if let Some(file) = &self.file {
            return file.read_at(buffer, position);
        }
        let start = usize::try_from(position).unwrap_or(usize::MAX);
        let rest = self.memory.get(start..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Ok(count)
    }
}

/// How a body is to be read, in bytes of memory; `None`: by the application, from the client.
pub(crate) fn memory_of(buffering: RequestBuffering) -> Option<u64> {
    match buffering {
        RequestBuffering::Off => None,
        RequestBuffering::Memory(bytes) => Some(bytes),
    }
}

/// The body cannot be kept.
pub(crate) fn no_room(request: Request<'_>, why: &io::Error) -> Failure {
    request.close_connection_after();
    let text = format!("Unable to keep the request body: {why}: {}", subject(request));
    Failure::new(507, 1031, text)
}

/// The client's fault: it stalls, sends too much or nonsense, or goes away.
fn unreadable(request: Request<'_>, error: ReadError) -> Failure {
    request.close_connection_after();
    let subject = subject(request);
    match error.http_status() {
        408 => {
            let text = format!("Timeout when reading the request body from the client: {subject}");
            Failure::new(408, 126, text)
        }
        413 => {
            let text = format!("Request body larger than the configured limit: {subject}");
            Failure::new(413, 1006, text)
        }
        // Nobody is there to be answered, and it is no fault of this server.
        status => {
            let text = format!("The request body did not arrive: {}: {subject}", error.reason());
            let status = if status == 500 { 400 } else { status };
            let failure = Failure::new(status, 1007, text).at(Level::DEBUG);
            if error.is_answered() { failure.answered() } else { failure }
        }
    }
}
