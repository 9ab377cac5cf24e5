//! Bytes on their way, in order: in memory as long as they are few, then in a temporary file.

use std::io;

use super::Limits;
use crate::temporary::TemporaryFile;

/// A queue of bytes.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    /// What came first.
    memory: Queue,
    /// What came then.
    file: Option<TemporaryFile>,
    read: u64,
    written: u64,
    /// What the file could not take.
    rest: Queue,
}

/// Bytes in memory.
#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    start: usize,
}

impl Queue {
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn push(&mut self, bytes: &[u8]) {
        // A queue that is never quite empty would keep everything that was ever in it. What is moved
        // is less than what was taken.
        if self.start >= self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let ready = self.bytes.get(self.start..).unwrap_or_default();
        let count = ready.len().min(buffer.len());
        buffer.iter_mut().zip(ready).for_each(|(to, from)| *to = *from);
        self.start += count;
        count
    }
}

impl Store {
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        let memory = Queue::default();
        Self { limits, memory, file: None, read: 0, written: 0, rest: Queue::default() }
    }

    /// Adds bytes. An error says that the file cannot take them: they are kept all the same, and
    /// the store is full.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fits = self.memory.len() + bytes.len() <= self.limits.memory;
        if fits && self.read == self.written {
            self.memory.push(bytes);
            return Ok(());
        }
        let pushed = self.push_to_file(bytes);
        if pushed.is_err() {
            self.rest.push(bytes);
        }
        pushed
    }

    fn push_to_file(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert((self.limits.make_file)()?),
        };
        file.write_at(bytes, self.written)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Whether nothing may be added before everything was taken.
    pub fn is_full(&self) -> bool {
        self.rest.len() > 0 || self.written >= self.limits.file
    }

    /// Whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.memory.len() == 0 && self.read == self.written && self.rest.len() == 0
    }

    /// Takes the first bytes, as many as there are and fit; 0 when there are none.
    pub fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.memory.len() > 0 {
            return Ok(self.memory.take(buffer));
        }
        if self.read < self.written {
            let file = self.file.as_ref().ok_or(io::ErrorKind::UnexpectedEof)?;
            // A write that failed may have left something behind what counts.
            let rest = usize::try_from(self.written - self.read).unwrap_or(usize::MAX);
            let length = rest.min(buffer.len());
            let count = file.read_at(buffer.get_mut(..length).unwrap_or_default(), self.read)?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            self.read += count as u64;
            return Ok(count);
        }
        Ok(self.rest.take(buffer))
    }

    /// Everything was taken: the file is used from its beginning again.
    pub fn reset(&mut self) {
        if self.written > 0 {
            (self.read, self.written) = (0, 0);
            if self.file.as_ref().is_some_and(|file| file.clear().is_err()) {
                self.file = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> io::Result<TemporaryFile> {
        TemporaryFile::in_memory()
    }

    fn no_file() -> io::Result<TemporaryFile> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn drain(store: &mut Store) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 7]);
        loop {
            match store.take(&mut buffer).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn bytes_come_out_in_order_whichever_way_they_went() {
        let mut store = Store::new(Limits { memory: 10, file: 1000, make_file: file });
        let mut expected = Vec::new();
        for round in 0u8..5 {
            for length in [4, 5, 6, 30, 3] {
                let block = vec![round * 10 + length; length.into()];
                store.push(&block).unwrap();
                expected.extend_from_slice(&block);
            }
            let mut some = [0; 11];
            let count = store.take(&mut some).unwrap();
            assert_eq!(expected.drain(..count).collect::<Vec<_>>(), &some[..count]);
        }
        assert_eq!(drain(&mut store), expected);
        assert!(store.is_empty() && !store.is_full());
    }

    #[test]
    fn a_queue_that_is_never_empty_does_not_keep_what_was_taken() {
        let mut store = Store::new(Limits { memory: 1000, file: 0, make_file: no_file });
        store.push(&[0; 300]).unwrap();
        for _ in 0..1000 {
            store.push(&[0; 200]).unwrap();
            assert_eq!(store.take(&mut [0; 200]).unwrap(), 200);
        }
        let kept = store.memory.bytes.capacity();
        assert!(kept < 4000, "{kept} bytes for 300");
    }

    #[test]
    fn a_file_has_its_limit_until_all_was_taken() {
        let mut store = Store::new(Limits { memory: 0, file: 8, make_file: file });
        store.push(b"0123").unwrap();
        assert!(!store.is_full());
        store.push(b"456789").unwrap();
        assert!(store.is_full());
        assert_eq!(drain(&mut store), b"0123456789");
        store.reset();
        assert!(!store.is_full());
    }

    #[test]
    fn what_a_failed_write_has_left_is_not_read() {
        let mut store = Store::new(Limits { memory: 0, file: 1000, make_file: file });
        store.push(b"0123").unwrap();
        store.file.as_ref().unwrap().write_at(b"left behind", 4).unwrap();
        store.rest.push(b"45");
        assert_eq!(drain(&mut store), b"012345");
    }

    #[test]
    fn what_no_file_takes_is_not_lost() {
        let mut store = Store::new(Limits { memory: 4, file: 1000, make_file: no_file });
        store.push(b"0123").unwrap();
        assert_eq!(store.push(b"45").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(store.is_full());
        assert_eq!(drain(&mut store), b"012345");
        assert!(!store.is_full());
    }
}
