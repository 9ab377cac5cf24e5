//! Who may use a process group, and the scripts that are loaded when its processes start.

use super::config::ImportScript;
use super::line::Line;
use super::nearest::suggestion;
use super::site::{ConfigError, ServerId};
use super::value::shown;

/// What a server is to a process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// It may use the group.
    Visible,
    /// Both have names, and they differ.
    OtherName,
    /// Only one of the two has a name.
    NotMatchable,
}

/// A server as [`visibility`] sees it: which one, and its `ServerName`.
#[derive(Clone, Copy, Debug)]
pub struct NamedServer<'a> {
    /// Which server.
    pub id: ServerId,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
}

/// Whether `from` may use a group defined in `home`: groups of the main server are for all,
/// those of a virtual host for virtual hosts of the same name (such as port 80 and 443 of it).
pub fn visibility(home: NamedServer<'_>, from: NamedServer<'_>) -> Visibility {
    if home.id == from.id || !home.id.is_virtual() {
        return Visibility::Visible;
    }
    match (home.name, from.name) {
        (Some(home), Some(from)) if home.eq_ignore_ascii_case(from) => Visibility::Visible,
        (Some(_), Some(_)) => Visibility::OtherName,
        (None, None) => Visibility::Visible,
        (Some(_), None) | (None, Some(_)) => Visibility::NotMatchable,
    }
}

/// Notes a script, if there is one, to be loaded at process start; the group must exist and be
/// visible here.
pub(crate) fn import(
    line: &mut Line<'_>,
    script: Option<&str>,
    process_group: &str,
    application_group: &str,
) -> Result<(), ConfigError> {
    if !process_group.is_empty() {
        check_group(line, process_group)?;
    }
    let server = line.site.server;
    line.global()?.import_scripts.extend(script.map(|path| ImportScript {
        path: path.to_owned(),
        process_group: process_group.to_owned(),
        application_group: application_group.to_owned(),
        server,
    }));
    Ok(())
}

/// Refuses a group that no line before this one has defined for this server.
fn check_group(line: &mut Line<'_>, name: &str) -> Result<(), ConfigError> {
    let (facts, here) = (line.facts, line.site.server);
    let directive = line.directive.name;
    let refuse = |text: &str, why: &str| {
        Err(ConfigError(format!("{text} {directive} names {}: {why}", shown(name))))
    };
    let groups = &line.global()?.daemon_processes;
    let Some(group) = groups.iter().find(|group| group.name == name) else {
        let names = groups.iter().map(|group| group.name.as_str());
        let why =
            format!("its WSGIDaemonProcess must stand before this line{}", suggestion(name, names));
        return refuse("WSGI process group not yet configured.", &why);
    };
    let (home_name, here_name) = (facts.server_name(group.server), facts.server_name(here));
    let home = NamedServer { id: group.server, name: home_name.as_deref() };
    let from = NamedServer { id: here, name: here_name.as_deref() };
    let place = format!("{}:{}", group.file, group.line);
    match visibility(home, from) {
        Visibility::Visible => Ok(()),
        Visibility::OtherName => refuse(
            "WSGI process group not accessible.",
            &format!("it is defined in a virtual host with another ServerName ({place})"),
        ),
        Visibility::NotMatchable => refuse(
            "WSGI process group not matchable.",
            &format!("only one of this server and that of {place} has a ServerName"),
        ),
    }
}
