//! A private httpd per test: started on a port of its own, stopped and examined on drop.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use super::builder::{Builder, Place};
use super::http::{Connection, Response};
use super::log::{self, Expectations, Record};
use super::ports::{self, Port};
use super::process::{self, Process};
use super::wait::{DEADLINE, poll};
use super::{Mode, rundir};

/// A running server.
pub struct Httpd {
    pub(super) child: RefCell<Child>,
    port: Port,
    pub(super) root: PathBuf,
    pub(super) expectations: RefCell<Expectations>,
    pub(super) seen: RefCell<BTreeSet<Process>>,
    pub(super) stopped: Cell<bool>,
    /// Records in the log when the stop was asked for.
    pub(super) running: Cell<usize>,
    _place: Place,
}

impl Httpd {
    /// The server that this process is.
    pub(super) fn new(child: Child, port: Port, root: PathBuf, place: Place) -> Httpd {
        Httpd {
            child: RefCell::new(child),
            port,
            root,
            expectations: RefCell::default(),
            seen: RefCell::default(),
            stopped: Cell::new(false),
            running: Cell::new(usize::MAX),
            _place: place,
        }
    }

    /// A server with these configuration lines.
    pub fn with(lines: &str) -> Builder {
        Builder::new(lines)
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

    pub(super) fn wait_until_ready(&self) -> Result<(), String> {
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

    pub(super) fn log_text(&self) -> String {
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
}
