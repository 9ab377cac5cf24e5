//! The table of the options of WSGIDaemonProcess, the 44 of mod_wsgi and ours: each is spelled
//! once, with how it is read, what holds without it, how far the work is and what to say about it.

use std::time::Duration;

use super::environment::Variables;
use super::value::Value;
use crate::control::{LogFormat, ReloadMode};
use crate::directives::RequestBuffering;
use crate::directives::Status::{self, Acts, NotNeeded};
use crate::directives::site::Account;

/// One option of WSGIDaemonProcess.
pub struct DaemonOption {
    /// As typed before the `=`.
    pub name: &'static str,
    /// What holds when it is not given, in words.
    pub default: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// How far the work on it is.
    pub status: Status,
    /// Whether mod_wsgi does not know it: a configuration that must also run there cannot have it.
    pub is_extension: bool,
    /// Reads the value into its field.
    pub(super) set: fn(&mut DaemonOptions, &Value<'_>) -> Result<(), String>,
}

/// A value of an option that may have been given before.
trait Given: Sized {
    /// The two as one: the last counts.
    fn behind(self, _earlier: Option<Self>) -> Self {
        self
    }
}

macro_rules! last_counts {
    ($( $type:ty ),+) => { $( impl Given for $type {} )+ };
}
last_counts!(
    Account,
    Duration,
    LogFormat,
    ReloadMode,
    RequestBuffering,
    String,
    Vec<String>,
    Vec<u32>
);
last_counts!(bool, f64, i32, u32, u64);

/// Those of all options of the name count.
impl Given for Variables {
    fn behind(self, earlier: Option<Self>) -> Self {
        let mut all = earlier.unwrap_or_default();
        all.extend(self);
        all
    }
}

/// Makes the struct of typed-in options and the table that fills it.
macro_rules! daemon_options {
    ($( is_extension: $is_extension:literal {
        $( $field:ident: $type:ty = $name:literal, $status:expr, default $default:literal,
           $help:literal, $read:expr; )+
    } )+) => {
        /// The options of one WSGIDaemonProcess line: None where not given.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct DaemonOptions { $( $( #[doc = $help] pub $field: Option<$type>, )+ )+ }

        /// All options, those of mod_wsgi in the order of the contract, then ours.
        pub const OPTIONS: &[DaemonOption] = &[ $( $( DaemonOption {
            name: $name,
            default: $default,
            help: $help,
            status: $status,
            is_extension: $is_extension,
            set: |options, value| {
                let read: fn(&Value<'_>) -> Result<$type, String> = $read;
                options.$field = Some(read(value)?.behind(options.$field.take()));
                Ok(())
            },
        }, )+ )+ ];
    };
}

daemon_options! {
    is_extension: false {
        user: Account = "user", Acts, default "the `User` of httpd",
            "User of the processes: a name or #uid, not root; takes effect when httpd is started by root.",
            |v| v.user();
        group: u32 = "group", Acts, default "the `Group` of httpd",
            "Primary group of the processes: a name or #gid.",
            |v| v.group("group");
        supplementary_groups: Vec<u32> = "supplementary-groups", Acts,
            default "the groups of the user",
            "Comma separated list of further groups (names or #gid) instead of those of the user.",
            |v| v.groups();
        umask: u32 = "umask", Acts, default "that of httpd",
            "File mode creation mask, in octal.",
            |v| v.umask();
        chroot: String = "chroot", Acts, default "none",
            "Directory that becomes the root of the processes' file system.",
            |v| v.chroot();
        home: String = "home", Acts,
            default "the home directory of `user`, where that is not the `User` of httpd",
            "Absolute path of the working directory, which also comes first on sys.path.",
            |v| v.absolute_path("home directory");
        lang: String = "lang", Acts, default "that of httpd; C.UTF-8 instead of C",
            "Value of the environment variable LANG.",
            |v| v.text();
        locale: String = "locale", Acts, default "that of httpd; C.UTF-8 instead of C",
            "Value of the environment variable LC_ALL, set as the locale of the processes.",
            |v| v.text();
        display_name: String = "display-name", Acts, default "none",
            "What ps shows as the name of the processes; %{GROUP} stands for (wsgi:NAME).",
            |v| v.text();
        cpu_priority: i32 = "cpu-priority", Acts, default "0",
            "Nice value of the processes, -20 to 20.",
            |v| v.priority();
        cpu_time_limit: Duration = "cpu-time-limit", Acts, default "0: none",
            "Seconds of CPU time after which a process is replaced.",
            |v| v.seconds("CPU time limit");
        memory_limit: u64 = "memory-limit", Acts, default "0: none",
            "Limit of a process's data segment in bytes.",
            |v| v.limit("memory limit", 0);
        virtual_memory_limit: u64 = "virtual-memory-limit", Acts, default "0: none",
            "Limit of a process's address space in bytes.",
            |v| v.limit("virtual memory limit", 0);
        stack_size: u64 = "stack-size", Acts, default "that of the system",
            "Stack of a worker thread in bytes.",
            |v| v.limit("stack size", 1);
        socket_user: Account = "socket-user", NotNeeded, default "the `User` of httpd",
            "Owner of the listening socket: a name or #uid.",
            |v| v.account("socket user", "Couldn't determine user name from socket user.");
        script_user: Account = "script-user", Acts, default "anyone",
            "User that must own the script and its directory: a name or #uid.",
            |v| v.script_user();
        script_group: u32 = "script-group", Acts, default "any",
            "Group that must own the script and its directory: a name or #gid.",
            |v| v.script_group();
        python_home: String = "python-home", Acts, default "WSGIPythonHome",
            "Prefix of a Python installation or root of a virtual environment.",
            |v| v.text();
        python_path: String = "python-path", Acts, default "none",
            "Directories, separated by `:`, to put at the front of sys.path; their .pth files count.",
            |v| v.text();
        python_eggs: String = "python-eggs", Acts, default "none",
            "Directory for unpacked eggs (PYTHON_EGG_CACHE).",
            |v| v.text();
        switch_interval: f64 = "switch-interval", Acts, default "that of Python, 0.005",
            "Seconds after which a thread is asked to give up the interpreter lock.",
            |v| v.interval();
        server_metrics: bool = "server-metrics", Acts, default "Off",
            "Whether mod_wsgi.server_metrics() works in this group.",
            |v| v.flag("server metrics flag");
        processes: u32 = "processes", Acts, default "1",
            "Number of processes; giving it at all makes wsgi.multiprocess true.",
            |v| v.count("process count", 1);
        threads: u32 = "threads", Acts, default "15",
            "Worker threads of a process; 0 makes the group run service scripts.",
            |v| v.count_in("thread count", 0..=65533);
        maximum_requests: u32 = "maximum-requests", Acts, default "0: no limit",
            "Requests after which a process is replaced.",
            |v| v.count("request count", 0);
        listen_backlog: u32 = "listen-backlog", Acts, default "100",
            "Connections that may wait for a thread of the group.",
            |v| v.count("listen backlog", 0);
        startup_timeout: Duration = "startup-timeout", Acts, default "0: none",
            "Seconds within which the application must have loaded.",
            |v| v.seconds("startup timeout");
        shutdown_timeout: Duration = "shutdown-timeout", Acts, default "5",
            "Seconds that a process has for its shutdown; 0 waits for ever.",
            |v| v.seconds("shutdown timeout");
        deadlock_timeout: Duration = "deadlock-timeout", Acts, default "300",
            "Seconds without the interpreter lock after which a process is replaced.",
            |v| v.seconds("deadlock timeout");
        inactivity_timeout: Duration = "inactivity-timeout", Acts, default "0: none",
            "Seconds without requests after which a process is replaced.",
            |v| v.seconds("inactivity timeout");
        request_timeout: Duration = "request-timeout", Acts, default "0: none",
            "Seconds that a request may take, scaled by the number of threads.",
            |v| v.seconds("request timeout");
        interrupt_timeout: Duration = "interrupt-timeout", Acts, default "0: none",
            "Seconds that an interrupted request has before its process is replaced.",
            |v| v.seconds("interrupt timeout");
        graceful_timeout: Duration = "graceful-timeout", Acts, default "15",
            "Seconds that a process has to finish its requests when it is to be replaced.",
            |v| v.seconds("graceful timeout");
        eviction_timeout: Duration = "eviction-timeout", Acts,
            default "0: as graceful-timeout",
            "The same after SIGUSR1.",
            |v| v.seconds("eviction timeout");
        restart_interval: Duration = "restart-interval", Acts, default "0: none",
            "Seconds after which a process is replaced.",
            |v| v.seconds("restart interval");
        connect_timeout: Duration = "connect-timeout", Acts, default "15",
            "Seconds for which httpd tries to connect to the group.",
            |v| v.seconds("connect timeout");
        socket_timeout: Duration = "socket-timeout", Acts, default "0: the `Timeout` of httpd",
            "Seconds that one read or write between httpd and the group may take.",
            |v| v.seconds("socket timeout");
        queue_timeout: Duration = "queue-timeout", Acts, default "0: none",
            "Seconds that a request may wait for a thread.",
            |v| v.seconds("queue timeout");
        response_socket_timeout: Duration = "response-socket-timeout", Acts,
            default "0: socket-timeout, if given",
            "Seconds that one write to the client may take while a response is relayed.",
            |v| v.seconds("response socket timeout");
        response_flush_delay: Duration = "response-flush-delay", Acts, default "5",
            "Milliseconds without output after which what there is goes to the client; 0 is at once.",
            |v| v.milliseconds("response flush delay");
        send_buffer_size: u32 = "send-buffer-size", Acts, default "0: that of the system",
            "Send buffer of the listening socket in bytes, at least 512.",
            |v| v.buffer("Send buffer size", 512, "system default");
        receive_buffer_size: u32 = "receive-buffer-size", Acts,
            default "0: that of the system",
            "Receive buffer of the listening socket in bytes, at least 512.",
            |v| v.buffer("Receive buffer size", 512, "system default");
        header_buffer_size: u32 = "header-buffer-size", Acts, default "0: 32768",
            "Longest response header (name and value) in bytes, at least 8192.",
            |v| v.buffer("Header buffer size", 8192, "default");
        response_buffer_size: u32 = "response-buffer-size", Acts, default "0: 8388608",
            "Bytes of a response that are relayed without a flush, at least 65536.",
            |v| v.buffer("Response buffer size", 65536, "default");
    }
    is_extension: true {
        memory_soft_limit: u64 = "memory-soft-limit", Acts, default "0: none",
            "Bytes of memory above which a process is replaced once it has no request.",
            |v| v.limit("memory soft limit", 0);
        on_restart: bool = "on-restart", Acts, default "replace",
            "Whether a restart of httpd replaces the processes of an unchanged group: replace or keep.",
            |v| v.keeps_on_restart();
        first_gets_main: bool = "application-group", Acts, default "that of WSGIApplicationGroup",
            "With auto the first script that a process loads gets its main interpreter, unless WSGIApplicationGroup is set.",
            |v| v.first_gets_main();
        reload: ReloadMode = "reload", Acts, default "restart",
            "How the processes of a group change to new code: all at once (restart), rolling, or off.",
            |v| v.reload_mode();
        reload_on: Vec<String> = "reload-on", Acts, default "none",
            "Patterns of absolute paths, separated by `:`: a change of such a file reloads the group.",
            |v| v.patterns();
        request_buffering: RequestBuffering = "request-buffering", Acts, default "On",
            "Whether httpd reads request bodies first where WSGIRequestBuffering is not set.",
            |v| v.request_buffering();
        response_spool_limit: u64 = "response-spool-limit", Acts, default "1073741824",
            "Bytes of a response that httpd keeps in a temporary file for a slow client; 0 keeps nothing.",
            |v| v.limit("response spool limit", 0);
        log_format: LogFormat = "log-format", Acts, default "text",
            "What the log records of the group's processes look like: text, or json for one object in a line each.",
            |v| v.log_format();
        env: Variables = "env", Acts, default "none",
            "NAME=value: a variable for the environment of the processes; may be given several times.",
            |v| v.variable();
        env_file: Variables = "env-file", Acts, default "none",
            "File with a NAME=value on each line, read when httpd reads its configuration; env= wins.",
            |v| v.environment_file();
    }
}
