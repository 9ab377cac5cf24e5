//! Every directive of the module: what it is called, where it may stand, what it does to the
//! configuration.
//!
//! A line takes this way: httpd's glue finds the [`Directive`] in [`DIRECTIVES`] and calls
//! [`apply`] with the rest of the line and a [`Site`]. What was typed lands in [`GlobalConfig`],
//! [`ServerConfig`] or [`DirConfig`], where everything is `Option` until it is resolved; the
//! latter two are merged by httpd's rules, and `crate::mapping` resolves them for a request.
//!
//! * [`table`](DIRECTIVES): names, contexts, help, state of work; the one source of the command
//!   table, of docs/directives.md and of the tests.
//! * `words`, `value`: httpd's word splitting, `name=value` options, flags and strict numbers.
//! * `site`: where a line stands, and the questions only the outside can answer ([`Facts`]).
//! * `config`, `scoped`: the typed configuration and its merging.
//! * `behaviour`, `buffering`, `scripts`, `proxies`, `interpreter`: the directives by kind.
//! * `removed`: names that mod_wsgi no longer has.
//! * `groups`: which process group a virtual host may use; preloading.
//! * `daemon`: WSGIDaemonProcess with its options and their resolution.
//! * `python_home`: whether a prefix or venv can be used, and its version.
//! * `reader`: what the permissions of files let the user of a group do.
//! * `review`: what is odd about a configuration although each of its lines is right.
//! * `nearest`: the name that was probably meant.
//! * `document`: the generated page of documentation.
//!
//! Invariant: nothing here has a default before it is resolved, and no value is stored that was
//! not valid.

mod behaviour;
mod buffering;
mod config;
pub mod daemon;
pub mod document;
mod groups;
mod interpreter;
mod line;
mod nearest;
mod proxies;
mod python_home;
mod reader;
mod removed;
mod review;
mod scoped;
mod scripts;
mod site;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod words;

use line::Line;

pub use buffering::RequestBuffering;
pub use config::{
    AliasOptions, AuthScript, DirConfig, GlobalConfig, HashSeed, ImportScript, InterpreterBlock,
    InterpreterOptions, Mount, ScriptAlias, ServerConfig, Telemetry,
};
pub use groups::{NamedServer, Visibility, visibility};
pub use python_home::check_python_home;
pub use reader::Reader;
pub use review::{TreeLine, review};
pub use scoped::{DispatchScript, HandlerScript, HandlerScripts, MapHead, Scoped, TrustedNetwork};
pub use site::{
    Account, ConfigError, Facts, FileFacts, Notice, NoticeLevel, PythonVersion, Scope, ServerId,
    Site, Target,
};
pub use table::DIRECTIVES;

/// Where a directive may stand, in the words of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Main server only (`RSRC_CONF`, refused in a virtual host).
    Global,
    /// Main server or virtual host (`RSRC_CONF`).
    Server,
    /// Also in directory-like sections, not in .htaccess (`ACCESS_CONF | RSRC_CONF`).
    ServerOrDirectory,
    /// Also in .htaccess under `AllowOverride FileInfo` (`OR_FILEINFO`).
    FileInfo,
    /// Directory-like section or .htaccess under `AllowOverride AuthConfig` (`OR_AUTHCFG`).
    AuthConfig,
}

/// The shape of a directive's arguments, in httpd's words. The glue registers all of them as
/// `RAW_ARGS`; the shape is checked here, with httpd's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// One word.
    Take1,
    /// One or two words.
    Take12,
    /// `On` or `Off`.
    Flag,
    /// One or more words.
    Iterate,
    /// Words, then `name=value` options: the directive reads them itself.
    Raw,
    /// A section: `<Name selectors>` … `</Name>`.
    Section,
}

/// How far the work on a directive or option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Does what the contract says.
    Acts,
    /// Accepted for old configurations, without meaning since mod_wsgi 6.
    Inert,
    /// Validated, and that is all: what it arranges is not needed here, nobody misses an effect.
    NotNeeded,
    /// mod_wsgi 6 does not know it any more: the help says what to write instead.
    Removed,
}

/// One directive.
pub struct Directive {
    /// As registered with httpd; a section's name starts with `<`.
    pub name: &'static str,
    /// Where it may stand.
    pub context: Context,
    /// Shape of its arguments.
    pub arguments: Arguments,
    /// What holds when it is not given, in words.
    pub default: &'static str,
    /// One sentence for `httpd -L`, error texts and the documentation.
    pub help: &'static str,
    /// How far the work on it is.
    pub status: Status,
    /// Whether mod_wsgi does not know it.
    pub is_extension: bool,
    /// Reads the line and stores what it says.
    pub(crate) apply: fn(&mut Line<'_>) -> Result<(), ConfigError>,
}

/// The words of a line by httpd's rules (white space, quotes).
pub fn split_words(line: &str) -> Vec<String> {
    let mut words = words::Words::new(line);
    std::iter::from_fn(|| words.next_word()).collect()
}

/// Carries out one line of the configuration; `arguments` is the rest of the line after the
/// directive's name, as httpd hands it to a `RAW_ARGS` command.
///
/// On success the notices are to be logged; on failure httpd shows the error with file and line.
pub fn apply(
    directive: &'static Directive,
    arguments: &str,
    site: &Site<'_>,
    target: Target<'_>,
    facts: &dyn Facts,
) -> Result<Vec<Notice>, ConfigError> {
    let mut line = Line::new(directive, arguments, site, target, facts);
    line.check_context()?;
    (directive.apply)(&mut line)?;
    // Last, so that what is wrong with a line is said before what is missing here.
    line.tell_status();
    Ok(line.notices)
}
