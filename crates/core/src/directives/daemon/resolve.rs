//! From what was typed to what holds: the defaults of WSGIDaemonProcess, put in once httpd's own
//! `User`, `Group` and `Timeout` are known.

use std::time::Duration;

use super::{DaemonOptions, DaemonProcess, environment};
use crate::{
    control::{Buffers, Limits, LogFormat, ReloadMode},
    directives::RequestBuffering,
    directives::site::{Account, ConfigError, ServerId},
    ownership::ScriptOwner,
    timers::Timers,
};

/// Threads of a process when none are given.
const THREADS: u32 = 15;
/// Waiting connections when `listen-backlog` is not given.
const LISTEN_BACKLOG: u32 = 100;
/// Time to connect when none is given.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Time to shut down when none is given.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Time to finish requests when none is given.
const GRACEFUL_TIMEOUT: Duration = Duration::from_secs(15);
/// Time without the interpreter lock when none is given.
const DEADLOCK_TIMEOUT: Duration = Duration::from_secs(300);
/// Idle time before a flush when none is given.
const RESPONSE_FLUSH_DELAY: Duration = Duration::from_millis(5);
/// Longest response header when none is given.
const HEADER_BUFFER_SIZE: u32 = 32768;
/// Bytes relayed without a flush when no number is given.
const RESPONSE_BUFFER_SIZE: u32 = 8 << 20;

/// Bytes of a response that httpd keeps in memory for a slow client when no number is given.
const RESPONSE_MEMORY: u32 = 64 << 10;
/// Bytes of a response that httpd keeps in a file when no number is given.
const RESPONSE_SPOOL_LIMIT: u64 = 1 << 30;

/// What the options default to: httpd's settings when the configuration is complete.
#[derive(Clone, Debug)]
pub struct Defaults<'a> {
    /// Whether httpd runs as root and can switch users.
    pub is_root: bool,
    /// `User` of httpd, with its `Group` as `gid`; of an httpd not started by root whoever runs it.
    pub account: &'a Account,
    /// `Timeout` of the group's server.
    pub timeout: Duration,
    /// WSGIPythonHome.
    pub python_home: Option<&'a str>,
}

/// A daemon process group as it is to run: nothing is left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonGroup {
    /// Name of the group.
    pub name: String,
    /// 1 for the first group of the configuration.
    pub id: u32,
    /// Server it was defined in.
    pub server: ServerId,
    /// Whether the processes have to switch to `uid` and `gid` (httpd runs as root).
    pub switches_user: bool,
    /// Login name of the processes' user.
    pub user: String,
    /// User id of the processes.
    pub uid: u32,
    /// Primary group of the processes.
    pub gid: u32,
    /// Home directory of the user, for the environment variable HOME.
    pub user_home: String,
    /// Supplementary groups with the primary one first; None for those of the user
    /// (`initgroups`).
    pub supplementary_groups: Option<Vec<u32>>,
    /// File mode creation mask; None to inherit.
    pub umask: Option<u32>,
    /// Root directory of the processes, as httpd sees it; None for that of httpd.
    pub chroot: Option<String>,
    /// `home=`, the first entry of sys.path.
    pub home: Option<String>,
    /// Working directory; None to inherit.
    pub working_directory: Option<String>,
    /// LANG.
    pub lang: Option<String>,
    /// LC_ALL and the locale.
    pub locale: Option<String>,
    /// Further variables of the environment.
    pub environment: Vec<(String, String)>,
    /// Process title.
    pub display_name: Option<String>,
    /// Prefix or virtual environment.
    pub python_home: Option<String>,
    /// Directories for sys.path, separated by `:`.
    pub python_path: Option<String>,
    /// PYTHON_EGG_CACHE.
    pub python_eggs: Option<String>,
    /// Time after which a thread is asked for the interpreter lock; None for that of CPython.
    pub switch_interval: Option<Duration>,
    /// What a process may use of the machine.
    pub limits: Limits,
    /// Who must own the scripts and their directories; None for anybody.
    pub script_owner: Option<ScriptOwner>,
    /// Number of processes.
    pub processes: u32,
    /// Worker threads of a process; 0 for service scripts.
    pub threads: u32,
    /// `wsgi.multiprocess`: whether `processes=` was given.
    pub multiprocess: bool,
    /// Whether applications may see httpd's scoreboard.
    pub server_metrics: bool,
    /// `wsgi.run_once`.
    pub run_once: bool,
    /// Backlog of the listening socket.
    pub listen_backlog: u32,
    /// Time for a shutdown; None for ever.
    pub shutdown_timeout: Option<Duration>,
    /// Time to finish requests before a replaced process shuts down; None for ever.
    pub graceful_timeout: Option<Duration>,
    /// The same after SIGUSR1.
    pub eviction_timeout: Option<Duration>,
    /// Age at which a process is replaced; None never.
    pub restart_interval: Option<Duration>,
    /// Time for connecting, retries included.
    pub connect_timeout: Duration,
    /// Time for one read or write between httpd and the group.
    pub socket_timeout: Duration,
    /// Time a request may wait for a thread; None for ever.
    pub queue_timeout: Option<Duration>,
    /// Idle time before what there is of a response is flushed to the client.
    pub response_flush_delay: Duration,
    /// Time for one write to the client while a response is relayed; None for httpd's own limit.
    pub response_socket_timeout: Option<Duration>,
    /// Longest response header line in bytes.
    pub header_buffer_size: u32,
    /// Bytes of a response that are relayed without a flush.
    pub response_buffer_size: u32,
    /// What of bodies waits in httpd.
    pub bodies: Bodies,
    /// Buffers of the sockets between httpd and the group.
    pub buffers: Buffers,
    /// Bytes of memory above which a process is replaced; None for any.
    pub memory_soft_limit: Option<u64>,
    /// Whether a restart of httpd leaves the processes of an unchanged group alone.
    pub keeps_on_restart: bool,
    /// Whether the first script that a process loads gets its main interpreter.
    pub first_gets_main: bool,
    /// How the processes change to new code.
    pub reload: ReloadMode,
    /// What the log records of its processes look like.
    pub log_format: LogFormat,
    /// Patterns of files whose change reloads the group.
    pub reload_on: Vec<String>,
    /// What the processes watch over themselves.
    pub timers: Timers,
}

