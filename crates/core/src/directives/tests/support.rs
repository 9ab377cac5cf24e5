//! A made-up outside for the tests, and a configuration that lines are applied to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use super::super::*;

/// Answers from lists.
pub(crate) struct World {
    pub(crate) is_root: bool,
    pub(crate) names: BTreeMap<u32, &'static str>,
    pub(crate) files: BTreeMap<String, (FileFacts, String)>,
    pub(crate) patterns: RefCell<Vec<String>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            is_root: true,
            names: BTreeMap::new(),
            files: BTreeMap::new(),
            patterns: RefCell::default(),
        }
    }
}

impl World {
    /// Adds a folder owned by root.
    pub(crate) fn folder(mut self, path: &str, mode: u32) -> Self {
        let facts = FileFacts { mode, uid: 0, gid: 0, is_dir: true, has_access_list: false };
        self.files.insert(path.into(), (facts, String::new()));
        self
    }

    /// Adds a file owned by root.
    pub(crate) fn file(mut self, path: &str, mode: u32, text: &str) -> Self {
        let facts = FileFacts { mode, uid: 0, gid: 0, is_dir: false, has_access_list: false };
        self.files.insert(path.into(), (facts, text.into()));
        self
    }
}

/// The users of the made-up machine.
fn accounts() -> [Account; 3] {
    let account = |name: &str, uid, gid, home: &str| Account {
        name: name.into(),
        uid,
        gid,
        home: home.into(),
    };
    [
        account("root", 0, 0, "/root"),
        account("www-data", 33, 33, "/var/www"),
        account("blog", 1000, 1001, "/home/blog"),
    ]
}

impl Facts for World {
    fn is_root(&self) -> bool {
        self.is_root
    }
    fn server_name(&self, server: ServerId) -> Option<String> {
        self.names.get(&server.0).map(|name| (*name).to_owned())
    }
    fn server_root_relative(&self, path: &str) -> Option<String> {
        match path {
            "unresolvable" => None,
            path if path.starts_with('/') => Some(path.into()),
            path => Some(format!("/etc/apache2/{path}")),
        }
    }
    fn compile(&self, pattern: &str) -> Result<usize, String> {
        if pattern.contains("((") {
            return Err("missing )".into());
        }
        let mut patterns = self.patterns.borrow_mut();
        patterns.push(pattern.into());
        Ok(patterns.len() - 1)
    }
    fn user_by_name(&self, name: &str) -> Option<Account> {
        accounts().into_iter().find(|account| account.name == name)
    }
    fn user_by_id(&self, uid: u32) -> Option<Account> {
        accounts().into_iter().find(|account| account.uid == uid)
    }
    fn group_by_name(&self, name: &str) -> Option<u32> {
        [("root", 0), ("www-data", 33), ("blog", 1001), ("media", 1002)]
            .into_iter()
            .find_map(|(known, gid)| (known == name).then_some(gid))
    }
    fn stat(&self, path: &str) -> io::Result<FileFacts> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "No such file or directory");
        self.files.get(path).map(|(facts, _)| *facts).ok_or_else(missing)
    }
    fn read(&self, path: &str) -> io::Result<String> {
        self.stat(path)?;
        Ok(self.files[path].1.clone())
    }
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.stat(path)?;
        let below = format!("{path}/");
        Ok(self
            .files
            .keys()
            .filter_map(|file| file.strip_prefix(&below))
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect())
    }
}

/// A whole configuration that grows line by line.
#[derive(Default)]
pub(crate) struct Config {
    pub(crate) world: World,
    pub(crate) global: GlobalConfig,
    pub(crate) servers: BTreeMap<u32, ServerConfig>,
    pub(crate) dir: DirConfig,
    line: u32,
}

/// The directive called `name`.
pub(crate) fn directive(name: &str) -> &'static Directive {
    DIRECTIVES.iter().find(|directive| directive.name == name).unwrap()
}

impl Config {
    pub(crate) fn new(world: World) -> Self {
        Self { world, ..Self::default() }
    }

    /// Applies a line to a server: 0 is the main server.
    pub(crate) fn server(&mut self, server: u32, text: &str) -> Result<Vec<Notice>, String> {
        let scope = if server == 0 { Scope::Main } else { Scope::VirtualHost };
        self.line += 1;
        let site = Site { scope, server: ServerId(server), file: "httpd.conf", line: self.line };
        let server = self.servers.entry(server).or_default();
        let target = Target::Server { global: &mut self.global, server };
        run(text, &site, target, &self.world)
    }

    /// Applies a line to the main server.
    pub(crate) fn main(&mut self, text: &str) -> Result<Vec<Notice>, String> {
        self.server(0, text)
    }

    /// Applies a line to a `<Directory>` section.
    pub(crate) fn directory(&mut self, text: &str) -> Result<Vec<Notice>, String> {
        let site =
            Site { scope: Scope::Directory, server: ServerId::MAIN, file: "httpd.conf", line: 1 };
        let target = Target::Directory { global: Some(&mut self.global), dir: &mut self.dir };
        run(text, &site, target, &self.world)
    }

    /// Applies a line to a .htaccess file.
    pub(crate) fn htaccess(&mut self, text: &str) -> Result<Vec<Notice>, String> {
        let site =
            Site { scope: Scope::Htaccess, server: ServerId::MAIN, file: ".htaccess", line: 1 };
        let target = Target::Directory { global: None, dir: &mut self.dir };
        run(text, &site, target, &self.world)
    }

    /// What the main server has.
    pub(crate) fn main_server(&self) -> &ServerConfig {
        &self.servers[&0]
    }

    /// The options of the last daemon process group.
    pub(crate) fn last_group(&self) -> &daemon::DaemonProcess {
        self.global.daemon_processes.last().unwrap()
    }
}

/// Applies `Name arguments`.
fn run(
    text: &str,
    site: &Site<'_>,
    target: Target<'_>,
    world: &World,
) -> Result<Vec<Notice>, String> {
    let (name, arguments) = text.split_once(' ').unwrap_or((text, ""));
    apply(directive(name), arguments, site, target, world).map_err(|error| error.to_string())
}
