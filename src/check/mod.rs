//! `httpd -t -D WSGI_CHECK`: tries every script that the configuration names, each as its process
//! group would load it, in a process that then ends. One line for each on standard error; httpd
//! ends with 1 when one of them would not work.
//!
//! `candidates` finds what there is: `aliases` what is mounted, one script or a directory of them, `asked` the scripts of handlers and
//! those that decide about requests, with what `sections` say about their place and what a first
//! request would answer (`lookups`). A supervisor of its own does the trying.

mod aliases;
mod asked;
mod candidates;
mod lookups;
mod sections;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
    path::Path,
};

use wsgi_core::{
    check::{Candidate, Finding},
    chroot,
    control::{EngineSpec, GroupSpec, Identity},
    directives::Reader,
};

use crate::{
    apache::{Server, module::MainState, process},
    facts::HttpdFacts,
    resolved::Resolved,
    supervisor,
};
use candidates::Mounted;

/// Seconds for each script of a group without `startup-timeout=`.
const LIMIT: u32 = 60;

/// Most scripts that one process is asked to try: they fit a message, and their interpreters memory.
const AT_ONCE: usize = 50;

/// Why an application may not run in httpd's children.
const RESTRICTED: &str =
    "WSGIRestrictEmbedded is On and it names no process group: add WSGIProcessGroup";

/// Tries everything; whether all of it would work.
pub(crate) fn run(main: &MainState, server: Server<'_>, resolved: &Resolved) -> bool {
    let found = candidates::all(main, server);
    if found.mounted.is_empty() && found.notes.is_empty() {
        say("WSGI check: the configuration mounts no application\n");
    }
    let mut is_sound = found.notes.iter().all(|note| note.is_sound);
    let mut groups: BTreeMap<String, Vec<Mounted>> = BTreeMap::new();
    for mounted in found.mounted {
        if resolved.restricts_embedded && mounted.is_application && mounted.group.is_empty() {
            say(&line(&mounted, &place("", None), Some(RESTRICTED), &[]));
            is_sound = false;
            continue;
        }
        groups.entry(mounted.group.clone()).or_default().push(mounted);
    }
    let facts = HttpdFacts::new(main, server);
    for (name, mounted) in &groups {
        is_sound &= try_group(name, mounted, resolved, &facts);
    }
    found.notes.iter().for_each(|note| say(&note.text));
    is_sound
}

/// Tries what is mounted in one group, and says what became of it.
fn try_group(name: &str, mounted: &[Mounted], resolved: &Resolved, facts: &HttpdFacts<'_>) -> bool {
    let Some(spec) = spec_of(name, resolved) else {
        let why = "no WSGIDaemonProcess defines its process group: correct the name, or define it";
        mounted.iter().for_each(|one| say(&line(one, &place(name, None), Some(why), &[])));
        return false;
    };
    mounted
        .chunks(AT_ONCE)
        .map(|part| try_part(&spec, part, &place(name, Some(&spec)), resolved, facts))
        .fold(true, |is_sound, is_part_sound| is_sound & is_part_sound)
}

/// Tries what one message names.
fn try_part(
    spec: &GroupSpec,
    mounted: &[Mounted],
    place: &str,
    resolved: &Resolved,
    facts: &HttpdFacts<'_>,
) -> bool {
    let limit = if spec.timers.startup_timeout > 0 { spec.timers.startup_timeout } else { LIMIT };
    let candidates = mounted.iter().map(|one| inside(spec, one.candidate.clone())).collect();
    let (findings, ended) = supervisor::try_out(spec, candidates, limit)
        .unwrap_or_else(|error| (Vec::new(), Some(format!("it cannot be tried: {error}"))));
    let mut is_sound = true;
    for (number, one) in mounted.iter().enumerate() {
        let finding = findings.get(number);
        let reason = match finding {
            Some(finding) if finding.is_sound => unreachable(one, resolved, facts),
            Some(finding) => Some(finding.reason()),
            // The first without a finding is the one that this is about.
            None if number == findings.len() => {
                Some(ended.clone().unwrap_or_else(|| "nothing was heard of it".to_owned()))
            }
            None => Some("it was not tried, because of the one above".to_owned()),
        };
        is_sound &= reason.is_none();
        let log = finding.filter(|_| reason.is_some()).map(|Finding { log, .. }| log.as_slice());
        say(&line(one, place, reason.as_deref(), log.unwrap_or_default()));
    }
    is_sound
}