impl DaemonGroup {
    /// `wsgi.multithread`.
    pub fn multithread(&self) -> bool {
        self.threads != 1
    }
}

/// A timeout where 0 means none.
fn unless_zero(timeout: Option<Duration>) -> Option<Duration> {
    timeout.filter(|timeout| !timeout.is_zero())
}

/// A size where 0 means the default.
fn size(given: Option<u32>, default: u32) -> u32 {
    given.filter(|size| *size != 0).unwrap_or(default)
}

/// A text where an empty one means none: what a template leaves when its variable is empty.
fn unless_empty(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A time in seconds; one that is too long for a number is as good as for ever.
fn interval(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// What was said about the use of the machine.
fn limits(options: &DaemonOptions) -> Limits {
    let seconds = options.cpu_time_limit.unwrap_or_default().as_secs();
    Limits {
        priority: options.cpu_priority.unwrap_or(0),
        cpu_time: u32::try_from(seconds).unwrap_or(u32::MAX),
        memory: options.memory_limit.unwrap_or(0),
        virtual_memory: options.virtual_memory_limit.unwrap_or(0),
        stack_size: options.stack_size.unwrap_or(0),
    }
}

/// What of bodies waits in httpd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bodies {
    /// Request bodies, where WSGIRequestBuffering does not say it.
    pub request: RequestBuffering,
    /// Bytes of a response that wait in memory for a slow client.
    pub response_memory: u32,
    /// Bytes of a response that wait in a file for a slow client; 0 for none, nor in memory.
    pub response_file: u64,
}

/// What was said about bodies.
fn bodies(options: &DaemonOptions) -> Bodies {
    Bodies {
        request: options.request_buffering.unwrap_or_default(),
        response_memory: size(options.response_buffer_size, RESPONSE_MEMORY),
        response_file: options.response_spool_limit.unwrap_or(RESPONSE_SPOOL_LIMIT),
    }
}

/// The sizes of socket buffers.
fn buffers(options: &DaemonOptions) -> Buffers {
    Buffers {
        send: options.send_buffer_size.unwrap_or(0),
        receive: options.receive_buffer_size.unwrap_or(0),
    }
}

/// `supplementary-groups` with the primary group in front.
fn all_groups(primary: u32, supplementary: &[u32]) -> Vec<u32> {
    let others = supplementary.iter().copied().filter(|group| *group != primary);
    std::iter::once(primary).chain(others).collect()
}

/// Of the two options at most one was given.
fn script_owner(options: &DaemonOptions) -> Option<ScriptOwner> {
    let user = options.script_user.as_ref().map(|account| ScriptOwner::User(account.uid));
    user.or(options.script_group.map(ScriptOwner::Group))
}

fn supplementary_groups(options: &DaemonOptions, gid: u32) -> Option<Vec<u32>> {
    options.supplementary_groups.as_ref().map(|groups| all_groups(gid, groups))
}

impl DaemonProcess {
    /// Puts the defaults in; `id` counts the groups of the configuration from 1.
    pub fn resolve(&self, id: u32, defaults: &Defaults<'_>) -> Result<DaemonGroup, ConfigError> {
        let options = &self.options;
        let account = self.account(defaults)?;
        let gid = options.group.filter(|_| defaults.is_root).unwrap_or(defaults.account.gid);
        let graceful_timeout = unless_zero(options.graceful_timeout.or(Some(GRACEFUL_TIMEOUT)));
        let own_home = (account.uid != defaults.account.uid).then(|| account.home.clone());
        Ok(DaemonGroup {
            name: self.name.clone(),
            id,
            server: self.server,
            switches_user: defaults.is_root,
            user: account.name.clone(),
            uid: account.uid,
            gid,
            user_home: account.home.clone(),
            supplementary_groups: supplementary_groups(options, gid),
            umask: options.umask,
            chroot: options.chroot.clone(),
            home: options.home.clone(),
            working_directory: options.home.clone().or(own_home),
            lang: unless_empty(options.lang.as_deref()),
            locale: unless_empty(options.locale.as_deref()),
            environment: environment::merge(options.env_file.as_ref(), options.env.as_ref())?,
            display_name: self.display_name(),
            python_home: unless_empty(options.python_home.as_deref())
                .or(defaults.python_home.map(str::to_owned)),
            python_path: unless_empty(options.python_path.as_deref()),
            python_eggs: unless_empty(options.python_eggs.as_deref()),
            switch_interval: options.switch_interval.map(interval),
            limits: limits(options),
            script_owner: script_owner(options),
            processes: options.processes.unwrap_or(1),
            threads: options.threads.unwrap_or(THREADS),
            multiprocess: options.processes.is_some(),
            server_metrics: options.server_metrics.unwrap_or(false),
            run_once: options.threads == Some(1) && options.maximum_requests == Some(1),
            listen_backlog: options.listen_backlog.unwrap_or(LISTEN_BACKLOG),
            shutdown_timeout: unless_zero(options.shutdown_timeout.or(Some(SHUTDOWN_TIMEOUT))),
            graceful_timeout,
            eviction_timeout: unless_zero(options.eviction_timeout).or(graceful_timeout),
            restart_interval: unless_zero(options.restart_interval),
            connect_timeout: options.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            socket_timeout: unless_zero(options.socket_timeout).unwrap_or(defaults.timeout),
            queue_timeout: unless_zero(options.queue_timeout),
            response_flush_delay: options.response_flush_delay.unwrap_or(RESPONSE_FLUSH_DELAY),
            response_socket_timeout: unless_zero(options.response_socket_timeout)
                .or(unless_zero(options.socket_timeout)),
            header_buffer_size: size(options.header_buffer_size, HEADER_BUFFER_SIZE),
            response_buffer_size: size(options.response_buffer_size, RESPONSE_BUFFER_SIZE),
            bodies: bodies(options),
            buffers: buffers(options),
            memory_soft_limit: options.memory_soft_limit.filter(|bytes| *bytes != 0),
            keeps_on_restart: options.on_restart.unwrap_or(false),
            first_gets_main: options.first_gets_main.unwrap_or(false),
            reload: options.reload.unwrap_or_default(),
            log_format: options.log_format.unwrap_or_default(),
            reload_on: options.reload_on.clone().unwrap_or_default(),
            timers: self.timers(),
        })
    }

    fn display_name(&self) -> Option<String> {
        unless_empty(self.options.display_name.as_deref()).map(|name| self.title(name))
    }

    /// Whom the processes run as: `user=` has no effect unless httpd can switch users.
    fn account<'a>(&'a self, defaults: &Defaults<'a>) -> Result<&'a Account, ConfigError> {
        let account = self.options.user.as_ref().filter(|_| defaults.is_root);
        let account = account.unwrap_or(defaults.account);
        if defaults.is_root && account.uid == 0 {
            return Err(ConfigError(format!(
                "WSGI process blocked from running as root. WSGIDaemonProcess {} has no user= and \
                 the User of httpd is root: give it one",
                self.name
            )));
        }
        Ok(account)
    }

    fn timers(&self) -> Timers {
        let options = &self.options;
        let seconds = |time: Option<Duration>| {
            time.map_or(0, |time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
        };
        Timers {
            maximum_requests: options.maximum_requests.unwrap_or(0),
            startup_timeout: seconds(options.startup_timeout),
            deadlock_timeout: seconds(options.deadlock_timeout.or(Some(DEADLOCK_TIMEOUT))),
            inactivity_timeout: seconds(options.inactivity_timeout),
            request_timeout: seconds(options.request_timeout),
            interrupt_timeout: seconds(options.interrupt_timeout),
        }
    }

    /// The process title for `display-name=`.
    fn title(&self, display_name: String) -> String {
        if display_name == "%{GROUP}" { format!("(wsgi:{})", self.name) } else { display_name }
    }
}
