//! The line WSGIDaemonProcess: name, options, duplicates.

use super::DaemonProcess;
use super::options::{DaemonOption, DaemonOptions, OPTIONS};
use super::value::Value;
use crate::directives::line::Line;
use crate::directives::nearest::nearest;
use crate::directives::site::ConfigError;
use crate::directives::value::shown;
use crate::directives::words::Malformed;

/// WSGIDaemonProcess name [option=value ...].
pub(crate) fn parse(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let name = line.words.next_word().filter(|name| !name.is_empty());
    let name = name.ok_or("Name of WSGI daemon process not supplied.")?;
    let before = line.global()?.daemon_processes.iter().find(|group| group.name == name);
    if let Some(before) = before {
        return Err(ConfigError(format!(
            "Name duplicates previous WSGI daemon definition. WSGIDaemonProcess {} stands in \
             {}:{} already",
            shown(&name),
            before.file,
            before.line
        )));
    }
    let options = read_options(line)?;
    let group = DaemonProcess {
        name,
        server: line.site.server,
        file: line.site.file.to_owned(),
        line: line.site.line,
        options,
    };
    line.global()?.daemon_processes.push(group);
    Ok(())
}

/// The options of the line; the last of a name wins.
fn read_options(line: &mut Line<'_>) -> Result<DaemonOptions, ConfigError> {
    let mut options = DaemonOptions::default();
    while let Some(pair) = line.words.next_option() {
        let (name, text) = pair.map_err(|Malformed(word)| unknown(&word, "name=value"))?;
        let option = OPTIONS.iter().find(|option| option.name == name);
        let option = option.ok_or_else(|| unknown(name, &expected(name)))?;
        let value = Value { option: option.name, text: &text, facts: line.facts };
        (option.set)(&mut options, &value)?;
    }
    if options.script_user.is_some() && options.script_group.is_some() {
        return Err("Only one of script-user and script-group allowed.".into());
    }
    if !line.facts.is_root() && options.wants_identity() {
        let name = line.directive.name;
        line.inform(format!(
            "{name}: user=, group= and supplementary-groups= have no effect, because httpd was \
             not started by root"
        ));
    }
    Ok(options)
}

impl DaemonOptions {
    /// Whether an option was given that only root can carry out.
    fn wants_identity(&self) -> bool {
        self.user.is_some() || self.group.is_some() || self.supplementary_groups.is_some()
    }
}

/// The text for an option that does not exist or is no option.
fn unknown(given: &str, expected: &str) -> ConfigError {
    ConfigError(format!(
        "Invalid option to WSGI daemon process definition. WSGIDaemonProcess: {} found, expected \
         {expected}",
        shown(given)
    ))
}

/// What is expected instead of an option called `name`, in words.
fn expected(name: &str) -> String {
    let plain = name.replace('_', "-");
    let named = |option: &'static DaemonOption| option.name;
    let begins = |option: &&DaemonOption| !plain.is_empty() && option.name.starts_with(&plain);
    let alike = nearest(&plain, OPTIONS.iter().map(named));
    match alike.or_else(|| OPTIONS.iter().find(begins).map(named)) {
        Some(option) => format!("an option of the documentation (perhaps {option}=)"),
        None => "an option of the documentation".to_owned(),
    }
}
