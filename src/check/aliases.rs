//! The applications of script aliases: the script that an alias names, those of its directory, and
//! those that the target of a pattern can mean.

use std::{fs, io, path::Path};

use wsgi_core::{
    check::{Candidate, Needs, Target, is_script},
    control::ImportScript,
    directives::{Mount, Scoped, ScriptAlias},
    mapping,
};

use super::{
    candidates::{Found, Mounted, Note},
    lookups::FirstRequest,
    sections::{Sections, Spot},
};
use crate::apache::Server;

/// Most scripts of one alias that are tried.
const MOST: usize = 200;

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
    /// Finds what it mounts.
    pub(super) fn find(&self, found: &mut Found) {
        let scripts = match &self.alias.mount {
            Mount::Prefix(url) => self.of_prefix(url),
            Mount::Pattern { .. } => self.of_pattern(),
        };
        match scripts {
            Ok(scripts) => {
                if scripts.len() > MOST {
                    let why =
                        format!("only the first {MOST} of {} scripts were tried", scripts.len());
                    found.notes.push(self.skipped(&why));
                }
                found.mounted.extend(scripts.into_iter().take(MOST));
            }
            Err(note) => found.notes.push(note),
        }
    }

    /// The script, or those that lie directly in the directory.
    fn of_prefix(&self, url: &str) -> Result<Vec<Mounted>, Note> {
        let target = &self.alias.target;
        let folder = Path::new(target);
        if !folder.is_dir() {
            return Ok(vec![self.script(url, target.clone(), Needs::Application)]);
        }
        let names = list(folder).map_err(|error| self.unread(target, &error))?;
        let scripts: Vec<_> = names
            .iter()
            .filter(|name| is_script(name) && !folder.join(name).is_dir())
            .filter_map(|name| {
                let url = format!("{}/{name}", url.trim_end_matches('/'));
                // Slashes that are missing between alias and target are missing for requests too.
                let mapped = mapping::map_alias(self.alias, url.as_bytes(), |_| None)?;
                let path = mapping::collapse_slashes(&mapped.filename);
                Some(self.found(&url, String::from_utf8_lossy(&path).into_owned()))
            })
            .collect();
        if scripts.is_empty() {
            let why = "nothing was tried there, because no file in it ends with .wsgi or .py";
            return Err(self.skipped(why));
        }
        Ok(scripts)
    }

    /// The script, or those that are there and may be meant. Their URLs are the business of requests.
    fn of_pattern(&self) -> Result<Vec<Mounted>, Note> {
        let not_tried = |why: &str| self.skipped(&format!("it is not tried, because {why}"));
        let files = match Target::of(&self.alias.target).map_err(not_tried)? {
            Target::File(path) if Path::new(&path).is_dir() => {
                return Err(not_tried("its target is a directory, and only a URL says what of it"));
            }
            Target::File(path) => return Ok(vec![self.script("", path, Needs::Application)]),
            Target::Files(files) => files,
        };
        let entries =
            list(Path::new(&files.folder)).map_err(|error| self.unread(&files.folder, &error))?;
        let paths = entries.iter().filter_map(|entry| files.script(entry));
        let scripts: Vec<_> = paths
            .filter(|path| fs::symlink_metadata(path).is_ok() && !Path::new(path).is_dir())
            .map(|path| self.found("", path))
            .collect();
        if scripts.is_empty() {
            return Err(self.skipped("nothing was tried there, because no script fits its target"));
        }
        Ok(scripts)
    }

    /// A file that was found in a directory. Modules lie there as well, which no request asks for.
    fn found(&self, url: &str, path: String) -> Mounted {
        let needs =
            if path.ends_with(".py") { Needs::ApplicationIfAny } else { Needs::Application };
        self.script(url, path, needs)
    }

    /// A script that answers a URL; an empty one is not known.
    fn script(&self, url: &str, path: String, needs: fn(String) -> Needs) -> Mounted {
        let Self { alias, scoped, server, host, sections } = *self;
        let dir = sections.config(&Spot { url, path: &path, host, line: None });
        let lookups = FirstRequest { server, url };
        let resolved = mapping::resolve(scoped, &dir.scoped, Some(&alias.options), None, &lookups);
        let shown = if url.is_empty() { self.mount() } else { url };
        Mounted {
            group: resolved.process_group.into_owned(),
            candidate: Candidate {
                script: ImportScript {
                    path,
                    application_group: resolved.application_group.into_owned(),
                    is_default: resolved.is_default_group,
                },
                needs: needs(resolved.callable_object.into_owned()),
            },
            is_application: true,
            url: shown.to_owned(),
            origin: format!("{}:{}", alias.file, alias.line),
        }
    }

    /// The URL path or pattern as typed.
    fn mount(&self) -> &str {
        match &self.alias.mount {
            Mount::Prefix(text) | Mount::Pattern { text, .. } => text,
        }
    }

    /// Something of it is not tried.
    fn skipped(&self, why: &str) -> Note {
        Note { text: self.line("skipped", why), is_sound: true }
    }

    /// The directory of its scripts cannot be read: no request will find one.
    fn unread(&self, folder: &str, error: &io::Error) -> Note {
        let why = format!("{folder} cannot be read: {error}; check the path and its mode");
        Note { text: self.line("FAILED", &why), is_sound: false }
    }

    fn line(&self, verdict: &str, why: &str) -> String {
        let ScriptAlias { target, file, line, .. } = self.alias;
        format!("WSGI check {verdict}: {} {target} ({file}:{line}): {why}\n", self.mount())
    }
}

/// The names in a directory, in their order.
fn list(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>();
    names.map(|mut names| {
        names.sort_unstable();
        names
    })
}
