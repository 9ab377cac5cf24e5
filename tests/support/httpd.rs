//! A private httpd per test: started on a port of its own, stopped and examined on drop.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::http::{Connection, Response};
use super::log::{self, Expectations, Record};
use super::ports::{self, Port};
use super::process::{self, Process};
use super::{Mode, conf, rundir};

/// Longest wait for anything a server should do at once.
const DEADLINE: Duration = Duration::from_secs(30);
/// Servers alive at the same time.
const MOST_SERVERS: usize = 2;

/// Waits until `check` gives something; panics with `what` after the deadline.
#[track_caller]
pub fn poll<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs what a destructor has to do. It may fail its test, but once only: a second panic that left a
/// destructor would end the run, and with it every other test.
pub fn at_end(work: impl FnOnce()) {
    let has_failed = std::thread::panicking();
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work))
        && !has_failed
    {
        resume_unwind(payload);
    }
}

/// One of the places for running servers.
struct Place;

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
            let server = Httpd {
                child: RefCell::new(child),
                port,
                root,
                expectations: RefCell::default(),
                seen: RefCell::default(),
                stopped: Cell::new(false),
                running: Cell::new(usize::MAX),
                _place: place,
            };
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

/// A running server.
pub struct Httpd {
    child: RefCell<Child>,
    port: Port,
    root: PathBuf,
    expectations: RefCell<Expectations>,
    seen: RefCell<BTreeSet<Process>>,
    stopped: Cell<bool>,
    /// Records in the log when the stop was asked for.
    running: Cell<usize>,
    _place: Place,
}

