//! The typed-in configuration: one for the whole httpd, one per server, one per directory.

use std::collections::BTreeSet;

use super::daemon::DaemonProcess;
use super::scoped::{Inherit, Scoped, settings};
use super::site::ServerId;

/// `process-group=`, `application-group=`, `callable-object=`, `pass-authorization=` of a
/// script alias: only what was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AliasOptions {
    /// Process group; `%{GLOBAL}` is "" already.
    pub process_group: Option<String>,
    /// Application group; `%{GLOBAL}` is "" already.
    pub application_group: Option<String>,
    /// Callable, taken literally.
    pub callable_object: Option<String>,
    /// Whether the Authorization header is passed.
    pub pass_authorization: Option<bool>,
}

/// The URLs of a script alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    /// WSGIScriptAlias: a literal prefix.
    Prefix(String),
    /// WSGIScriptAliasMatch: a regular expression of httpd's.
    Pattern {
        /// As typed.
        text: String,
        /// The number `Facts::compile` gave.
        compiled: usize,
    },
}

/// One WSGIScriptAlias or WSGIScriptAliasMatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptAlias {
    /// Which URLs.
    pub mount: Mount,
    /// File or directory; of a pattern with `$0`..`$9` in it.
    pub target: String,
    /// Inline options.
    pub options: AliasOptions,
    /// File of the line.
    pub file: String,
    /// Line in the file.
    pub line: u32,
}

/// A script to load when processes start (WSGIImportScript, or an alias by the preload rule).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportScript {
    /// The script.
    pub path: String,
    /// Process group; "" for every httpd child.
    pub process_group: String,
    /// Application group; "" for the main interpreter.
    pub application_group: String,
    /// Server of the line.
    pub server: ServerId,
}

/// A line that names a process group, for the review of the complete configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupReference {
    /// The directive of the line.
    pub directive: &'static str,
    /// The name, which is no variable.
    pub name: String,
    /// Whether it only selects what else is said about the group, and sends no request there.
    pub is_selector: bool,
    /// Server of the line.
    pub server: ServerId,
    /// File of the line.
    pub file: String,
    /// Line in the file.
    pub line: u32,
}

/// One of the scripts for access, users and groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthScript {
    /// The script.
    pub path: String,
    /// `application-group=`, to be expanded per request.
    pub application_group: Option<String>,
}

/// WSGIPythonHashSeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashSeed {
    /// A new seed for every process.
    Random,
    /// This seed; 0 switches randomisation off.
    Fixed(u32),
}

/// The telemetry directives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {
    /// Path of the socket (without `unix:`).
    pub socket: Option<String>,
    /// Seconds between reports.
    pub interval: Option<f64>,
    /// WSGISlowRequests, in seconds; 0 is off.
    pub slow_requests: Option<f64>,
    /// WSGITelemetryOptions CaptureUserAgent.
    pub capture_user_agent: bool,
}

/// What `<WSGIInterpreterOptions>` may set; the same values at top level are the base.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InterpreterOptions {
    /// WSGIPerInterpreterGIL.
    pub per_interpreter_gil: Option<bool>,
    /// WSGIFreeThreading.
    pub free_threading: Option<bool>,
    /// WSGISwitchInterval, in seconds.
    pub switch_interval: Option<f64>,
    /// WSGIPythonPath, as typed: `:` separated.
    pub python_path: Option<String>,
    /// WSGIRestrictStdin.
    pub restrict_stdin: Option<bool>,
    /// WSGIRestrictStdout.
    pub restrict_stdout: Option<bool>,
    /// WSGIRestrictSignal.
    pub restrict_signal: Option<bool>,
}

/// One `<WSGIInterpreterOptions>` block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InterpreterBlock {
    /// Selector `process-group=`; None matches all, "" is embedded.
    pub process_group: Option<String>,
    /// Selector `application-group=`; None matches all, "" is the main interpreter.
    pub application_group: Option<String>,
    /// What it sets.
    pub options: InterpreterOptions,
}

