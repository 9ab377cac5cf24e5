//! What the directive table asks the outside: answers from httpd and from the system.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, sync::PoisonError};

use nix::unistd::{Group, Uid, User};
use wsgi_core::directives::{Account, Facts, FileFacts, ServerId};

use crate::apache::{Server, module::MainState, process, regex::Regex, text::c_string};

/// Facts for the lines of one server.
pub(crate) struct HttpdFacts<'c> {
    main: &'c MainState,
    server: Server<'c>,
}

impl<'c> HttpdFacts<'c> {
    /// Facts for lines of `server`.
    pub(crate) fn new(main: &'c MainState, server: Server<'c>) -> Self {
        Self { main, server }
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

/// `stat`.
pub(crate) fn file_facts(path: &Path) -> io::Result<FileFacts> {
    let data = fs::metadata(path)?;
    Ok(FileFacts {
        mode: data.mode() & 0o7777,
        uid: data.uid(),
        gid: data.gid(),
        is_dir: data.is_dir(),
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
        file_facts(Path::new(path))
    }

    fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        fs::read_dir(Path::new(path))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}
