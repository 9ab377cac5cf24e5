//! Opening files for somebody who may name only those below certain directories.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// A regular file, open for reading.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub file: OwnedFd,
    /// Its size in bytes.
    pub size: u64,
}

/// Why a file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not there.
    #[error("no such file")]
    Missing,
    /// It is in none of the directories once symbolic links are followed.
    #[error("it is outside of the directories")]
    Outside,
    /// It is a directory, a pipe or the like.
    #[error("it is no regular file")]
    NotRegular,
    /// It cannot be opened.
    #[error("{0}")]
    Failed(io::Error),
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT | Errno::NOTDIR => Self::Missing,
            error => Self::Failed(error.into()),
        }
    }
}

/// Opens the file at an absolute path if it is below one of `roots`, wherever symbolic links lead,
/// with the rights of this process. Nothing but a regular file inside is ever opened for reading:
/// opening others can have effects.
pub fn open(roots: &[&[u8]], path: &[u8]) -> Result<Opened, Refusal> {
    if !path.starts_with(b"/") {
        return Err(Refusal::Outside);
    }
    let place = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let Some(found) = name_of(&place) else { return open_without_names(roots, path) };
    let is_inside = roots.iter().any(|root| {
        let root = rustix::fs::open(*root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let root = root.ok().and_then(|root| name_of(&root));
        root.is_some_and(|root| found != root && found.starts_with(&root))
    });
    if !is_inside {
        return Err(Refusal::Outside);
    }
    regular_size(&place)?;
    opened(rustix::fs::open(link_to(&place), READ, Mode::empty())?)
}

const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// The same where there is no /proc to tell where a path has led (`chroot=`): symbolic links that
/// leave the directory, or are absolute, lead outside.
fn open_without_names(roots: &[&[u8]], path: &[u8]) -> Result<Opened, Refusal> {
    let path = Path::new(OsStr::from_bytes(path));
    for root in roots {
        let root = Path::new(OsStr::from_bytes(root));
        let Ok(below) = path.strip_prefix(root) else { continue };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, root, flags, Mode::empty())?;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let place = match rustix::fs::openat2(&folder, below, flags, Mode::empty(), resolve) {
            Err(Errno::XDEV) => return Err(Refusal::Outside),
            place => place?,
        };
        regular_size(&place)?;
        return opened(rustix::fs::openat2(&folder, below, READ, Mode::empty(), resolve)?);
    }
    Err(Refusal::Outside)
}

fn opened(file: OwnedFd) -> Result<Opened, Refusal> {
    let size = regular_size(&file)?;
    Ok(Opened { file, size })
}

fn regular_size(file: &OwnedFd) -> Result<u64, Refusal> {
    let stat = rustix::fs::fstat(file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(u64::try_from(stat.st_size).unwrap_or_default()),
        _ => Err(Refusal::NotRegular),
    }
}

fn link_to(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Where a descriptor has led.
fn name_of(file: &OwnedFd) -> Option<PathBuf> {
    let name = rustix::fs::readlink(link_to(file), Vec::new()).ok()?;
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// Both ways to open, which must agree but for absolute links.
    type Open = fn(&[&[u8]], &[u8]) -> Result<Opened, Refusal>;

    fn check(open: Open, follows_absolute: bool) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [("in/file", "inside"), ("out/secret", "no"), ("inside-out", "no")] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), text).unwrap();
        }
        fs::create_dir(at("in/folder")).unwrap();
        symlink("file", at("in/relative")).unwrap();
        symlink(at("in/file"), at("in/absolute")).unwrap();
        symlink("../out/secret", at("in/leads-out")).unwrap();
        symlink("../out", at("in/folder-out")).unwrap();
        rustix::fs::mknodat(CWD, at("in/pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let root = at("in");
        let open = |name: &str| {
            let path = at(name);
            open(&[b"/nonexistent", root.as_os_str().as_bytes()], path.as_os_str().as_bytes())
        };
        assert_eq!(open("in/file").unwrap().size, 6);
        assert_eq!(open("in/relative").unwrap().size, 6);
        assert_eq!(open("in/absolute").is_ok(), follows_absolute);
        for name in ["out/secret", "in/leads-out", "in/folder-out/secret", "in/../out/secret"] {
            assert!(matches!(open(name), Err(Refusal::Outside)), "{name}: {:?}", open(name));
        }
        assert!(open("inside-out").is_err());
        for name in ["in/folder", "in/pipe"] {
            assert!(matches!(open(name), Err(Refusal::NotRegular)), "{name}");
        }
        assert!(matches!(open("in/missing"), Err(Refusal::Missing)));
        assert!(matches!(open("in/file/below"), Err(Refusal::Missing)));
    }

    #[test]
    fn only_regular_files_inside_are_opened() {
        check(open, true);
        check(open_without_names, false);
        assert!(matches!(open(&[b"/"], b"etc/passwd"), Err(Refusal::Outside)));
    }
}
