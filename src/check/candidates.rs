//! What a configuration has Python load: script aliases, import scripts and the scripts that are
//! asked, each with the group and interpreter that a request would have it loaded in.

use std::{collections::BTreeSet, sync::PoisonError};

use wsgi_core::{
    check::{Candidate, Needs},
    control::ImportScript,
    directives::ServerId,
};

use super::{aliases::Alias, asked, sections::Sections};
use crate::apache::{
    Server,
    module::{self, MainState},
};

/// Something to try.
pub(super) struct Mounted {
    /// The process group; empty for httpd's children.
    pub(super) group: String,
    /// What is tried there.
    pub(super) candidate: Candidate,
    /// Whether it answers requests.
    pub(super) is_application: bool,
    /// The URL path, or the directive.
    pub(super) url: String,
    /// File and line.
    pub(super) origin: String,
}

/// Something that is not tried, as a line of the answer.
pub(super) struct Note {
    pub(super) text: String,
    /// Whether it would work for all that is known.
    pub(super) is_sound: bool,
}

/// What a configuration comes to.
#[derive(Default)]
pub(super) struct Found {
    pub(super) mounted: Vec<Mounted>,
    pub(super) notes: Vec<Note>,
}

/// Everything that can be tried, in the order of the servers.
pub(super) fn all(main: &MainState, server: Server<'_>) -> Found {
    let sections = Sections::new(main, server);
    let mut seen = BTreeSet::new();
    let mut found = Found::default();
    for number in 0.. {
        let Some(server) = main.server(ServerId(number)) else { break };
        let Some(state) = module::server_state(server) else { continue };
        // Virtual hosts have those of the main server as well.
        for alias in &state.config.aliases {
            if seen.insert((alias.file.clone(), alias.line, alias.target.clone())) {
                let scoped = &state.config.scoped;
                let alias = Alias { alias, scoped, server, host: number, sections: &sections };
                alias.find(&mut found);
            }
        }
    }
    imports(main, &mut found);
    asked::find(main, server, &sections, &mut found);
    found
}

/// What is loaded at start and is no alias.
fn imports(main: &MainState, found: &mut Found) {
    let typed = main.typed.lock().unwrap_or_else(PoisonError::into_inner);
    for script in &typed.import_scripts {
        let candidate = ImportScript {
            path: script.path.clone(),
            application_group: script.application_group.clone(),
            is_default: false,
        };
        let is_known = found.mounted.iter().any(|one| one.candidate.script == candidate);
        let is_service = typed
            .daemon_processes
            .iter()
            .any(|group| group.name == script.process_group && group.options.threads == Some(0));
        // A service script runs for as long as it likes: it cannot be tried.
        if !is_known && !is_service {
            found.mounted.push(Mounted {
                group: script.process_group.clone(),
                candidate: Candidate { script: candidate, needs: Needs::Nothing },
                is_application: false,
                url: "WSGIImportScript".to_owned(),
                origin: "loaded at start".to_owned(),
            });
        }
    }
}
