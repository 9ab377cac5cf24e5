//! Files without a name, for what does not fit in memory: gone when nobody holds them any more.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::{
    fs::{MemfdFlags, Mode, OFlags},
    io::Errno,
};

/// Nobody but the user of the process.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// How often another name is tried where files need one.
const ATTEMPTS: u32 = 100;

/// A file that only its holders can reach.
#[derive(Debug)]
pub struct TemporaryFile(OwnedFd);

impl TemporaryFile {
    /// A file in this folder.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(folder, flags, MODE) {
            // What file systems say that have no such files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Self::create_named(folder),
            file => Ok(Self(file?)),
        }
    }

    /// The same with a name for a moment.
    fn create_named(folder: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        for _ in 0..ATTEMPTS {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!(".wsgi-{}-{number}", std::process::id());
            let path = folder.join(name);
            match rustix::fs::open(&path, flags, MODE) {
                Err(Errno::EXIST) => {}
                file => {
                    let file = Self(file?);
                    rustix::fs::unlink(&path)?;
                    return Ok(file);
                }
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }

    /// A file that is memory: for what is to be passed on as a descriptor.
    pub fn in_memory() -> io::Result<Self> {
        Ok(Self(rustix::fs::memfd_create("wsgi-body", MemfdFlags::CLOEXEC)?))
    }

    /// Writes all bytes from `offset` on.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (mut rest, mut offset) = (bytes, offset);
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::pwrite(&self.0, rest, offset))?;
            if written == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero));
            }
            rest = rest.get(written..).unwrap_or_default();
            offset += written as u64;
        }
        Ok(())
    }

    /// Reads what is there from `offset` on, at most `buffer.len()` bytes; 0 at the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(self.0.as_fd(), buffer, offset)
    }

    /// Gives back the room that the content takes.
    pub fn clear(&self) -> io::Result<()> {
        Ok(rustix::fs::ftruncate(&self.0, 0)?)
    }
}

impl AsFd for TemporaryFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads what is there of a regular file from `offset` on, whatever its own position is.
pub fn read_at(file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut *buffer, offset))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &TemporaryFile) {
        file.write_at(b"hello world", 0).unwrap();
        file.write_at(b"W", 6).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(file.read_at(&mut buffer, 6).unwrap(), 5);
        assert_eq!(&buffer[..5], b"World");
        file.clear().unwrap();
        assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 0);
    }

    #[test]
    fn a_file_has_no_name_and_belongs_to_its_user() {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            TemporaryFile::create(folder.path()).unwrap(),
            TemporaryFile::create_named(folder.path()).unwrap(),
        ] {
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            let mode = rustix::fs::fstat(file.as_fd()).unwrap().st_mode & 0o777;
            assert_eq!(mode & !0o600, 0);
            check(&file);
        }
        check(&TemporaryFile::in_memory().unwrap());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let error = TemporaryFile::create(Path::new("/nonexistent/folder")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
