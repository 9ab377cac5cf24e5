//! The scripts that are no application of a URL: those that answer for a handler, and those that
//! httpd's children ask about requests. Each is found where its line stands.

use wsgi_core::{
    check::{Candidate, Needs},
    control::ImportScript,
    decide::{ALLOW_ACCESS, CHECK_PASSWORD, DISPATCHERS, GET_REALM_HASH, GROUPS_FOR_USER},
    directives::{AuthScript, DirConfig, DispatchScript, HandlerScript, ServerId},
    mapping,
};

use super::{
    candidates::{Found, Mounted},
    lookups::FirstRequest,
    sections::{self, Sections, Spot},
};
use crate::apache::{
    Server,
    module::{self, MainState},
    tree::{self, Line},
};

/// Finds them all; what two lines say in the same words, once.
pub(super) fn find(
    main: &MainState,
    server: Server<'_>,
    sections: &Sections<'_>,
    found: &mut Found,
) {
    for line in tree::lines(server) {
        let mut own = DirConfig::default();
        sections.apply(&line, &mut own);
        let Some(server) = main.server(ServerId(line.host)) else { continue };
        let around = |kind| {
            let mut all = line.sections().filter(move |(name, _)| sections::is(name, kind));
            all.next().map(|(_, path)| sections::argument(path)).unwrap_or_default()
        };
        let (url, path) = (around(c"<Location"), around(c"<Directory"));
        let spot = Spot { url: &url, path: &path, host: line.host, line: Some(line) };
        let asked = Asked { line, server, sections, spot };
        for one in asked.scripts(&own) {
            let is_known = found.mounted.iter().any(|known| {
                (&known.url, &known.group, &known.candidate)
                    == (&one.url, &one.group, &one.candidate)
            });
            if !is_known {
                found.mounted.push(one);
            }
        }
    }
}

/// A line, and where it stands.
struct Asked<'a, 'c> {
    line: Line<'c>,
    server: Server<'c>,
    sections: &'a Sections<'c>,
    spot: Spot<'a, 'c>,
}

impl Asked<'_, '_> {
    /// The scripts of the line, which sets nothing but `own`.
    fn scripts(&self, own: &DirConfig) -> Vec<Mounted> {
        let DirConfig { scoped, access_script, auth_user_script, auth_group_script, .. } = own;
        let function = |name: &str| Needs::Function(name.to_owned());
        let mut all = Vec::new();
        all.extend(scoped.handler_scripts.0.values().filter_map(|script| self.handler(script)));
        if let Some(DispatchScript { path, application_group }) = &scoped.dispatch_script {
            let needs = Needs::OneOf(DISPATCHERS.map(str::to_owned).into());
            all.push(self.asked(path, application_group.as_deref(), needs));
        }
        for (script, needs) in [
            (access_script, function(ALLOW_ACCESS)),
            (auth_user_script, self.of_users()),
            (auth_group_script, function(GROUPS_FOR_USER)),
        ] {
            if let Some(AuthScript { path, application_group }) = script {
                all.push(self.asked(path, application_group.as_deref(), needs));
            }
        }
        all
    }

    /// What the script of users needs; without AuthType nobody knows which of its functions.
    fn of_users(&self) -> Needs {
        let kind = self.sections.value(&self.spot, c"AuthType").map(sections::argument);
        let is = |name: &str| kind.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case(name));
        if is("Basic") || is("form") {
            Needs::Function(CHECK_PASSWORD.to_owned())
        } else if is("Digest") {
            Needs::Function(GET_REALM_HASH.to_owned())
        } else {
            Needs::OneOf([CHECK_PASSWORD, GET_REALM_HASH].map(str::to_owned).into())
        }
    }

    /// A script that httpd's children ask.
    fn asked(&self, path: &str, application_group: Option<&str>, needs: Needs) -> Mounted {
        let lookups = FirstRequest { server: self.server, url: self.spot.url };
        let application_group = mapping::expand_script_group(application_group, &lookups);
        let script = ImportScript {
            path: path.to_owned(),
            application_group: application_group.into_owned(),
            is_default: false,
        };
        self.mounted(String::new(), Candidate { script, needs }, false)
    }

    /// A script that answers for a handler.
    fn handler(&self, script: &HandlerScript) -> Option<Mounted> {
        let scoped = &module::server_state(self.server)?.config.scoped;
        let dir = self.sections.config(&self.spot).scoped;
        let lookups = FirstRequest { server: self.server, url: self.spot.url };
        let resolved = mapping::resolve(scoped, &dir, None, Some(script), &lookups);
        let candidate = Candidate {
            script: ImportScript {
                path: script.path.clone(),
                application_group: resolved.application_group.into_owned(),
                is_default: resolved.is_default_group,
            },
            needs: Needs::Function(resolved.callable_object.into_owned()),
        };
        Some(self.mounted(resolved.process_group.into_owned(), candidate, true))
    }

    fn mounted(&self, group: String, candidate: Candidate, is_application: bool) -> Mounted {
        let Line { directive, file, number, .. } = self.line;
        Mounted {
            group,
            candidate,
            is_application,
            url: directive.to_string_lossy().into_owned(),
            origin: format!("{}:{number}", file.to_string_lossy()),
        }
    }
}
