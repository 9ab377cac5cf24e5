//! What the directive table asks the outside: answers from httpd and from the system.

use std::{
    fs,
    io::{self, Read},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::PoisonError,
};

use nix::unistd::{Group, Uid, User};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use wsgi_core::directives::{Account, Facts, FileFacts, ServerId};

use crate::apache::{Server, module::MainState, process, regex::Regex, text::c_string};

/// Most bytes of a text that is read: more than any of them needs.
const LARGEST_TEXT: u64 = 1 << 20;

/// Facts for the lines of one server.
pub(crate) struct HttpdFacts<'c> {
    main: &'c MainState,
    server: Server<'c>,
    /// Where paths begin, if not at httpd's own root directory.
    root: Option<&'c str>,
}

impl<'c> HttpdFacts<'c> {
    /// Facts for lines of `server`.
    pub(crate) fn new(main: &'c MainState, server: Server<'c>) -> Self {
        Self { main, server, root: None }
    }

    /// The same with paths as processes below `root` see them (`chroot=`).
    pub(crate) fn below(self, root: Option<&'c str>) -> Self {
        Self { root, ..self }
    }

    /// Finds a file; links are followed within the root directory.
    fn locate(&self, path: &str) -> io::Result<Located> {
        let Some(root) = self.root else { return Ok(Located::Here(PathBuf::from(path))) };
        let (flags, mode) = (OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let root = rustix::fs::open(root, flags, mode)?;
        let file = rustix::fs::openat2(root, path, flags, mode, ResolveFlags::IN_ROOT)?;
        Ok(Located::Below(file))
    }
}

fn account(user: User) -> Account {
    Account {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        home: user.dir.to_string_lossy().into_owned(),
    }
}

/// A file that was found.
enum Located {
    Here(PathBuf),
    Below(OwnedFd),
}

impl Located {
    /// A path that leads to it from here, as long as `self` lives.
    fn path(&self) -> PathBuf {
        match self {
            Self::Here(path) => path.clone(),
            Self::Below(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
        }
    }
}

/// Whether a POSIX access list has a say beside the permission bits.
fn has_access_list(path: &Path) -> bool {
    let mut nothing: [u8; 0] = [];
    rustix::fs::getxattr(path, c"system.posix_acl_access", &mut nothing).is_ok()
}

/// `stat`.
pub(crate) fn file_facts(path: &Path) -> io::Result<FileFacts> {
    let data = fs::metadata(path)?;
    Ok(FileFacts {
        mode: data.mode() & 0o7777,
        uid: data.uid(),
        gid: data.gid(),
        is_dir: data.is_dir(),
        has_access_list: false,
    })
}

impl Facts for HttpdFacts<'_> {
    fn is_root(&self) -> bool {
        process::is_root()
    }

    fn server_name(&self, server: ServerId) -> Option<String> {
        let name = self.main.server(server)?.hostname()?;
        Some(name.to_string_lossy().into_owned())
    }

    fn server_root_relative(&self, path: &str) -> Option<String> {
        self.server.configuration_pool()?.server_root_relative(&c_string(path))
    }

    fn compile(&self, pattern: &str) -> Result<usize, String> {
        let pool = self.server.configuration_pool().ok_or("no configuration pool")?;
        let regex = Regex::compile(pool, &c_string(pattern)).ok_or("not a valid pattern")?;
        let mut patterns = self.main.patterns.write().unwrap_or_else(PoisonError::into_inner);
        patterns.push(regex);
        Ok(patterns.len() - 1)
    }

    fn user_by_name(&self, name: &str) -> Option<Account> {
        User::from_name(name).ok().flatten().map(account)
    }

    fn user_by_id(&self, uid: u32) -> Option<Account> {
        User::from_uid(Uid::from_raw(uid)).ok().flatten().map(account)
    }

    fn group_by_name(&self, name: &str) -> Option<u32> {
        Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
    }

    fn stat(&self, path: &str) -> io::Result<FileFacts> {
        let located = self.locate(path)?;
        let path = located.path();
        let has_access_list = has_access_list(&path);
        Ok(FileFacts { has_access_list, ..file_facts(&path)? })
    }

    fn read(&self, path: &str) -> io::Result<String> {
        let located = self.locate(path)?;
        // Not to wait for a FIFO, and not to read a device to its end.
        let mut options = fs::File::options();
        let file = options
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(located.path())?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut text = String::new();
        file.take(LARGEST_TEXT).read_to_string(&mut text)?;
        Ok(text)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let located = self.locate(path)?;
        fs::read_dir(located.path())?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}