/// What exists once for the whole httpd.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GlobalConfig {
    /// WSGIPythonHome.
    pub python_home: Option<String>,
    /// WSGIPythonEggs.
    pub python_eggs: Option<String>,
    /// WSGIPythonOptimize.
    pub python_optimize: Option<u8>,
    /// WSGIDontWriteBytecode.
    pub dont_write_bytecode: Option<bool>,
    /// WSGIPythonWarnings, in the order given.
    pub python_warnings: Vec<String>,
    /// WSGIPythonHashSeed.
    pub python_hash_seed: Option<HashSeed>,
    /// WSGIDestroyInterpreter.
    pub destroy_interpreter: Option<bool>,
    /// WSGIRestrictEmbedded.
    pub restrict_embedded: Option<bool>,
    /// WSGICaseSensitivity.
    pub case_sensitivity: Option<bool>,
    /// WSGISocketPrefix, absolute.
    pub socket_prefix: Option<String>,
    /// WSGISocketRotation.
    pub socket_rotation: Option<bool>,
    /// WSGIAcceptMutex, lower case.
    pub accept_mutex: Option<String>,
    /// WSGIServerMetrics.
    pub server_metrics: Option<bool>,
    /// Telemetry directives.
    pub telemetry: Telemetry,
    /// What holds for every interpreter (WSGIPythonPath, WSGISwitchInterval, …).
    pub interpreter: InterpreterOptions,
    /// `<WSGIInterpreterOptions>` blocks in the order given.
    pub interpreter_blocks: Vec<InterpreterBlock>,
    /// WSGIDaemonProcess of all servers, in the order given.
    pub daemon_processes: Vec<DaemonProcess>,
    /// The lines that name process groups.
    pub group_references: Vec<GroupReference>,
    /// WSGIImportScript and preloaded aliases, in the order given.
    pub import_scripts: Vec<ImportScript>,
    /// Whether a script that runs in httpd's children was configured.
    pub scripts_in_children: bool,
    /// Whether lines now belong to the last of `interpreter_blocks`.
    pub(crate) block_is_open: bool,
    /// Directives and options whose "no effect yet" line was written.
    pub(crate) announced: BTreeSet<&'static str>,
}

impl GlobalConfig {
    /// Whether httpd's children need Python at all.
    pub fn children_need_python(&self) -> bool {
        self.restrict_embedded != Some(true)
            || self.scripts_in_children
            || self.import_scripts.iter().any(|script| script.process_group.is_empty())
    }

    /// Ends a `<WSGIInterpreterOptions>` block: the glue calls it when it has walked the lines
    /// inside.
    pub fn close_block(&mut self) {
        self.block_is_open = false;
    }
}

/// What a server (main or virtual) has of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerConfig {
    /// Script aliases: the server's own first, then those of the main server.
    pub aliases: Vec<ScriptAlias>,
    /// What a directory may override.
    pub scoped: Scoped,
}

impl ServerConfig {
    /// The configuration of a virtual host (`add`) on top of the main server's (`base`).
    #[must_use]
    pub fn merge(base: &Self, add: &Self) -> Self {
        Self {
            aliases: add.aliases.iter().chain(&base.aliases).cloned().collect(),
            scoped: Scoped::merge(&base.scoped, &add.scoped),
        }
    }
}

settings! {
    /// What a directory-like section or .htaccess sets.
    pub struct DirConfig {
        /// What a server has too.
        scoped: Scoped,
        /// WSGIAccessScript.
        access_script: Option<AuthScript>,
        /// WSGIAuthUserScript.
        auth_user_script: Option<AuthScript>,
        /// WSGIAuthGroupScript.
        auth_group_script: Option<AuthScript>,
        /// WSGIGroupAuthoritative, without meaning.
        group_authoritative: Option<bool>,
    }
}

impl Inherit for Scoped {
    fn inherit(base: &Self, add: &Self) -> Self {
        Self::merge(base, add)
    }
}