/// The candidate as a process below the group's root directory sees it.
fn inside(spec: &GroupSpec, mut candidate: Candidate) -> Candidate {
    let root = spec.chroot.as_deref();
    let path = candidate.script.path.as_bytes();
    if let Some(seen) = root.and_then(|root| chroot::inside(root, path)) {
        candidate.script.path = String::from_utf8_lossy(seen).into_owned();
    }
    candidate
}

/// Why httpd's own children, which look for the script at every request, would not find it.
fn unreachable(mounted: &Mounted, resolved: &Resolved, facts: &HttpdFacts<'_>) -> Option<String> {
    // Import scripts are none of their business, and what they load themselves they have tried.
    if !mounted.is_application {
        return None;
    }
    let folder = Path::new(&mounted.candidate.script.path).parent()?.to_str()?;
    let Identity { uid, groups, .. } = &resolved.children;
    let reader = Reader { uid: *uid, gids: groups };
    let why = reader.check_directory(folder, facts).err()?;
    Some(format!("httpd's own processes cannot reach it: {why}; let them (chmod o+x)"))
}

/// The group as it would be started, with one thread.
fn spec_of(name: &str, resolved: &Resolved) -> Option<GroupSpec> {
    let one = |spec: GroupSpec| {
        let spec = GroupSpec { threads: 1, processes: 1, display_name: None, ..spec };
        GroupSpec { slots: spec.slots_per_process(), ..spec }
    };
    if !name.is_empty() {
        return resolved.groups.get(name).map(|group| one(group.spec.clone()));
    }
    let embedded = resolved.embedded.as_ref()?;
    Some(one(GroupSpec {
        engine: EngineSpec { is_daemon: false, ..embedded.spec.clone() },
        program: embedded.program.to_string_lossy().into_owned(),
        identity: process::is_root().then(|| resolved.children.clone()),
        working_directory: Some("/".to_owned()),
        ..GroupSpec::default()
    }))
}

/// Where an application runs, for people.
fn place(name: &str, spec: Option<&GroupSpec>) -> String {
    let mut text = match name {
        "" => "embedded".to_owned(),
        name => format!("process group {name}"),
    };
    if let Some(spec) = spec {
        // The program is named by its Python.
        let version = spec.program.rsplit('-').next().unwrap_or_default();
        let home = spec.engine.python_home.as_deref();
        write!(text, ", Python {version}").ok();
        if let Some(home) = home {
            write!(text, " of {home}").ok();
        }
        if let Some((user, _)) = &spec.engine.user {
            write!(text, ", user {user}").ok();
        }
    }
    text
}

/// The line of an application, and what was logged when it does not work.
fn line(mounted: &Mounted, place: &str, reason: Option<&str>, log: &[String]) -> String {
    let script = &mounted.candidate.script.path;
    let Mounted { url, origin, .. } = mounted;
    let mut text = match reason {
        None => format!("WSGI check ok: {url} {script} ({place})\n"),
        Some(reason) => {
            format!("WSGI check FAILED: {url} {script} ({place}; {origin}): {reason}\n")
        }
    };
    for line in log.iter().flat_map(|record| record.lines()) {
        writeln!(text, "    {line}").ok();
    }
    text
}

fn say(text: &str) {
    // A terminal that has gone does not change the verdict.
    io::stderr().write_all(text.as_bytes()).ok();
}
