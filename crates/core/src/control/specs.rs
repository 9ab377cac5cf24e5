//! What a process is told about itself before it starts.

use std::{io, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{interpreters::Rules, level::Level, timers::Timers};

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
