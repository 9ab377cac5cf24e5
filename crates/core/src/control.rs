//! What httpd's parent, the supervisor and the daemons tell each other, beside the requests.
//!
//! Messages are JSON over SOCK_SEQPACKET sockets, one message a packet, descriptors attached as
//! SCM_RIGHTS. They are few and rare, so being readable in a trace is worth more than bytes.

use std::{io, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    check::{Candidate, Finding},
    interpreters::Rules,
    level::Level,
    reason::Reason,
    timers::Timers,
};

/// Descriptors of a daemon process: standard error is the group's error log.
pub mod descriptor {
    /// The group's listening socket.
    pub const LISTENER: i32 = 3;
    /// The control socket to the supervisor.
    pub const CONTROL: i32 = 4;
    /// The group's request slots (`wsgi_ipc::scoreboard`).
    pub const SLOTS: i32 = 5;
    /// Where to ask httpd's children (`wsgi_ipc::questions`), if the group may; otherwise it is
    /// closed.
    pub const QUESTIONS: i32 = 6;
    /// The first number that is free.
    pub const END: i32 = 7;
}

/// Descriptor of the supervisor's control socket to httpd's parent.
pub const SUPERVISOR_CONTROL: i32 = 3;

/// A script to run when a process starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImportScript {
    /// The file.
    pub path: String,
    /// Interpreter to run it in; empty for the main one.
    pub application_group: String,
    /// Nobody has chosen that interpreter: it may be the main one as well (`application-group=`).
    #[serde(default)]
    pub is_default: bool,
}

/// What a CPython host needs to know, in a daemon or in an httpd child.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EngineSpec {
    /// Name of the daemon group; empty in httpd children.
    pub process_group: String,
    /// Whether this is a daemon process: a changed script then replaces the process instead of
    /// being run again in it.
    pub is_daemon: bool,
    /// `mod_wsgi.maximum_processes`.
    pub maximum_processes: u32,
    /// `mod_wsgi.threads_per_process`.
    pub threads_per_process: u32,
    /// `wsgi.multithread`.
    pub multithread: bool,
    /// `wsgi.multiprocess`.
    pub multiprocess: bool,
    /// `wsgi.run_once`.
    pub run_once: bool,
    /// `apache.version`.
    pub apache_version: (u32, u32, u32),
    /// `apache.maximum_processes`: children of httpd.
    pub httpd_processes: u32,
    /// `apache.threads_per_process`: threads of each.
    pub httpd_threads: u32,
    /// httpd's banner, `apache.description`.
    pub server_description: String,
    /// `apache.mpm_name`.
    pub mpm_name: String,
    /// `apache.build_date`.
    pub build_date: String,
    /// Prefix of the Python installation or root of a virtual environment.
    pub python_home: Option<String>,
    /// Directories for `site.addsitedir`, moved to the front of `sys.path`, behind those of
    /// `interpreters`.
    pub python_path: Vec<String>,
    /// `PYTHON_EGG_CACHE`.
    pub python_eggs: Option<String>,
    /// What the configuration says about single interpreters.
    pub interpreters: Rules,
    /// `switch-interval=` in microseconds, which wins over what `interpreters` says about the
    /// whole process; without either it is CPython's.
    pub switch_interval: Option<u64>,
    /// `WSGIDestroyInterpreter Off`: the process ends without ending its interpreters.
    pub leaves_interpreters: bool,
    /// httpd is debugged (`-X`): its one process keeps its standard input.
    pub is_single_process: bool,
    /// First entry of `sys.path` (`home=`).
    pub home: Option<String>,
    /// Name and home directory of the user the process runs as, to correct `os.environ`.
    pub user: Option<(String, String)>,
    /// `application-group=auto`: the first script whose interpreter nobody has chosen gets the
    /// main one.
    pub first_gets_main: bool,
    /// What becomes of a script that has changed; of httpd's children, nothing but `Restart`.
    pub reload: ReloadMode,
    /// Where to report what requests cost.
    pub telemetry: Option<TelemetrySpec>,
    /// Whether applications may see httpd's scoreboard.
    pub server_metrics: bool,
    /// Scripts to run at start, in configuration order.
    pub import_scripts: Vec<ImportScript>,
    /// `WSGIPythonOptimize`.
    pub optimize: u8,
    /// `WSGIDontWriteBytecode`.
    pub dont_write_bytecode: bool,
    /// `WSGIPythonWarnings`.
    pub warnings: Vec<String>,
    /// `WSGIPythonHashSeed` as a number; `None` is random.
    pub hash_seed: Option<u32>,
    /// What is logged outside requests: this level and what is more severe.
    pub log_level: Level,
    /// Whether script paths name the same file in any case (`WSGICaseSensitivity Off`).
    pub ignores_case: bool,
}

