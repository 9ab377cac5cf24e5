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
    body::{Body, Next, ReadError},
    temporary,
};

/// Bytes asked of httpd's filters at a time, and written to a file at a time.
const WINDOW: usize = 64 << 10;

/// What one block of httpd's holds at most as a rule: room for a body whose length nobody knows.
const BLOCK: usize = 8 << 10;

/// A whole request body.
pub(crate) struct Stored {
    /// The body; as long as one is read that goes to a file, what has not been written.
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
        stored.memory.reserve_exact(room_for(body.announced(), memory));
        // A client that waits for `100 Continue` has sent nothing yet.
        let mut waits = request.expects_continue();
        loop {
            match body.next(WINDOW, waits) {
                Ok(Next::Block(block)) => {
                    stored.push(block, memory).map_err(|why| no_room(request, &why))?;
                }
                Ok(Next::End) => break,
                // Everything that was there is read.
                Ok(Next::NotYet) => waits = true,
                Err(error) => return Err(unreadable(request, error)),
            }
        }
        stored.finish().map_err(|why| no_room(request, &why))?;
        Ok(stored)
    }

    fn push(&mut self, block: &[u8], memory: u64) -> io::Result<()> {
        self.length += block.len() as u64;
        self.memory.extend_from_slice(block);
        let is_full = match self.file {
            Some(_) => self.memory.len() >= WINDOW,
            None => self.length > memory,
        };
        if is_full { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(temporary::create()?),
        };
        file.write_at(&self.memory, self.length - self.memory.len() as u64)?;
        self.memory.clear();
        Ok(())
    }

    /// Nothing follows.
    fn finish(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            self.write_out()?;
            self.memory = Vec::new();
        }
        Ok(())
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

/// Bytes to set aside for a body: all of a short one, otherwise what is gathered for its file.
fn room_for(announced: Option<u64>, memory: u64) -> usize {
    let Some(announced) = announced else { return BLOCK };
    let length = usize::try_from(announced).unwrap_or(usize::MAX);
    let is_kept = announced <= memory && length <= WINDOW;
    if is_kept { length } else { WINDOW + BLOCK }
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
