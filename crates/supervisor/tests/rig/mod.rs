//! A supervisor without httpd: the test plays httpd's parent and children.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::{
    fs,
    io::IoSlice,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{fs::PermissionsExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use wsgi_core::{
    control::{EngineSpec, GroupSpec, SUPERVISOR_CONTROL, ToSupervisor, encode},
    frame::{HEADER, Header, Kind},
    head::{RequestHead, RequestHeadBuilder, ResponseHead, flag},
    level::Level,
};
use wsgi_ipc::{
    scoreboard::{GroupState, Process, ProcessState, ProcessTable, Slots, TableReader},
    socket::{self, Listener},
};

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Slots of every group in these tests.
pub(crate) const SLOTS: u32 = 48;

/// A stand-in that says it is ready, and ends when it is told to or its supervisor is gone.
pub(crate) const READY: &str = "control.send(b'\"Ready\"')\nwait()\n";

/// A group as httpd's parent keeps it.
pub(crate) struct GroupFiles {
    pub(crate) listener: Listener,
    pub(crate) slots_memory: OwnedFd,
    pub(crate) table_memory: OwnedFd,
    pub(crate) slots: Slots,
    pub(crate) table: TableReader,
}

impl GroupFiles {
    pub(crate) fn create() -> Self {
        let slots_memory = Slots::create(SLOTS).unwrap();
        let table_memory = ProcessTable::create().unwrap();
        Self {
            listener: Listener::create(100).unwrap(),
            slots: Slots::map(slots_memory.as_fd(), SLOTS).unwrap(),
            table: ProcessTable::reader(table_memory.as_fd()).unwrap(),
            slots_memory,
            table_memory,
        }
    }
}

/// A running supervisor with one group's files.
pub(crate) struct Rig {
    pub(crate) folder: TempDir,
    pub(crate) group: GroupFiles,
    pub(crate) control: Option<OwnedFd>,
    supervisor: Child,
}

impl Rig {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (control, supervisor) = start_supervisor(folder.path(), &mut supervisor_command());
        Self { folder, group: GroupFiles::create(), control: Some(control), supervisor }
    }

    /// A rig whose supervisor has a parent other than the test, which the test may kill:
    /// [`Rig::supervisor_pid`] is then the parent's.
    pub(crate) fn start_below_parent() -> Self {
        let mut rig = Self::start();
        rig.control = None;
        rig.wait_end();
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg("\"$0\" & wait").arg(env!("CARGO_BIN_EXE_wsgi-supervisor"));
        let (control, supervisor) = start_supervisor(rig.folder.path(), &mut command);
        rig.control = Some(control);
        rig.supervisor = supervisor;
        rig
    }

    /// Replaces a supervisor that has died.
    pub(crate) fn restart_supervisor(&mut self) {
        let (control, supervisor) = start_supervisor(self.folder.path(), &mut supervisor_command());
        self.control = Some(control);
        self.supervisor = supervisor;
    }

    pub(crate) fn spec(&self, program: &Path) -> GroupSpec {
        GroupSpec {
            engine: EngineSpec {
                process_group: "tested".into(),
                is_daemon: true,
                threads_per_process: 2,
                multithread: true,
                ..EngineSpec::default()
            },
            processes: 1,
            threads: 2,
            program: program.to_str().unwrap().to_owned(),
            working_directory: Some(self.folder.path().to_str().unwrap().to_owned()),
            display_name: Some("(wsgi:tested)".into()),
            shutdown_timeout: 2,
            socket_timeout: 10,
            log_level: Level::DEBUG,
            slots: SLOTS,
            ..GroupSpec::default()
        }
    }

    /// Writes a stand-in whose behaviour is `code`.
    pub(crate) fn stand_in(&self, name: &str, code: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let program = format!(
            "#!/usr/bin/python3\n\
             import json, os, signal, socket, sys, time\n\
             control = socket.socket(fileno=4)\n\
             configure = json.loads(control.recv(1 << 20))['Configure']\n\
             def wait():\n\
             \x20   message = control.recv(1 << 20)\n\
             \x20   sys.exit(0)\n\
             {code}"
        );
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Writes a file that stand-ins see.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) fn send(&self, message: &ToSupervisor) {
        self.send_with(message, &self.group);
    }

    pub(crate) fn send_with(&self, message: &ToSupervisor, group: &GroupFiles) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("error.log"))
            .unwrap();
        let files = [
            group.listener.socket.as_fd(),
            group.slots_memory.as_fd(),
            group.table_memory.as_fd(),
            log.as_fd(),
        ];
        let files = if matches!(message, ToSupervisor::Group(_)) { &files[..] } else { &[] };
        let control = self.control.as_ref().unwrap().as_fd();
        socket::send_packet(control, &encode(message).unwrap(), files).unwrap();
    }

    /// Hands a configuration of one group over.
    pub(crate) fn configure(&self, spec: &GroupSpec) {
        self.send(&ToSupervisor::Group(Box::new(spec.clone())));
        self.send(&ToSupervisor::Commit);
    }

    /// The group's error log and the supervisor's.
    pub(crate) fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("error.log") + &read("supervisor.log")
    }

    /// Processes of the group in the given state.
    pub(crate) fn processes(&self, is_meant: impl Fn(ProcessState) -> bool) -> Vec<Process> {
        let all = (1..500).filter_map(|epoch| self.group.table.process(epoch));
        all.filter(|process| is_meant(process.state)).collect()
    }

    pub(crate) fn ready(&self) -> Vec<Process> {
        self.processes(|state| state == ProcessState::Ready)
    }

    /// Waits until `count` processes are ready, and returns them.
    pub(crate) fn wait_ready(&self, count: usize) -> Vec<Process> {
        self.wait("processes to be ready", || {
            let ready = self.ready();
            (ready.len() == count).then_some(ready)
        })
    }

    /// Waits until `look` finds something.
    pub(crate) fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "waited for {what} in vain:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn wait_failing(&self) -> String {
        self.wait("the group to fail", || match self.group.table.group() {
            GroupState::Failing(reason) => Some(reason),
            GroupState::Serving => None,
        })
    }

    pub(crate) fn supervisor_pid(&self) -> u32 {
        self.supervisor.id()
    }

    /// Waits for the supervisor's end.
    pub(crate) fn wait_end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.supervisor.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the supervisor stays:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a request as an httpd child does; the connection for the answer.
    pub(crate) fn request(&self, id: u64, script: &Path, has_body: bool) -> OwnedFd {
        let mut head = RequestHead::empty();
        head.request_id = id;
        head.script = script.as_os_str().as_encoded_bytes();
        head.callable = b"application";
        head.script_mtime = mtime(script);
        head.flags = flag::SCRIPT_RELOADING | if has_body { flag::BODY } else { 0 };
        let mut builder = RequestHeadBuilder::new();
        let path = format!("/{id}");
        for (key, value) in [("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", ""), ("PATH_INFO", &path)] {
            builder.entry(key.as_bytes(), Some(value.as_bytes()));
        }
        let bytes = builder.finish(&head);
        let header = Header::new(Kind::Request, id, bytes.len()).encode();
        let connection = socket::connect(self.group.listener.address.as_fd()).unwrap();
        socket::set_timeouts(connection.as_fd(), 20).unwrap();
        let parts = [IoSlice::new(&header), IoSlice::new(&bytes)];
        // A process killed between its accept and this send: the answer will be an end of file.
        if let Err(error) = socket::send_vectored(connection.as_fd(), &parts) {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
        connection
    }

    /// Sends a request, again when it is put back, and returns its answer.
    pub(crate) fn get(&self, id: u64, script: &Path) -> Answer {
        loop {
            let answer = Answer::read(&self.request(id, script, false));
            if answer.end != Some((Kind::Requeue, 0)) {
                return answer;
            }
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.control = None;
        if self.supervisor.try_wait().unwrap().is_none() {
            self.supervisor.kill().ok();
            self.supervisor.wait().ok();
        }
        if std::thread::panicking() {
            println!("{}", self.log());
        }
    }
}

/// What came back on a connection.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) head: Option<ResponseHead<'static>>,
    pub(crate) body: String,
    pub(crate) logs: Vec<String>,
    /// The last frame's kind and value; `None` when the connection broke.
    pub(crate) end: Option<(Kind, u16)>,
}