impl EngineSpec {
    /// Whether the process runs service scripts instead of requests.
    pub fn is_service(&self) -> bool {
        self.is_daemon && self.threads_per_process == 0
    }
}

/// WSGITelemetryService and what belongs to it, as a process needs it; times are µs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetrySpec {
    /// Path of the socket, as the process sees it.
    pub socket: String,
    /// Between two reports.
    pub interval: u64,
    /// From when on a request is slow; 0 never.
    pub slow_requests: u64,
    /// Whether reports name the user agent.
    pub captures_user_agent: bool,
}

impl TelemetrySpec {
    /// From when on a request is slow.
    pub fn slow_requests(&self) -> Option<Duration> {
        (self.slow_requests > 0).then(|| Duration::from_micros(self.slow_requests))
    }
}

/// A daemon group as the supervisor starts it. Descriptors attached to the message, in this
/// order: listener, slots, process table, error log and, if the group may ask httpd's children, where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupSpec {
    /// What the daemons' CPython hosts need; `engine.process_group` is the group's name.
    pub engine: EngineSpec,
    /// Number of daemon processes.
    pub processes: u32,
    /// Worker threads of each.
    pub threads: u32,
    /// The daemon program (one per Python version).
    pub program: String,
    /// User and group to run as; `None` when httpd was not started as root.
    pub identity: Option<Identity>,
    /// File mode creation mask; `None` inherits.
    pub umask: Option<u32>,
    /// Root directory; `None` is that of httpd. The daemon's own paths are as seen below it:
    /// those of `engine`, and the working directory.
    pub chroot: Option<String>,
    /// Working directory; `None` inherits.
    pub working_directory: Option<String>,
    /// `LANG`.
    pub lang: Option<String>,
    /// `LC_ALL`.
    pub locale: Option<String>,
    /// Further variables of the environment.
    pub environment: Vec<(String, String)>,
    /// Process title, expanded.
    pub display_name: Option<String>,
    /// Seconds from the start of a shutdown to the forced end; 0 waits for ever.
    pub shutdown_timeout: u32,
    /// Seconds a process has to finish its requests when it is replaced; 0 is as long as it takes.
    pub graceful_timeout: u32,
    /// The same after SIGUSR1.
    pub eviction_timeout: u32,
    /// Seconds after which a process is replaced; 0 never.
    pub restart_interval: u32,
    /// Seconds a read or write on a request's connection may wait.
    pub socket_timeout: u32,
    /// Seconds after which a queued request is no longer taken; 0 never.
    pub queue_timeout: u32,
    /// Most severe level number that is still logged for `wsgi` in the group's server.
    pub log_level: Level,
    /// What its log records look like.
    #[serde(default)]
    pub log_format: LogFormat,
    /// What a process may use of the machine.
    pub limits: Limits,
    /// Buffers of the sockets to httpd.
    pub buffers: Buffers,
    /// Whether a process that crashes may leave an image (`CoreDumpDirectory`).
    pub dumps_core: bool,
    /// What its processes watch over themselves.
    pub timers: Timers,
    /// Slots at the disposal of the group's processes, [`Self::slots_per_process`] to each.
    pub slots: u32,
    /// Bytes of memory above which a process is replaced; 0 none.
    pub memory_soft_limit: u64,
    /// Whether the processes of an unchanged group outlive a restart of httpd.
    pub keeps_on_restart: bool,
    /// Patterns of files whose change reloads the group.
    pub reload_on: Vec<String>,
}

/// What a process may use of the machine; 0 is as much as httpd may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Nice value.
    pub priority: i32,
    /// Seconds of CPU time.
    pub cpu_time: u32,
    /// Bytes of its data segment.
    pub memory: u64,
    /// Bytes of its address space.
    pub virtual_memory: u64,
    /// Bytes of the stack of a worker thread.
    pub stack_size: u64,
}

/// Buffers of the connections between httpd and a group in bytes, as seen from the daemon; 0 is the
/// system's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Buffers {
    /// For what the daemon sends.
    pub send: u32,
    /// For what the daemon receives.
    pub receive: u32,
}

/// How the processes of a group change to new code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ReloadMode {
    /// All at once.
    #[default]
    Restart,
    /// One after the other.
    Rolling,
    /// Not of themselves.
    Off,
}

