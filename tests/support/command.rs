//! The command `mod-wsgi-rs` as people run it, and the servers that it starts.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::process::{self, Process};
use super::{Connection, Port, Response, conf, log, poll, ports, rundir};

/// Ends a test, by name, where the command is not what is tested.
macro_rules! needs_command {
    () => {
        if $crate::support::original::is_original() || $crate::support::conf::mpm() != "event" {
            $crate::support::original::skipped("needs our module and the event MPM");
            return;
        }
    };
}

/// The program: beside the module under test.
pub fn program() -> PathBuf {
    rundir::run().module.with_extension("").join("mod-wsgi-rs")
}

/// A folder of a test, which everybody may enter.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(&rundir::run().path).expect("folder");
    rundir::mode(folder.path(), 0o755);
    folder
}

/// The command with arguments, as nobody in particular would call it: no venv, no colours asked for.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    other(&program(), folder, arguments)
}

/// Another program in the same surroundings.
pub fn other(program: &Path, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TMPDIR", folder);
    command
}

/// Runs it to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("mod-wsgi-rs")
}

/// What it wrote when it succeeded.
#[track_caller]
pub fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}

/// Asserts that it failed with 1 and one line of error, and gives that line.
#[track_caller]
pub fn refused(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let line = text.trim_end().strip_prefix("mod-wsgi-rs: error: ").unwrap_or_default();
    assert!(!line.is_empty() && !line.contains('\n'), "not one line: {text}");
    assert!(!text.contains("panicked"), "{text}");
    line.to_owned()
}

/// The options by which root says whom a server runs as.
pub fn identity() -> Vec<&'static str> {
    if rundir::is_root() { vec!["--user", conf::user()] } else { Vec::new() }
}

/// A server that `start-server` runs in the foreground.
pub struct Served {
    child: Child,
    port: Port,
    root: PathBuf,
    output: PathBuf,
    expected: Vec<&'static str>,
}

impl Served {
    /// Declares that the log will have errors with these words.
    pub fn expect(mut self, words: &'static str) -> Served {
        self.expected.push(words);
        self
    }

    /// Starts one in a folder of the test and waits until it listens.
    #[track_caller]
    pub fn start(folder: &Path, arguments: &[&str]) -> Served {
        let program = program();
        Served::by(folder, &[program.to_str().expect("path"), "start-server"], arguments)
    }

    /// The same by other words than those of the command itself.
    #[track_caller]
    pub fn by(folder: &Path, words: &[&str], arguments: &[&str]) -> Served {
        let port = ports::take();
        let number = port.number.to_string();
        let root = folder.join("server root");
        let (program, first) = words.split_first().expect("a program");
        let mut all = first.to_vec();
        all.extend(["--host", "127.0.0.1", "--port", &number]);
        all.extend(["--server-root", root.to_str().expect("path")]);
        all.extend(identity());
        all.extend(arguments);
        let output = folder.join("output");
        let file = File::create(&output).expect("output");
        let mut command = other(Path::new(program), folder, &all);
        command.process_group(0).stdout(file.try_clone().expect("output")).stderr(file);
        let child = command.spawn().expect("mod-wsgi-rs");
        let mut served = Served { child, port, root, output, expected: Vec::new() };
        poll("the server to listen", || {
            let ended = served.child.try_wait().expect("wait");
            assert!(ended.is_none(), "it ended: {}\n{}", served.output(), served.log());
            TcpStream::connect(("127.0.0.1", served.port.number)).ok()
        });
        served
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// The process that was started.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The server root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What it wrote to its output.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Its error log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.root.join("error_log")).unwrap_or_default()
    }

    /// One answer.
    pub fn get(&self, target: &str) -> Response {
        self.get_as(target, &[])
    }

    /// One answer to a request with these headers.
    pub fn get_as(&self, target: &str, headers: &[(&str, &str)]) -> Response {
        let mut connection = Connection::open(self.port());
        let headers: Vec<_> = headers.iter().copied().chain([("Connection", "close")]).collect();
        connection.request("GET", target, &headers, b"");
        connection.response()
    }

    /// Sends a signal to the process that was started, waits for its end, and asserts that nothing is
    /// left; its exit code.
    #[track_caller]
    pub fn end_by(mut self, signal: i32) -> Option<i32> {
        self.end(signal)
    }

    #[track_caller]
    fn end(&mut self, signal: i32) -> Option<i32> {
        let tree = process::tree(self.pid());
        Process::of(self.pid()).expect("the server").signal(signal);
        let status = self.child.wait().expect("wait");
        poll("its processes to be gone", || tree.iter().all(|one| !one.is_alive()).then_some(()));
        assert_eq!(process::users_of(&self.root), [], "left");
        status.code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            if std::thread::panicking() {
                eprintln!("{}\n{}", self.output(), self.log());
                self.child.kill().ok();
                self.child.wait().ok();
                return;
            }
            self.end(libc::SIGTERM);
            let log = self.log();
            let is_bad = |line: &&str| {
                [":error]", ":crit]", ":alert]"].iter().any(|level| line.contains(level))
                    && !self.expected.iter().any(|words| line.contains(words))
                    && !log::CAPACITY.iter().any(|code| line.contains(code))
            };
            let bad: Vec<_> = log.lines().filter(is_bad).collect();
            assert!(bad.is_empty(), "{bad:#?}");
        }
    }
}
