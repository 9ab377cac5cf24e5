//! What a configuration mounts: script aliases and import scripts, with the group, interpreter and
//! callable that their first request would have.

use std::{collections::BTreeSet, path::Path, sync::PoisonError};

use wsgi_core::{
    check::Candidate,
    control::ImportScript,
    directives::{DirConfig, Mount, Scoped, ScriptAlias, ServerId},
    mapping::{self, Lookups},
};

use crate::apache::{
    Server,
    module::{self, MainState},
    tree::{self, Line},
};

/// Something to try.
pub(super) struct Mounted {
    /// The process group; empty for httpd's children.
    pub(super) group: String,
    /// What is tried there.
    pub(super) candidate: Candidate,
    /// The URL path, or the directive.
    pub(super) url: String,
    /// File and line.
    pub(super) origin: String,
}

/// Everything that is mounted, in the order of the servers.
pub(super) fn all(main: &MainState, server: Server<'_>) -> Vec<Mounted> {
    let lines: Vec<Line<'_>> =
        tree::lines(server).filter(|line| line.section().is_some()).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for number in 0.. {
        let Some(server) = main.server(ServerId(number)) else { break };
        let Some(state) = module::server_state(server) else { continue };
        // Virtual hosts have those of the main server as well.
        for alias in &state.config.aliases {
            if seen.insert((alias.file.clone(), alias.line, alias.target.clone())) {
                found.extend(mounted(alias, &state.config.scoped, server, &lines));
            }
        }
    }
    let typed = main.typed.lock().unwrap_or_else(PoisonError::into_inner);
    for script in &typed.import_scripts {
        let candidate = ImportScript {
            path: script.path.clone(),
            application_group: script.application_group.clone(),
            is_default: false,
        };
        let is_known = found.iter().any(|one: &Mounted| one.candidate.script == candidate);
        let is_service = typed
            .daemon_processes
            .iter()
            .any(|group| group.name == script.process_group && group.options.threads == Some(0));
        // A service script runs for as long as it likes: it cannot be tried.
        if !is_known && !is_service {
            found.push(Mounted {
                group: script.process_group.clone(),
                candidate: Candidate { script: candidate, callable: None },
                url: "WSGIImportScript".to_owned(),
                origin: "loaded at start".to_owned(),
            });
        }
    }
    found
}

/// The application of an alias; none for patterns and directories, whose scripts only requests name.
fn mounted(
    alias: &ScriptAlias,
    scoped: &Scoped,
    server: Server<'_>,
    lines: &[Line<'_>],
) -> Option<Mounted> {
    let Mount::Prefix(url) = &alias.mount else { return None };
    if Path::new(&alias.target).is_dir() {
        return None;
    }
    let dir = sections(url, &alias.target, lines);
    let lookups = FirstRequest { server, url };
    let resolved = mapping::resolve(scoped, &dir.scoped, Some(&alias.options), None, &lookups);
    Some(Mounted {
        group: resolved.process_group.into_owned(),
        candidate: Candidate {
            script: ImportScript {
                path: alias.target.clone(),
                application_group: resolved.application_group.into_owned(),
                is_default: resolved.is_default_group,
            },
            callable: Some(resolved.callable_object.into_owned()),
        },
        url: url.clone(),
        origin: format!("{}:{}", alias.file, alias.line),
    })
}

/// What `<Directory>` and `<Location>` around the application say about where it runs; the later
/// line wins, as in httpd, where locations come after directories.
fn sections(url: &str, script: &str, lines: &[Line<'_>]) -> DirConfig {
    let mut config = DirConfig::default();
    for kind in ["<Directory", "<Location"] {
        for line in lines {
            let Some((section, arguments)) = line.section() else { continue };
            let around = arguments.to_str().unwrap_or_default().trim_end_matches('>').trim();
            let around = around.trim_matches('"').trim_end_matches('/');
            let path = if kind == "<Location" { url } else { script };
            let is_around = path
                .strip_prefix(around)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let is_kind = section.to_bytes().eq_ignore_ascii_case(kind.as_bytes());
            if !is_kind || !is_around {
                continue;
            }
            let value = line.arguments.to_str().unwrap_or_default().trim().trim_matches('"');
            let value = Some(value.to_owned());
            match line.directive.to_str().unwrap_or_default().to_ascii_lowercase().as_str() {
                "wsgiprocessgroup" => config.scoped.process_group = value,
                "wsgiapplicationgroup" => config.scoped.application_group = value,
                "wsgicallableobject" => config.scoped.callable_object = value,
                _ => {}
            }
        }
    }
    config
}

/// What the first request of an application would know about itself.
struct FirstRequest<'c> {
    server: Server<'c>,
    url: &'c str,
}

impl Lookups for FirstRequest<'_> {
    fn server_name(&self) -> String {
        self.server.hostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn hostname(&self) -> Option<String> {
        Some(self.server_name())
    }

    fn port(&self) -> u16 {
        80
    }

    fn script_name(&self) -> String {
        self.url.trim_end_matches('/').to_owned()
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}
