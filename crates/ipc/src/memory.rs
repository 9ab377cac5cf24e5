//! Shared memory: sealed memfds and mappings of them, seen as atomic words only.
//!
//! Other processes may write to a mapping at any moment, so no reference to plain data in it is
//! ever made: every access is an atomic load or store of one word, checked against the length.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::AtomicU64,
};

use wsgi_core::activity::Activity;

use rustix::{
    fs::{MemfdFlags, Mode, SealFlags},
    mm::{MapFlags, ProtFlags},
};

/// Bytes of one word.
const WORD: usize = 8;

/// Makes a memfd of `words` zero words whose size is sealed: nobody can shorten it under a
/// mapping, which would kill whoever reads there with SIGBUS.
pub(crate) fn create(name: &str, words: usize, mode: u32) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = rustix::fs::memfd_create(name, flags)?;
    let bytes = words.checked_mul(WORD).ok_or(io::ErrorKind::InvalidInput)?;
    rustix::fs::ftruncate(&memory, bytes as u64)?;
    rustix::fs::fchmod(&memory, Mode::from_raw_mode(mode))?;
    rustix::fs::fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(memory)
}

/// How a mapping may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Loads and stores.
    ReadWrite,
    /// Relaxed loads only (other atomic accesses are undefined on read-only memory); writing
    /// through it is a fault.
    ReadOnly,
}

/// A shared mapping; unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: a mapping belongs to the address space, not to a thread, and is reached only through
// atomic words.
unsafe impl Send for Mapping {}
// SAFETY: as for Send; AtomicU64 is Sync.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `words` words of `memory`, which must have that size at least and be sealed
    /// against shrinking.
    pub(crate) fn map(memory: BorrowedFd<'_>, words: usize, access: Access) -> io::Result<Self> {
        let length = words.checked_mul(WORD).filter(|length| *length > 0);
        let length = length.ok_or(io::ErrorKind::InvalidInput)?;
        let size = rustix::fs::fstat(memory)?.st_size;
        if usize::try_from(size).unwrap_or(0) < length {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "shared memory too small"));
        }
        if !rustix::fs::fcntl_get_seals(memory)?.contains(SealFlags::SHRINK) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "shared memory not sealed"));
        }
        let protection = match access {
            Access::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
            Access::ReadOnly => ProtFlags::READ,
        };
        // SAFETY: a null hint lets the kernel choose a free range, so no existing mapping is
        // replaced.
        let base = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                length,
                protection,
                MapFlags::SHARED,
                memory.as_fd(),
                0,
            )
        }?;
        let base = NonNull::new(base.cast::<AtomicU64>());
        let base = base.ok_or_else(|| io::Error::other("mapped at address zero"))?;
        Ok(Self { base, words })
    }

    /// The word at `index`, or `None` beyond the end.
    pub(crate) fn word(&self, index: usize) -> Option<&AtomicU64> {
        if index >= self.words {
            return None;
        }
        // SAFETY: `map` checked that the memory has `words` words and can never shrink, the base
        // is page aligned, and `index` is below `words`.
        let word = unsafe { self.base.add(index) };
        // SAFETY: the word is mapped as long as `self` lives; any bytes are a valid AtomicU64.
        Some(unsafe { word.as_ref() })
    }
}

impl Mapping {
    /// So many words from `start` on, or `None` when some of them are beyond the end.
    pub(crate) fn words(&self, start: usize, count: usize) -> Option<&[AtomicU64]> {
        if start.checked_add(count).is_none_or(|end| end > self.words) {
            return None;
        }
        // SAFETY: as in `word`.
        let first = unsafe { self.base.add(start) };
        // SAFETY: as in `word`, for all of them: they end before the mapping does. Atomic words may
        // be written by others while there is a reference to them.
        Some(unsafe { std::slice::from_raw_parts(first.as_ptr(), count) })
    }

    /// What a thread is doing, kept from word `start` on.
    pub(crate) fn activity(&self, start: usize) -> Option<&Activity> {
        let words = self.words(start, size_of::<Activity>().div_ceil(WORD))?;
        // SAFETY: enough words, aligned as the type's words are. It consists of atomics, for which any bytes are
        // valid and which others may write meanwhile; who maps memory to read it only loads.
        Some(unsafe { &*words.as_ptr().cast::<Activity>() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `map` made this mapping with this length, and the references given out by
        // `word` ended with the borrow of `self`. Failing would only leave it mapped.
        unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.words * WORD) }.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn what_one_mapping_stores_another_loads_within_bounds() {
        let memory = create("test", 4, 0o600).unwrap();
        let writer = Mapping::map(memory.as_fd(), 4, Access::ReadWrite).unwrap();
        let reader = Mapping::map(memory.as_fd(), 4, Access::ReadOnly).unwrap();
        writer.word(3).unwrap().store(7, Ordering::Relaxed);
        assert_eq!(reader.word(3).unwrap().load(Ordering::Relaxed), 7);
        assert!(writer.word(4).is_none());
        assert_eq!(reader.words(2, 2).unwrap()[1].load(Ordering::Relaxed), 7);
        assert!(reader.words(2, 3).is_none() && reader.words(usize::MAX, 2).is_none());
    }

    #[test]
    fn memory_that_could_shrink_or_is_too_small_is_not_mapped() {
        let memory = create("test", 4, 0o600).unwrap();
        assert!(Mapping::map(memory.as_fd(), 5, Access::ReadOnly).is_err());
        assert!(Mapping::map(memory.as_fd(), 0, Access::ReadOnly).is_err());
        assert!(rustix::fs::ftruncate(&memory, 0).is_err());
        let unsealed = rustix::fs::memfd_create("open", MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&unsealed, 4096).unwrap();
        assert!(Mapping::map(unsealed.as_fd(), 4, Access::ReadOnly).is_err());
    }
}
