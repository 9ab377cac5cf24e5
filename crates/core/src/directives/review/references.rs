//! Process groups that are named, and cannot answer.

use std::collections::{BTreeMap, HashMap};

use crate::directives::config::{GlobalConfig, GroupReference};
use crate::directives::daemon::DaemonProcess;
use crate::directives::groups::{NamedServer, Visibility, visibility};
use crate::directives::nearest::suggestion;
use crate::directives::site::{Facts, Notice};
use crate::directives::value::shown;

/// Why a group cannot answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Problem {
    /// No line defines it.
    Unknown,
    /// It belongs to virtual hosts of another name.
    Elsewhere,
    /// It runs service scripts.
    NoThreads,
}

/// Warnings about the names of process groups: one for each name, however often it is used.
pub(super) fn check(global: &GlobalConfig, facts: &dyn Facts) -> Vec<Notice> {
    let groups: HashMap<&str, &DaemonProcess> =
        global.daemon_processes.iter().map(|group| (group.name.as_str(), group)).collect();
    let mut found: BTreeMap<(&str, Problem), Vec<&GroupReference>> = BTreeMap::new();
    for reference in &global.group_references {
        let group = groups.get(reference.name.as_str()).copied();
        if let Some(problem) = problem(reference, group, facts) {
            found.entry((&reference.name, problem)).or_default().push(reference);
        }
    }
    let names = || global.daemon_processes.iter().map(|group| group.name.as_str());
    let notices = found.into_iter().filter_map(|((name, problem), references)| {
        let group = groups.get(name).copied();
        Some(match problem {
            Problem::Unknown => unknown(&places(&references)?, &suggestion(name, names())),
            Problem::Elsewhere => elsewhere(&places(&references)?, group?),
            Problem::NoThreads => no_threads(&places(&references)?, group?),
        })
    });
    notices.collect()
}

fn problem(
    reference: &GroupReference,
    group: Option<&DaemonProcess>,
    facts: &dyn Facts,
) -> Option<Problem> {
    let Some(group) = group else { return Some(Problem::Unknown) };
    if reference.is_selector {
        return None;
    }
    if group.options.threads == Some(0) {
        return Some(Problem::NoThreads);
    }
    // What stands in the main server may be meant for the virtual host that has the group.
    if !reference.server.is_virtual() {
        return None;
    }
    let (home_name, own_name) =
        (facts.server_name(group.server), facts.server_name(reference.server));
    let home = NamedServer { id: group.server, name: home_name.as_deref() };
    let own = NamedServer { id: reference.server, name: own_name.as_deref() };
    (visibility(home, own) != Visibility::Visible).then_some(Problem::Elsewhere)
}

/// Who names the group, and where; the first place says enough.
fn places(references: &[&GroupReference]) -> Option<String> {
    let (first, others) = references.split_first()?;
    let GroupReference { directive, name, file, line, .. } = first;
    let more = match others.len() {
        0 => String::new(),
        1 => " and one more line".to_owned(),
        count => format!(" and {count} more lines"),
    };
    Some(format!("{directive} names process group {} ({file}:{line}{more})", shown(name)))
}

fn unknown(places: &str, suggestion: &str) -> Notice {
    Notice::warning(
        1042,
        format!("{places}, and no WSGIDaemonProcess has this name: nothing runs there{suggestion}"),
    )
}

fn elsewhere(places: &str, group: &DaemonProcess) -> Notice {
    let DaemonProcess { file, line, .. } = group;
    Notice::warning(
        1043,
        format!(
            "{places}, which a virtual host with another ServerName defines ({file}:{line}): requests \
             get 500"
        ),
    )
}

fn no_threads(places: &str, group: &DaemonProcess) -> Notice {
    let DaemonProcess { file, line, .. } = group;
    Notice::warning(
        1044,
        format!(
            "{places}, which has threads=0 ({file}:{line}): it runs service scripts, requests get 500"
        ),
    )
}