impl Httpd {
    /// A server with these configuration lines.
    pub fn with(lines: &str) -> Builder {
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

    /// A running server with one application of `tests/apps` at `/`.
    #[track_caller]
    pub fn serving(app: &str, mode: Mode) -> Httpd {
        Httpd::with(&format!("WSGIScriptAlias / @apps@/{app}")).mode(mode).start()
    }

    /// What `httpd -t` says about lines it must refuse.
    #[track_caller]
    pub fn refuses(lines: &str) -> String {
        Httpd::with(lines).refused()
    }

    /// Asserts that `httpd -t` accepts the lines.
    #[track_caller]
    pub fn accepts(lines: &str) {
        Httpd::with(lines).accepted();
    }

    fn wait_until_ready(&self) -> Result<(), String> {
        let end = Instant::now() + DEADLINE;
        loop {
            let exited = self.child.borrow_mut().try_wait().expect("wait for httpd");
            let ready = self.log().iter().any(|record| record.line.contains("resuming normal"));
            if exited.is_some() || Instant::now() > end {
                let text = fs::read_to_string(self.root.join("stderr.log")).unwrap_or_default();
                let log = fs::read_to_string(self.root.join("error.log")).unwrap_or_default();
                return Err(format!("{exited:?}\n{text}\n{log}"));
            }
            if ready && TcpStream::connect(("127.0.0.1", self.port.number)).is_ok() {
                self.processes();
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The port of plain HTTP.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// A path below the server's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Process number of httpd's parent process.
    pub fn pid(&self) -> i32 {
        self.child.borrow().id() as i32
    }

    /// A connection to the server.
    pub fn connect(&self) -> Connection {
        Connection::open(self.port())
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut connection = self.connect();
        let mut all = vec![("Connection", "close")];
        all.extend_from_slice(headers);
        let name = std::thread::current().name().unwrap_or("main").to_owned();
        all.push(("X-Test", &name));
        connection.request(method, target, &all, body);
        connection.response()
    }

    /// GET on a connection of its own.
    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target, &[], b"")
    }

    /// POST on a connection of its own.
    #[track_caller]
    pub fn post(&self, target: &str, body: &[u8]) -> Response {
        self.request("POST", target, &[], body)
    }

    /// A record with this text must be in the log; it may be a warning or worse.
    pub fn expect_log(&self, text: &str) -> &Httpd {
        self.expectations.borrow_mut().require(text);
        self
    }

    /// A record with this text may be in the log.
    pub fn allow_log(&self, text: &str) -> &Httpd {
        self.expectations.borrow_mut().allow(text);
        self
    }

    /// A traceback with this last line must be in the log.
    pub fn expect_traceback(&self, last: &str) -> &Httpd {
        self.expectations.borrow_mut().require_traceback(last);
        self
    }

    /// The records logged so far.
    pub fn log(&self) -> Vec<Record> {
        log::read(&self.root.join("error.log"))
    }

    /// Number of records logged so far that hold the text.
    pub fn log_count(&self, text: &str) -> usize {
        self.log().iter().filter(|record| record.line.contains(text)).count()
    }

    /// Waits for a record with the text.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) -> Record {
        poll(&format!("log record {text:?}\n{}", self.log_text()), || {
            self.log().into_iter().find(|record| record.line.contains(text))
        })
    }

    fn log_text(&self) -> String {
        let read = |name: &str| fs::read(self.root.join(name)).unwrap_or_default();
        let text = [read("stderr.log"), read("error.log")].concat();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Lines of the access log: method, path, final status, connection status.
    pub fn access_log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.root.join("access.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until the application has written this file of `out/`, and reads it.
    #[track_caller]
    pub fn wait_for_out(&self, name: &str) -> String {
        let path = self.root.join("out").join(name);
        poll(&format!("file {}\n{}", path.display(), self.log_text()), || {
            fs::read_to_string(&path).ok().filter(|text| !text.is_empty())
        })
    }

    /// A file of `out/`, empty when it is not there.
    pub fn out(&self, name: &str) -> String {
        fs::read_to_string(self.root.join("out").join(name)).unwrap_or_default()
    }

    /// Lets applications that wait for `gate` go on.
    pub fn open_gate(&self, gate: &str) {
        let path = self.root.join("out").join(gate);
        fs::write(&path, "open").expect("gate");
        rundir::mode(&path, 0o644);
    }

    /// All processes of the server now; remembered for the check at the end.
    pub fn processes(&self) -> Vec<Process> {
        let found = process::tree(self.pid());
        self.seen.borrow_mut().extend(found.iter().cloned());
        found
    }

    /// The processes whose command or name holds the text.
    pub fn processes_named(&self, text: &str) -> Vec<Process> {
        let named =
            |process: &Process| process.name().contains(text) || process.command().contains(text);
        self.processes().into_iter().filter(named).collect()
    }

    /// Descriptors in use, summed over httpd's children and the daemons.
    pub fn descriptors(&self) -> usize {
        self.processes().iter().map(|process| process.descriptors().len()).sum()
    }

    /// Runs `work` and asserts that no process of the server holds more descriptors after it.
    #[track_caller]
    pub fn without_descriptor_growth(&self, work: impl FnOnce()) {
        let before = self.descriptors();
        work();
        let settled = |now: usize| now <= before;
        poll(&format!("descriptors to go back to {before}"), || {
            settled(self.descriptors()).then_some(())
        });
    }

    /// Sends a signal to httpd's parent.
    pub fn signal(&self, number: i32) {
        self.processes();
        if let Some(process) = Process::of(self.pid()) {
            process.signal(number);
        }
    }

    /// Graceful restart; returns when the new generation serves, and only that.
    #[track_caller]
    pub fn graceful(&self) {
        let before = self.log_count("resuming normal");
        let children = self.children();
        self.signal(libc::SIGUSR1);
        poll("graceful restart", || (self.log_count("resuming normal") > before).then_some(()));
        self.wait_until_deaf(&children);
        self.processes();
    }

    /// Children of httpd, and other direct children of its parent process.
    fn children(&self) -> Vec<Process> {
        let tree = self.processes();
        tree.into_iter().filter(|process| process.parent() == self.pid()).collect()
    }

    /// Waits until these processes take no more connections. A busy machine may let a child of
    /// httpd take some after its successor has started; one that is stopped stays as it is.
    fn wait_until_deaf(&self, children: &[Process]) {
        let listeners = ports::listeners(self.port());
        let hears = |child: &Process| {
            child.is_alive() && child.descriptors().iter().any(|link| listeners.contains(link))
        };
        let end = Instant::now() + Duration::from_secs(3);
        while children.iter().any(hears) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops the server and waits until all its processes are gone; what is left, as text.
    pub fn stop(&self) -> Vec<String> {
        self.end(libc::SIGTERM)
    }

    /// Ends httpd's parent with a signal; what is wrong afterwards.
    pub fn end(&self, signal: i32) -> Vec<String> {
        if self.stopped.replace(true) {
            return Vec::new();
        }
        let mut wrong = self.zombies();
        self.running.set(self.log().len());
        self.signal(signal);
        let status = self.wait_for_exit();
        match status {
            None => wrong.push("httpd did not end".to_owned()),
            Some(status) if signal == libc::SIGTERM && !status.success() => {
                wrong.push(format!("httpd ended with {:?} {:?}", status.code(), status.signal()));
            }
            Some(_) => {}
        }
        wrong.extend(self.survivors());
        wrong
    }

    fn wait_for_exit(&self) -> Option<std::process::ExitStatus> {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            if let Some(status) = self.child.borrow_mut().try_wait().expect("wait for httpd") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Ended for good below; the failure is reported by the caller.
        let _ = self.child.borrow_mut().kill();
        let _ = self.child.borrow_mut().wait();
        None
    }

    /// Processes that have ended and that nobody waits for. One that has just ended is waited for
    /// in a moment.
    fn zombies(&self) -> Vec<String> {
        let unwaited = || -> Vec<String> {
            let tree = self.processes();
            let zombies =
                tree.iter().filter(|process| process.is_zombie() && process.parent() != self.pid());
            zombies.map(|one| format!("a zombie: {} {}", one.pid, one.name())).collect()
        };
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let zombies = unwaited();
            if zombies.is_empty() || Instant::now() >= deadline {
                return zombies;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Processes left a few seconds after httpd's end; they are killed, and named.
    fn survivors(&self) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(8);
        let mut left;
        loop {
            let alive = |one: &&Process| one.is_alive();
            left = self.seen.borrow().iter().filter(alive).cloned().collect::<BTreeSet<_>>();
            left.extend(process::users_of(&self.root));
            if left.is_empty() || Instant::now() > end {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let name =
            |one: &Process| format!("left over: {} {} {}", one.pid, one.name(), one.command());
        let names = left.iter().map(name).collect();
        left.iter().for_each(|one| one.signal(libc::SIGKILL));
        names
    }

    /// Ends a server that did not start.
    fn abandon(&self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Httpd {
    /// Stops the server, and fails the test that has left something.
    fn finish(&self) {
        let mut wrong = self.stop();
        wrong.extend(self.expectations.borrow().violations(&self.log(), self.running.get()));
        if !self.root.exists() {
            return;
        }
        if std::thread::panicking() || !wrong.is_empty() {
            println!("---- log of {} ----\n{}", self.root.display(), self.log_text());
        }
        if std::env::var_os("WSGI_TEST_KEEP").is_none() {
            // The folder of the run is removed at exit in any case.
            let _ = fs::remove_dir_all(&self.root);
        }
        assert!(std::thread::panicking() || wrong.is_empty(), "after the test: {wrong:#?}");
    }
}

impl Drop for Httpd {
    fn drop(&mut self) {
        at_end(|| self.finish());
    }
}