/// What the log records of a group's processes look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LogFormat {
    /// Those of requests as httpd's, the others as httpd's by default.
    #[default]
    Text,
    /// One JSON object in a line each.
    Json,
}

impl GroupSpec {
    /// The tag and the text for a working directory that cannot be entered: it was given, or is the
    /// home directory of the user.
    pub fn describe_directory_failure(&self, error: &io::Error) -> (&'static str, String) {
        let directory = self.working_directory.as_deref().unwrap_or("/");
        match self.engine.home {
            Some(_) => {
                ("WSGI0009", format!("cannot change to home directory '{directory}': {error}"))
            }
            None => (
                "WSGI0010",
                format!("cannot change to the user's home directory '{directory}': {error}"),
            ),
        }
    }

    /// Slots that one process needs: a thread that is stuck in a request keeps its slot while
    /// another thread takes its place.
    pub fn slots_per_process(&self) -> u32 {
        self.threads.saturating_mul(2)
    }
}

/// Whom a daemon runs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// User id; never 0.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// All group ids, the primary one first.
    pub groups: Vec<u32>,
}

/// What httpd's children say about what they run embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EmbeddedSpec {
    /// Children that there is room for.
    pub children: u32,
    /// Requests of each that there is room for.
    pub places: u32,
    /// Children that httpd may have.
    pub processes: u32,
    /// Threads of each.
    pub threads: u32,
}

/// From httpd's parent to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSupervisor {
    /// A group of the configuration being handed over.
    Group(Box<GroupSpec>),
    /// The configuration is complete: start what is new, replace what was there, end the rest.
    Commit,
    /// The configuration that was handed over has gone; another one follows within so many
    /// seconds, unless the module is in it no more.
    Unclaimed(u32),
    /// Where questions come in (`crate::status::inquiry`): attached are the socket of httpd's
    /// children and, if there is one, the control socket.
    Inquiries,
    /// Where httpd's children tell what they run embedded; the memory is attached.
    Embedded(EmbeddedSpec),
    /// httpd stops: drain everything, then exit.
    Stop,
    /// Nothing is to be served: have processes of this group try the candidates, report, and exit.
    Check {
        /// The group; its listener, slots and error log are attached.
        group: Box<GroupSpec>,
        /// What to try.
        candidates: Vec<Candidate>,
        /// Seconds for each.
        limit: u32,
    },
}

/// From the supervisor to a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDaemon {
    /// First message: who the process is.
    Configure {
        /// The group.
        group: Box<GroupSpec>,
        /// Number of this process in its group, never used again.
        epoch: u64,
        /// First of its slots.
        first_slot: u32,
        /// What to load before it is ready, because the process whose place it takes has it.
        preload: Vec<ImportScript>,
        /// Whether it is of no use when one of them cannot be loaded.
        is_trial: bool,
    },
    /// In the place of `Configure`: load these and end.
    Check {
        /// The group.
        group: Box<GroupSpec>,
        /// What to try.
        candidates: Vec<Candidate>,
    },
    /// The group's error log was opened again: the attached descriptor takes the place of standard
    /// output and error.
    ErrorLog,
    /// Tell whoever has the other end of the attached socket what the threads are doing
    /// (`wsgi_core::status::inquiry`).
    Report {
        /// What the answer comes with.
        token: u64,
    },
    /// The same about Python stacks.
    Stack {
        /// What the answers come with.
        token: u64,
        /// The thread and its request; all threads without.
        of: Option<(u32, u64)>,
    },
    /// Another process of the group has loaded this: load it before somebody asks for it.
    Preload(ImportScript),
    /// Take no new request, finish what is running, end.
    Drain {
        /// Why.
        reason: Reason,
        /// Seconds for what is running; 0 is as long as it takes.
        limit: u32,
    },
    /// The same, within the shutdown timeout.
    Stop,
}

/// From a daemon to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromDaemon {
    /// Import scripts have run, worker threads take requests.
    Ready,
    /// A script has changed: this process drains, the whole group wants new processes.
    Stale,
    /// A script was loaded.
    Loaded(ImportScript),
    /// A loaded script has changed (modification time in µs); the process goes on with the old
    /// code (`reload=rolling`).
    Changed {
        /// The script.
        script: ImportScript,
        /// The file's modification time in µs.
        mtime: i64,
    },
    /// The process has had its time and serves on until another one has taken its place.
    Retire(Reason),
    /// The process cannot start, for this reason (already logged), and ends.
    Failed(String),
    /// The next candidate of `Check` was tried.
    Tried(Finding),
}

/// The bytes of a message.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(message)
}

/// Reads a message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}
