//! What the sections of a configuration say about a place, as far as their lines show: those of
//! `<Directory>` and `<Location>` with a plain path, and those around a line.

use std::ffi::CStr;

use wsgi_core::directives::{self, DIRECTIVES, DirConfig, Scope, ServerId, Site, Target};

use crate::{
    apache::{
        Server,
        module::MainState,
        tree::{self, Line},
    },
    facts::HttpdFacts,
};

/// The lines inside of sections.
pub(super) struct Sections<'c> {
    lines: Vec<Line<'c>>,
    facts: HttpdFacts<'c>,
}

/// What is asked about.
#[derive(Clone, Copy)]
pub(super) struct Spot<'s, 'c> {
    /// The URL; empty where only requests know it.
    pub(super) url: &'s str,
    /// The file or folder, if there is one.
    pub(super) path: &'s str,
    /// The virtual host; 0 is none.
    pub(super) host: u32,
    /// A line that stands there.
    pub(super) line: Option<Line<'c>>,
}

impl<'c> Sections<'c> {
    pub(super) fn new(main: &'c MainState, server: Server<'c>) -> Self {
        let lines = tree::lines(server).filter(|line| line.section().is_some()).collect();
        Self { lines, facts: HttpdFacts::new(main, server) }
    }

    /// What they set for a place.
    pub(super) fn config(&self, spot: &Spot<'_, 'c>) -> DirConfig {
        let mut config = DirConfig::default();
        self.around(spot).for_each(|line| self.apply(line, &mut config));
        config
    }

    /// The arguments of the line of a directive that holds for a place.
    pub(super) fn value(&self, spot: &Spot<'_, 'c>, directive: &CStr) -> Option<&'c CStr> {
        let lines = self.around(spot).filter(|line| is(line.directive, directive));
        lines.last().map(|line| line.arguments)
    }

    /// The lines that hold for a place. The later one wins, as in httpd, where locations come after
    /// directories.
    fn around(&self, spot: &Spot<'_, 'c>) -> impl Iterator<Item = &Line<'c>> {
        let Spot { url, path, host, line } = *spot;
        let of = move |kind: &'static CStr, place: &str| {
            let place = place.to_owned();
            self.lines.iter().filter(move |line| {
                (host == 0 || line.host == 0 || line.host == host)
                    && line.section().is_some_and(|(name, around)| {
                        is(name, kind) && contains(&argument(around), &place)
                    })
            })
        };
        let own = self.lines.iter();
        let own = own.filter(move |other| line.is_some_and(|line| other.holds_for(&line)));
        of(c"<Directory", path).chain(of(c"<Location", url)).chain(own)
    }

    /// Carries out a line of ours as if it stood in a section; others do nothing.
    pub(super) fn apply(&self, line: &Line<'_>, config: &mut DirConfig) {
        let name = line.directive.to_bytes();
        let known = DIRECTIVES.iter().find(|one| one.name.as_bytes().eq_ignore_ascii_case(name));
        let (Some(directive), Ok(arguments)) = (known, line.arguments.to_str()) else { return };
        let server = ServerId(line.host);
        let site = Site { scope: Scope::Directory, server, file: "", line: line.number };
        let target = Target::Directory { global: None, dir: config };
        // httpd has carried it out already: what there was to say about it was said.
        directives::apply(directive, arguments, &site, target, &self.facts).ok();
    }
}

/// Whether names of directives are the same.
pub(super) fn is(name: &CStr, expected: &CStr) -> bool {
    name.to_bytes().eq_ignore_ascii_case(expected.to_bytes())
}

/// The path that a section is for, or the word of a line.
pub(super) fn argument(arguments: &CStr) -> String {
    let text = arguments.to_string_lossy();
    text.trim_end_matches('>').trim().trim_matches(['"', '\'']).trim_end_matches('/').to_owned()
}

/// Whether a place is that path, or below it.
fn contains(path: &str, place: &str) -> bool {
    place.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
