//! The applications of script aliases.

use std::path::Path;

use wsgi_core::{
    check::{Candidate, Needs},
    control::ImportScript,
    directives::{Mount, Scoped, ScriptAlias},
    mapping,
};

use super::{
    candidates::{Found, Mounted},
    lookups::FirstRequest,
    sections::{Sections, Spot},
};
use crate::apache::Server;

/// An alias of a server.
pub(super) struct Alias<'a, 'c> {
    pub(super) alias: &'a ScriptAlias,
    pub(super) scoped: &'a Scoped,
    pub(super) server: Server<'c>,
    /// The server's number.
    pub(super) host: u32,
    pub(super) sections: &'a Sections<'c>,
}

impl Alias<'_, '_> {
    /// Its application; none for patterns and directories, whose scripts only requests name.
    pub(super) fn find(&self, found: &mut Found) {
        let Mount::Prefix(url) = &self.alias.mount else { return };
        if !Path::new(&self.alias.target).is_dir() {
            found.mounted.push(self.script(url, self.alias.target.clone()));
        }
    }

    /// A script that answers a URL.
    fn script(&self, url: &str, path: String) -> Mounted {
        let Self { alias, scoped, server, host, sections } = *self;
        let dir = sections.config(&Spot { url, path: &path, host, line: None });
        let lookups = FirstRequest { server, url };
        let resolved = mapping::resolve(scoped, &dir.scoped, Some(&alias.options), None, &lookups);
        Mounted {
            group: resolved.process_group.into_owned(),
            candidate: Candidate {
                script: ImportScript {
                    path,
                    application_group: resolved.application_group.into_owned(),
                    is_default: resolved.is_default_group,
                },
                needs: Needs::Application(resolved.callable_object.into_owned()),
            },
            is_application: true,
            url: url.to_owned(),
            origin: format!("{}:{}", alias.file, alias.line),
        }
    }
}