impl Answer {
    pub(crate) fn read(connection: &OwnedFd) -> Self {
        let mut answer = Self::default();
        let mut bytes = [0u8; HEADER];
        while socket::receive_exact(connection.as_fd(), &mut bytes).is_ok() {
            let header = Header::decode(&bytes).unwrap();
            let mut payload = vec![0u8; header.length as usize];
            socket::receive_exact(connection.as_fd(), &mut payload).unwrap();
            let text = String::from_utf8_lossy(&payload).into_owned();
            match header.kind {
                Kind::Head => {
                    answer.head = Some(ResponseHead::decode(&payload).unwrap().into_owned())
                }
                Kind::Data => answer.body.push_str(&text),
                Kind::Log => answer.logs.push(text),
                Kind::Want => {}
                kind => {
                    answer.end = Some((kind, header.value));
                    break;
                }
            }
        }
        answer
    }
}

/// Modification time in µs.
fn mtime(path: &Path) -> i64 {
    let modified = fs::metadata(path).and_then(|data| data.modified()).unwrap();
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_micros().try_into().unwrap()
}

fn supervisor_command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wsgi-supervisor"))
}

fn start_supervisor(folder: &Path, command: &mut Command) -> (OwnedFd, Child) {
    let (control, other) = socket::pair().unwrap();
    let log =
        fs::File::options().create(true).append(true).open(folder.join("supervisor.log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let raw = other.as_raw_fd();
    let place = move || {
        // Away first: dup2 onto itself would leave the descriptor close-on-exec.
        // SAFETY: async-signal-safe, and only makes a copy of a descriptor.
        let spare = unsafe { libc::fcntl(raw, libc::F_DUPFD_CLOEXEC, 100) };
        // SAFETY: async-signal-safe; the child has no descriptor of its own there.
        match unsafe { libc::dup2(spare, SUPERVISOR_CONTROL) } {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: the closure is async-signal-safe.
    unsafe { command.pre_exec(place) };
    (control, command.spawn().unwrap())
}

/// The daemon program, built if it is not there.
pub(crate) fn daemon_program() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_wsgi-supervisor")).parent().unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "wsgi-daemon", "--target-dir"])
        .arg(folder.parent().unwrap())
        .status()
        .unwrap();
    assert!(status.success(), "cannot build wsgi-daemon");
    folder.join("wsgi-daemon")
}

/// Whether a process exists and is no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Sends a signal to a process of the test.
pub(crate) fn kill(pid: u32, signal: i32) {
    // SAFETY: only takes numbers; the process was started by this test.
    unsafe { libc::kill(pid.cast_signed(), signal) };
}
