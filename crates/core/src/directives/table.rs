//! The table of all directives, in the order of the contract. Making one act is a change of its
//! status here.

use super::Arguments::{Flag, Iterate, Raw, Section, Take1, Take12};
use super::Context::{AuthConfig, FileInfo, Global, Server, ServerOrDirectory};
use super::Status::{Acts, Inert, NotNeeded, Removed};
use super::line::Line;
use super::site::ConfigError;
use super::{Arguments, Context, Directive, Status};
use super::{behaviour as b, buffering, daemon, interpreter as i, proxies, removed, scripts};

/// A directive's function.
type Apply = fn(&mut Line<'_>) -> Result<(), ConfigError>;

/// One row of the table.
const fn row(
    name: &'static str,
    (context, arguments, status): (Context, Arguments, Status),
    default: &'static str,
    help: &'static str,
    apply: Apply,
) -> Directive {
    Directive { name, context, arguments, default, help, status, is_extension: false, apply }
}

/// A row that mod_wsgi does not have.
const fn ours(row: Directive) -> Directive {
    Directive { is_extension: true, ..row }
}

/// Every directive of mod_wsgi 6, each once, names of older versions, and ours.
pub static DIRECTIVES: &[Directive] = &[
    // Mounting applications.
    row(
        "WSGIScriptAlias",
        (Server, Raw, Acts),
        "none",
        "URL path and the script (or folder of scripts) that answers it, then name=value options.",
        scripts::script_alias,
    ),
    row(
        "WSGIScriptAliasMatch",
        (Server, Raw, Acts),
        "none",
        "Regular expression for URLs and the script, with $0 to $9, then name=value options.",
        scripts::script_alias_match,
    ),
    row(
        "WSGIHandlerScript",
        (ServerOrDirectory, Raw, Acts),
        "none",
        "Name of a handler and the script whose handle_request answers for it, then options.",
        scripts::handler_script,
    ),
    row(
        "WSGIImportScript",
        (Server, Raw, Acts),
        "none",
        "Script to load when processes start, with process-group= and application-group=.",
        scripts::import_script,
    ),
    row(
        "WSGIDispatchScript",
        (ServerOrDirectory, Raw, Acts),
        "none",
        "Script that chooses groups and callable for each request, then application-group=.",
        scripts::dispatch_script,
    ),
    row(
        "WSGIProcessGroup",
        (ServerOrDirectory, Take1, Acts),
        "embedded",
        "Name of the process group whose processes run the application.",
        b::process_group,
    ),
    row(
        "WSGIApplicationGroup",
        (ServerOrDirectory, Take1, Acts),
        "%{RESOURCE}",
        "Name of the interpreter that runs the application; %{GLOBAL} is the main one.",
        |l| b::scoped_name(l, |s| &mut s.application_group),
    ),
    row(
        "WSGICallableObject",
        (FileInfo, Take1, Acts),
        "application",
        "Name of the callable in the script.",
        b::callable_object,
    ),
    row(
        "WSGIRestrictProcess",
        (ServerOrDirectory, Iterate, Acts),
        "unrestricted",
        "Names of the process groups that may be used; %{GLOBAL} is embedded.",
        b::restrict_process,
    ),
    // Behaviour per request.
    row(
        "WSGIScriptReloading",
        (FileInfo, Flag, Acts),
        "On",
        "Whether a changed script is loaded again.",
        |l| b::scoped_flag(l, |s| &mut s.script_reloading),
    ),
    row(
        "WSGIPassAuthorization",
        (FileInfo, Flag, Acts),
        "Off",
        "Whether the application sees the Authorization header.",
        |l| b::scoped_flag(l, |s| &mut s.pass_authorization),
    ),
    row(
        "WSGIPassApacheRequest",
        (ServerOrDirectory, Flag, Acts),
        "Off",
        "Whether an embedded application gets httpd's request record.",
        |l| b::scoped_flag(l, |s| &mut s.pass_apache_request),
    ),
    row(
        "WSGIErrorOverride",
        (FileInfo, Flag, Acts),
        "Off",
        "Whether httpd's error pages replace those of the application.",
        |l| b::scoped_flag(l, |s| &mut s.error_override),
    ),
    row(
        "WSGIChunkedRequest",
        (FileInfo, Flag, Acts),
        "Off",
        "Whether request bodies of unknown length are accepted.",
        |l| b::scoped_flag(l, |s| &mut s.chunked_request),
    ),
    row(
        "WSGIMapHEADToGET",
        (FileInfo, Take1, Acts),
        "Auto",
        "Whether the application sees HEAD as GET: Off, On, or Auto where a filter needs the body.",
        b::map_head,
    ),
    row(
        "WSGIIgnoreActivity",
        (FileInfo, Flag, Acts),
        "Off",
        "Whether requests here leave the inactivity timer of their process alone.",
        |l| b::scoped_flag(l, |s| &mut s.ignore_activity),
    ),
    row(
        "WSGIEnableSendfile",
        (FileInfo, Flag, Acts),
        "Off",
        "Whether files of wsgi.file_wrapper may be sent by sendfile.",
        |l| b::scoped_flag(l, |s| &mut s.enable_sendfile),
    ),
    row(
        "WSGITrustedProxyHeaders",
        (FileInfo, Iterate, Acts),
        "none",
        "Names of the headers of trusted proxies that replace what httpd sees.",
        proxies::headers,
    ),
    row(
        "WSGITrustedProxies",
        (FileInfo, Iterate, Acts),
        "every peer",
        "Addresses and networks of trusted proxies.",
        proxies::networks,
    ),
    // Access control.
    row(
        "WSGIAccessScript",
        (AuthConfig, Raw, Acts),
        "none",
        "Script whose allow_access decides by host, then application-group=.",
        |l| {
            let invalid = "Invalid option to WSGI access script definition.";
            scripts::auth_script(l, "access", |d| &mut d.access_script, invalid)
        },
    ),
    row(
        "WSGIAuthUserScript",
        (AuthConfig, Raw, Acts),
        "none",
        "Script of the authentication provider wsgi, then application-group=.",
        |l| {
            let invalid = "Invalid option to WSGI auth user script definition.";
            scripts::auth_script(l, "auth user", |d| &mut d.auth_user_script, invalid)
        },
    ),
    row(
        "WSGIAuthGroupScript",
        (AuthConfig, Raw, Acts),
        "none",
        "Script that knows the groups of a user for Require wsgi-group, then application-group=.",
        |l| {
            let invalid = "Invalid option to WSGI auth group script definition.";
            scripts::auth_script(l, "auth group", |d| &mut d.auth_group_script, invalid)
        },
    ),
    row(
        "WSGIGroupAuthoritative",
        (AuthConfig, Flag, Inert),
        "-",
        "Require wsgi-group decides by itself.",
        |l| {
            let value = l.take_flag()?;
            l.dir()?.group_authoritative = Some(value);
            Ok(())
        },
    ),
    // Python.
    row(
        "WSGIPythonHome",
        (Global, Take1, Acts),
        "the Python that the module was installed for",
        "Prefix of a Python installation or root of a virtual environment.",
        |l| b::global_text(l, |g| &mut g.python_home),
    ),
    row(
        "WSGIPythonPath",
        (Global, Take1, Acts),
        "none",
        "Directories, separated by ':', for the front of sys.path of embedded interpreters.",
        i::python_path,
    ),
    row(
        "WSGIPythonEggs",
        (Global, Take1, Acts),
        "none",
        "Directory for unpacked eggs (PYTHON_EGG_CACHE) of embedded interpreters.",
        |l| b::global_text(l, |g| &mut g.python_eggs),
    ),
    row(
        "WSGIPythonOptimize",
        (Global, Take1, Acts),
        "0",
        "Optimisation level as of python -O.",
        i::python_optimize,
    ),
    row(
        "WSGIDontWriteBytecode",
        (Global, Flag, Acts),
        "Off",
        "Whether Python writes no .pyc files.",
        |l| b::global_flag(l, |g| &mut g.dont_write_bytecode),
    ),
    row(
        "WSGIPythonWarnings",
        (Global, Take1, Acts),
        "none",
        "Warning filter as of python -W; may be given several times.",
        i::python_warnings,
    ),
    row(
        "WSGIPythonHashSeed",
        (Global, Take1, Acts),
        "random",
        "Seed of string hashes: random, or a number.",
        i::python_hash_seed,
    ),
    row(
        "WSGISwitchInterval",
        (Global, Take1, Acts),
        "that of Python, 0.005",
        "Seconds after which a thread is asked to give up the interpreter lock.",
        i::switch_interval,
    ),
    row(
        "WSGIDestroyInterpreter",
        (Global, Flag, Acts),
        "On",
        "Whether interpreters are ended properly when a process ends.",
        |l| b::global_flag(l, |g| &mut g.destroy_interpreter),
    ),
    row(
        "WSGIPerInterpreterGIL",
        (Global, Flag, Acts),
        "Off",
        "Whether new sub-interpreters get a lock of their own (Python 3.12 and later).",
        |l| i::interpreter_flag(l, |o| &mut o.per_interpreter_gil),
    ),
    row(
        "WSGIFreeThreading",
        (Global, Flag, Acts),
        "Off",
        "Whether a free-threaded Python runs without its lock.",
        i::free_threading,
    ),
    row(
        "WSGIRestrictEmbedded",
        (Global, Flag, Acts),
        "Off",
        "Whether applications may not run in httpd's own processes.",
        |l| b::global_flag(l, |g| &mut g.restrict_embedded),
    ),
    row(
        "WSGIRestrictStdin",
        (Global, Flag, Acts),
        "Off",
        "Whether applications are kept from sys.stdin.",
        |l| i::interpreter_flag(l, |o| &mut o.restrict_stdin),
    ),
    row(
        "WSGIRestrictStdout",
        (Global, Flag, Acts),
        "Off",
        "Whether applications are kept from sys.stdout.",
        |l| i::interpreter_flag(l, |o| &mut o.restrict_stdout),
    ),
    row(
        "WSGIRestrictSignal",
        (Global, Flag, Acts),
        "On",
        "Whether signal handlers of applications are ignored.",
        |l| i::interpreter_flag(l, |o| &mut o.restrict_signal),
    ),
    row(
        "WSGICaseSensitivity",
        (Global, Flag, Acts),
        "On",
        "Whether the file system tells upper from lower case.",
        |l| b::global_flag(l, |g| &mut g.case_sensitivity),
    ),
    row(
        "WSGISocketPrefix",
        (Global, Take1, NotNeeded),
        "DefaultRuntimeDir/wsgi",
        "Beginning of the names of sockets and locks, relative to ServerRoot.",
        i::socket_prefix,
    ),
    row(
        "WSGISocketRotation",
        (Global, Flag, NotNeeded),
        "On",
        "Whether socket names change at a restart.",
        |l| b::global_flag(l, |g| &mut g.socket_rotation),
    ),
    row(
        "WSGIAcceptMutex",
        (Global, Take1, NotNeeded),
        "default",
        "Kind of lock around accepting: default, flock, fcntl, sysvsem, posixsem or pthread.",
        i::accept_mutex,
    ),
    row(
        "WSGIServerMetrics",
        (Global, Flag, Acts),
        "Off",
        "Whether mod_wsgi.server_metrics() works in embedded interpreters.",
        |l| b::global_flag(l, |g| &mut g.server_metrics),
    ),
    row(
        "WSGITelemetryService",
        (Global, Take12, Acts),
        "none",
        "Socket for reports, as unix:/path, and interval=seconds between them.",
        i::telemetry_service,
    ),
    row(
        "WSGISlowRequests",
        (Global, Take1, Acts),
        "none",
        "Seconds after which a request is reported as slow; 0 is never.",
        i::slow_requests,
    ),
    row(
        "WSGITelemetryOptions",
        (Global, Iterate, Acts),
        "None",
        "What reports contain: CaptureUserAgent with or without + or -, None or All.",
        i::telemetry_options,
    ),
    row(
        "WSGIVerboseDebugging",
        (Global, Flag, Inert),
        "-",
        "Use LogLevel wsgi:debug or wsgi:trace1 instead.",
        |l| l.take_flag().map(drop),
    ),
    row(
        "<WSGIInterpreterOptions",
        (Global, Section, Acts),
        "none",
        "Interpreter directives for one process group or application group only.",
        i::open_block,
    ),
    // Daemon processes.
    row(
        "WSGIDaemonProcess",
        (Server, Raw, Acts),
        "none",
        "Name of a process group and its name=value options.",
        daemon::parse,
    ),
    // Names of older versions.
    row(
        "WSGILazyInitialization",
        (Global, Raw, Removed),
        "-",
        "Remove the line: Python is always started when a process needs it.",
        removed::ignored,
    ),
    row(
        "WSGINewRelicConfigFile",
        (Global, Raw, Removed),
        "-",
        "Call newrelic.agent.initialize() in the script, with the file.",
        removed::ignored,
    ),
    row(
        "WSGINewRelicEnvironment",
        (Global, Raw, Removed),
        "-",
        "Call newrelic.agent.initialize() in the script, with the environment.",
        removed::ignored,
    ),
    row(
        "WSGIPy3kWarningFlag",
        (Global, Raw, Removed),
        "-",
        "Remove the line: it was for Python 2.",
        removed::ignored,
    ),
    row(
        "WSGIReloadMechanism",
        (FileInfo, Raw, Removed),
        "-",
        "Use WSGIScriptReloading, and the option reload= of WSGIDaemonProcess.",
        removed::ignored,
    ),
    row(
        "WSGIOutputBuffering",
        (FileInfo, Raw, Removed),
        "-",
        "Remove the line: blocks of a response that come quickly are always sent together.",
        removed::ignored,
    ),
    row(
        "WSGICatchExceptions",
        (FileInfo, Raw, Removed),
        "-",
        "Remove the line: exceptions of applications are always logged.",
        removed::ignored,
    ),
    row(
        "WSGIUserAuthoritative",
        (AuthConfig, Raw, Removed),
        "-",
        "Use AuthBasicAuthoritative, or the order of AuthBasicProvider.",
        removed::ignored,
    ),
    row(
        "WSGIAuthScript",
        (AuthConfig, Raw, Removed),
        "-",
        "Use WSGIAuthUserScript with AuthBasicProvider wsgi or AuthDigestProvider wsgi.",
        removed::refused,
    ),
    row(
        "WSGIPythonExecutable",
        (Global, Raw, Removed),
        "-",
        "Use WSGIPythonHome, or python-home= of WSGIDaemonProcess.",
        removed::refused,
    ),
    // Ours.
    ours(row(
        "WSGIRequestBuffering",
        (FileInfo, Take1, Acts),
        "`request-buffering` of the process group, or On",
        "Whether httpd reads a body before the application runs: On, Off, or bytes kept in memory.",
        buffering::directive,
    )),
    ours(row(
        "WSGISendfileRoot",
        (ServerOrDirectory, Iterate, Acts),
        "none: the header is passed on",
        "Directories of the files that applications may have sent by the header X-Sendfile.",
        b::sendfile_root,
    )),
];
