//! What follows from a complete configuration: the groups as they run, and what httpd's children
//! need to host Python themselves.

use std::{
    collections::BTreeMap,
    ffi::CStr,
    path::PathBuf,
    sync::{OnceLock, PoisonError},
};

use wsgi_core::{
    control::{EngineSpec, GroupSpec, Identity},
    directives::{PythonVersion, daemon::DaemonGroup},
};

use crate::{
    apache::{Server, module::MainState, tree},
    supervisor::{Board, Inquirer, Link},
};

mod accounts;
mod installation;
mod specs;
mod surroundings;

pub(crate) use installation::Installation;
use surroundings::Surroundings;

/// The configuration as it acts.
pub(crate) struct Resolved {
    /// Daemon groups by name.
    pub(crate) groups: BTreeMap<String, Group>,
    /// The library that hosts Python in httpd's children, where they need it.
    pub(crate) embedded: Option<Embedded>,
    /// Whom httpd's children run as.
    pub(crate) children: Identity,
    /// `WSGIRestrictEmbedded On`.
    pub(crate) restricts_embedded: bool,
    /// `WSGICaseSensitivity Off`.
    pub(crate) ignores_case: bool,
    /// The Python version of embedded applications.
    pub(crate) python: PythonVersion,
    /// Records about what has no effect.
    pub(crate) warnings: Vec<String>,
    /// Whether an access log may show notes of ours, so that they must be made.
    pub(crate) access_log_asks: bool,
    /// Whether ErrorLogFormat does.
    pub(crate) error_log_asks: bool,
    /// Where children tell what they run embedded, where they can.
    pub(crate) board: OnceLock<Board>,
    /// How children ask the supervisor; set when there is one.
    pub(crate) inquirer: OnceLock<Inquirer>,
}

/// A daemon group.
pub(crate) struct Group {
    /// As defined.
    pub(crate) definition: DaemonGroup,
    /// As the supervisor starts it.
    pub(crate) spec: GroupSpec,
    /// Whether httpd's children have threads that share their connections to the daemons. A child
    /// with one thread would keep connections that it seldom uses from the others.
    pub(crate) keeps_connections: bool,
    /// How requests reach it; set when its sockets exist.
    pub(crate) link: OnceLock<Link>,
}

/// Python in httpd's children.
pub(crate) struct Embedded {
    /// The library.
    pub(crate) library: PathBuf,
    /// What it is started with.
    pub(crate) spec: EngineSpec,
    /// The daemon's program of the same Python, to try applications.
    pub(crate) program: PathBuf,
    /// The process of the configuration: also the one that serves under `httpd -X`.
    pub(crate) parent: u32,
}

impl Resolved {
    /// Resolves what was typed; the error names the directive that does not fit.
    pub(crate) fn resolve(main: &MainState, server: Server<'_>) -> Result<Self, String> {
        let typed = main.typed.lock().unwrap_or_else(PoisonError::into_inner);
        let site = Surroundings::new(main, server, &typed)?;
        let python = site.embedded_python()?;
        let mut groups = BTreeMap::new();
        let mut warnings = Vec::new();
        for (process, number) in typed.daemon_processes.iter().zip(1u32..) {
            let (group, version) = site.group(process, number)?;
            let place = format!("daemon process group '{}'", process.name);
            warnings.extend(no_own_lock(&group.spec.engine, version, &place));
            groups.insert(process.name.clone(), group);
        }
        let embedded = typed.children_need_python().then(|| site.embedded(python));
        if let Some(embedded) = &embedded {
            warnings.extend(no_own_lock(&embedded.spec, python, "embedded mode"));
        }
        Ok(Self {
            groups,
            embedded,
            warnings,
            access_log_asks: tree::lines(server).any(|line| names_note(&line, false)),
            error_log_asks: tree::lines(server).any(|line| names_note(&line, true)),
            children: site.children(),
            board: OnceLock::new(),
            inquirer: OnceLock::new(),
            restricts_embedded: typed.restrict_embedded.unwrap_or(false),
            ignores_case: typed.case_sensitivity == Some(false),
            python,
        })
    }
}

/// Whether a line is an ErrorLogFormat, or is none, and names notes of ours.
fn names_note(line: &tree::Line<'_>, is_error_log: bool) -> bool {
    let has = |text: &CStr| text.to_bytes().windows(5).any(|word| word == b"wsgi:");
    let is_format = line.directive.to_bytes().eq_ignore_ascii_case(b"ErrorLogFormat");
    is_format == is_error_log && has(line.arguments)
}

/// The warning about interpreters that were to have a lock of their own and cannot.
fn no_own_lock(spec: &EngineSpec, python: PythonVersion, place: &str) -> Option<String> {
    const FIRST: PythonVersion = PythonVersion { major: 3, minor: 12 };
    let is_asked = python < FIRST && spec.interpreters.any_own_lock();
    is_asked.then(|| {
        format!(
            "WSGI0198: WSGIPerInterpreterGIL On has no effect in {place}: it needs Python {FIRST} or later, \
             and this is {python}"
        )
    })
}
