//! What a private httpd will be, and its start.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::httpd::Httpd;
use super::{Mode, conf, ports, rundir};

/// Servers alive at the same time.
const MOST_SERVERS: usize = 2;

/// One of the places for running servers.
pub(super) struct Place;

static PLACES: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

fn places() -> MutexGuard<'static, usize> {
    PLACES.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Place {
    fn take() -> Place {
        let full = |used: &mut usize| *used >= MOST_SERVERS;
        let waited = PLACES.1.wait_while(places(), full);
        *waited.unwrap_or_else(PoisonError::into_inner) += 1;
        Place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *places() -= 1;
        PLACES.1.notify_one();
    }
}

/// What a server will be.
pub struct Builder {
    body: String,
    modules: Vec<String>,
    sizing: Option<String>,
    files: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    trees: Vec<(String, PathBuf)>,
    writable: Vec<String>,
    module: Option<PathBuf>,
    most_files: Option<u32>,
}

impl Builder {
    /// A server with these configuration lines.
    pub(super) fn new(lines: &str) -> Builder {
        Builder {
            body: format!("{lines}\n"),
            modules: Vec::new(),
            sizing: None,
            files: Vec::new(),
            environment: Vec::new(),
            trees: Vec::new(),
            writable: Vec::new(),
            module: None,
            most_files: None,
        }
    }

    /// Puts the lines of a placement in front.
    pub fn mode(mut self, mode: Mode) -> Builder {
        self.body.insert_str(0, mode.conf());
        self
    }

    /// Loads further httpd modules.
    pub fn modules(mut self, names: &[&str]) -> Builder {
        self.modules.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Adds lines behind those given before.
    pub fn more(mut self, lines: &str) -> Builder {
        self.body.push_str(lines);
        self
    }

    /// Replaces the default numbers of children and threads.
    pub fn sizing(mut self, lines: &str) -> Builder {
        self.sizing = Some(format!("{lines}\n"));
        self
    }

    /// One child of httpd only, so that all embedded requests meet in one process.
    pub fn one_child(self) -> Builder {
        self.sizing(conf::one_child())
    }

    /// Room for 64 requests at a time, in two children where children have threads.
    pub fn many_clients(self) -> Builder {
        self.sizing(conf::many_clients())
    }

    /// Writes a file below the server's folder before it starts.
    pub fn file(mut self, name: &str, text: &str) -> Builder {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Copies the content of a folder below the server's folder before it starts.
    pub fn tree(mut self, name: &str, source: &Path) -> Builder {
        self.trees.push((name.to_owned(), source.to_owned()));
        self
    }

    /// Files and folders that httpd's user may write.
    pub fn writable(mut self, names: &[&str]) -> Builder {
        self.writable.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Loads this module file instead of the copy that the run made.
    pub fn module(mut self, path: &Path) -> Builder {
        self.module = Some(path.to_owned());
        self
    }

    /// Sets a variable in httpd's own environment.
    pub fn environment(mut self, name: &str, value: &str) -> Builder {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the folder with its files and configuration.
    fn prepare(&self, root: &Path, port: u16) {
        for folder in ["run", "htdocs", "out"] {
            fs::create_dir_all(root.join(folder)).expect("folder");
        }
        rundir::mode(root, 0o755);
        rundir::mode(&root.join("out"), 0o777);
        for (name, source) in &self.trees {
            rundir::copy(&source.join("."), &root.join(name));
        }
        for name in &self.writable {
            rundir::mode(&root.join(name), 0o777);
        }
        for (name, text) in &self.files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(&path, conf::substitute(text, root, port)).expect("file");
        }
        let parts = conf::Parts {
            root,
            port,
            modules: &self.modules,
            module: self.module.as_deref(),
            sizing: self.sizing.as_deref(),
            body: &self.body,
        };
        fs::write(root.join("httpd.conf"), conf::text(&parts)).expect("httpd.conf");
    }

    /// Lets httpd have so many descriptors, until it asks for more.
    pub fn most_files(mut self, most: u32) -> Builder {
        self.most_files = Some(most);
        self
    }

    fn command(&self, root: &Path) -> Command {
        let program = conf::httpd_program();
        let mut command = match self.most_files {
            None => Command::new(program),
            Some(most) => {
                let mut shell = Command::new("/bin/sh");
                let line = format!("ulimit -Sn {most}; exec \"$0\" \"$@\"");
                shell.args(["-c", &line]).arg(program);
                shell
            }
        };
        command.arg("-d").arg(root).arg("-f").arg(root.join("httpd.conf"));
        // A python of somebody's PATH must not decide where the standard library is.
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LANG", "C");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Where services are started; a clone may lie where httpd's user may not go.
        command.current_dir("/").stdin(Stdio::null()).process_group(0);
        command
    }

    /// Starts the server and waits until it answers connections.
    #[track_caller]
    pub fn start(self) -> Httpd {
        for _ in 0..5 {
            let place = Place::take();
            let port = ports::take();
            let root = new_root();
            self.prepare(&root, port.number);
            let output = File::create(root.join("stderr.log")).expect("stderr.log");
            let child = self
                .command(&root)
                .arg("-DFOREGROUND")
                .stdout(output.try_clone().expect("stderr.log"))
                .stderr(output)
                .spawn()
                .expect("httpd");
            let server = Httpd::new(child, port, root, place);
            match server.wait_until_ready() {
                Ok(()) => return server,
                Err(text) => {
                    server.abandon();
                    assert!(text.contains("Address already in use"), "httpd ended: {text}");
                }
            }
        }
        panic!("no port could be bound");
    }

    /// `httpd -t`: whether the configuration is accepted, and what was said.
    fn check(&self) -> (bool, String) {
        let root = new_root();
        self.prepare(&root, 18_000);
        let done = self.command(&root).arg("-t").output().expect("httpd -t");
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        fs::remove_dir_all(&root).expect("folder of httpd -t");
        (done.status.success(), text)
    }

    /// What `httpd -t` says when it refuses; panics when it does not.
    #[track_caller]
    pub fn refused(&self) -> String {
        let (accepted, text) = self.check();
        assert!(!accepted, "httpd -t accepts:\n{}", self.body);
        assert!(!text.contains("panicked"), "{text}");
        text
    }

    /// Asserts that `httpd -t` accepts, and gives what it says.
    #[track_caller]
    pub fn accepted(&self) -> String {
        let (accepted, text) = self.check();
        assert!(accepted, "httpd -t refuses:\n{}\n{text}", self.body);
        text
    }
}

fn new_root() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    rundir::run().path.join(format!("s{number}"))
}
