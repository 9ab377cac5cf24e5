//! Where a line of configuration stands, what it may write to, and what it must ask the outside.

use std::{fmt, io};

use super::{DirConfig, GlobalConfig, ServerConfig};

/// A server of the configuration: 0 is the main server, virtual hosts count up from 1 in any
/// stable order the glue likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(pub u32);

impl ServerId {
    /// The main server.
    pub const MAIN: Self = Self(0);

    /// Whether this is a virtual host.
    pub fn is_virtual(self) -> bool {
        self != Self::MAIN
    }
}

/// The kind of place a line stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Main server, outside of any section.
    Main,
    /// Directly inside `<VirtualHost>`.
    VirtualHost,
    /// `<Directory>`, `<Location>`, `<Files>` or the like, in the main configuration.
    Directory,
    /// A .htaccess file, read while a request is served.
    Htaccess,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Kind of place.
    pub scope: Scope,
    /// Server the line belongs to.
    pub server: ServerId,
    /// Configuration file.
    pub file: &'a str,
    /// Line in that file.
    pub line: u32,
}

/// What a line may write to.
pub enum Target<'a> {
    /// A line at server level (main server or virtual host).
    Server {
        /// The one global configuration.
        global: &'a mut GlobalConfig,
        /// The configuration of the line's server.
        server: &'a mut ServerConfig,
    },
    /// A line in a directory-like section or .htaccess.
    Directory {
        /// The global configuration; None in .htaccess, when nobody may change it any more.
        global: Option<&'a mut GlobalConfig>,
        /// The configuration of the section.
        dir: &'a mut DirConfig,
    },
}

/// Something to tell the operator although the line was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How loud.
    pub level: NoticeLevel,
    /// Tag number (`WSGInnnn`), set for warnings.
    pub code: Option<u16>,
    /// Text without the tag.
    pub text: String,
}

impl Notice {
    /// Something that may be wrong.
    pub(crate) fn warning(code: u16, text: String) -> Self {
        Self { level: NoticeLevel::Warning, code: Some(code), text }
    }
}

/// Log level of a [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    /// Something may be wrong.
    Warning,
    /// Good to know.
    Info,
    /// For lines that are read again at every request (.htaccess).
    Debug,
}

/// Why a line is refused: the text httpd shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl From<String> for ConfigError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for ConfigError {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// An entry of the user database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
}

/// What `stat` says about a file (links followed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Permission bits (`st_mode & 0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Whether an access list says more than the permission bits, as far as anybody looked.
    pub has_access_list: bool,
}

/// A Python language version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonVersion {
    /// 3.
    pub major: u8,
    /// The minor version: what a daemon binary must match.
    pub minor: u8,
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What only the outside knows. The glue answers from httpd and the system, tests from a list.
pub trait Facts {
    /// Whether httpd runs as root, so that `user=` and the like can take effect.
    fn is_root(&self) -> bool;
    /// The `ServerName` of a server, if it has been given one so far.
    fn server_name(&self, server: ServerId) -> Option<String>;
    /// The absolute form of a path relative to `ServerRoot` (`ap_server_root_relative`); None
    /// when it cannot be formed.
    fn server_root_relative(&self, path: &str) -> Option<String>;
    /// Compiles a pattern with httpd's own engine and keeps it; the answer is a number by which
    /// it can be found again, or the engine's complaint.
    fn compile(&self, pattern: &str) -> Result<usize, String>;
    /// A user by name.
    fn user_by_name(&self, name: &str) -> Option<Account>;
    /// A user by id.
    fn user_by_id(&self, uid: u32) -> Option<Account>;
    /// A group's id by name.
    fn group_by_name(&self, name: &str) -> Option<u32>;
    /// `stat`.
    fn stat(&self, path: &str) -> io::Result<FileFacts>;
    /// The content of a small text file.
    fn read(&self, path: &str) -> io::Result<String>;
    /// The names in a directory.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
}
