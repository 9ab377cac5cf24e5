//! The installed httpd, as apxs describes it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// Where an httpd keeps its files.
#[derive(Debug, Clone)]
pub(crate) struct Httpd {
    apxs: PathBuf,
}

impl Httpd {
    /// The httpd of the given apxs, or of `$APXS`, or of the one on PATH.
    pub(crate) fn new(apxs: Option<&Path>) -> Self {
        let apxs = match (apxs, env::var_os("APXS")) {
            (Some(path), _) => path.to_path_buf(),
            (None, Some(path)) => PathBuf::from(path),
            (None, None) => PathBuf::from("apxs"),
        };
        Self { apxs }
    }

    /// The apxs program, for builds that ask it themselves.
    pub(crate) fn apxs(&self) -> &Path {
        &self.apxs
    }

    /// One answer of `apxs -q`.
    fn query(&self, name: &str) -> Result<PathBuf> {
        let answer = process::output(Command::new(&self.apxs).args(["-q", name]))
            .with_context(|| format!("cannot ask {} for {name}", self.apxs.display()))?;
        Ok(PathBuf::from(answer))
    }

    /// The server program.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        Ok(self.query("SBINDIR")?.join(self.query("PROGNAME")?))
    }

    /// The folder of loadable modules.
    pub(crate) fn modules(&self) -> Result<PathBuf> {
        self.query("LIBEXECDIR")
    }

    /// The folder of the configuration.
    pub(crate) fn configuration(&self) -> Result<PathBuf> {
        self.query("SYSCONFDIR")
    }
}

/// A user by name with its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// The login name.
    pub(crate) name: String,
    /// Numeric user id.
    pub(crate) uid: u32,
    /// Numeric id of the primary group.
    pub(crate) gid: u32,
}

impl User {
    /// The user httpd's children run as when we start it as root: the distribution's web user.
    pub(crate) fn of_httpd() -> Option<Self> {
        let passwd = fs::read_to_string("/etc/passwd").ok()?;
        ["www-data", "apache", "http", "nobody"].iter().find_map(|name| Self::find(name, &passwd))
    }

    /// Reads one user out of the text of `/etc/passwd`.
    fn find(name: &str, passwd: &str) -> Option<Self> {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        let uid = fields.next()?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { name: name.to_owned(), uid, gid })
    }
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_passwd() {
        let passwd = "root:x:0:0:root:/:/bin/bash\nwww-data:x:33:34:www:/var/www:/bin/false\n";
        let user = User::find("www-data", passwd).unwrap();
        assert_eq!(user, User { name: "www-data".to_owned(), uid: 33, gid: 34 });
        assert_eq!(User::find("www", passwd), None);
    }
}
