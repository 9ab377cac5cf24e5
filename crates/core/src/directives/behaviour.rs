//! The directives that set one value for requests: groups, callable, flags.

use super::config::GlobalConfig;
use super::line::Line;
use super::scoped::{MapHead, Scoped};
use super::site::ConfigError;

/// One `On`/`Off` setting of a scope.
pub(crate) fn scoped_flag(
    line: &mut Line<'_>,
    field: fn(&mut Scoped) -> &mut Option<bool>,
) -> Result<(), ConfigError> {
    let value = line.take_flag()?;
    *field(line.scoped()) = Some(value);
    Ok(())
}

/// One name of a scope; it may be empty.
pub(crate) fn scoped_name(
    line: &mut Line<'_>,
    field: fn(&mut Scoped) -> &mut Option<String>,
) -> Result<(), ConfigError> {
    let value = line.take_one()?;
    *field(line.scoped()) = Some(value);
    Ok(())
}

/// WSGIProcessGroup name.
pub(crate) fn process_group(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let name = line.take_one()?;
    line.note_group(Some(&name), false);
    line.scoped().process_group = Some(name);
    Ok(())
}

/// One `On`/`Off` setting of the whole httpd.
pub(crate) fn global_flag(
    line: &mut Line<'_>,
    field: fn(&mut GlobalConfig) -> &mut Option<bool>,
) -> Result<(), ConfigError> {
    let value = line.take_flag()?;
    *field(line.global()?) = Some(value);
    Ok(())
}

/// One text of the whole httpd.
pub(crate) fn global_text(
    line: &mut Line<'_>,
    field: fn(&mut GlobalConfig) -> &mut Option<String>,
) -> Result<(), ConfigError> {
    let value = line.take_some()?;
    *field(line.global()?) = Some(value);
    Ok(())
}

/// WSGICallableObject name.
pub(crate) fn callable_object(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let name = line.take_some()?;
    line.scoped().callable_object = Some(name);
    Ok(())
}

/// WSGIMapHEADToGET Off|On|Auto.
pub(crate) fn map_head(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let word = line.take_one()?;
    let value = match word.to_ascii_lowercase().as_str() {
        "off" => MapHead::Off,
        "on" => MapHead::On,
        "auto" => MapHead::Auto,
        _ => return Err(line.not_one_of("Off | On | Auto", &word)),
    };
    line.scoped().map_head_to_get = Some(value);
    Ok(())
}

/// WSGISendfileRoot dir [dir...]: the line replaces an earlier one of the same scope.
pub(crate) fn sendfile_root(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let roots = line.take_all()?;
    if let Some(relative) = roots.iter().find(|root| !root.starts_with('/')) {
        return Err(line.not_one_of("absolute paths of directories", relative));
    }
    line.scoped().sendfile_roots = Some(roots);
    Ok(())
}

/// WSGIRestrictProcess group [group...]: the line replaces an earlier one of the same scope.
pub(crate) fn restrict_process(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let groups = line.take_all()?;
    let groups = groups.into_iter().map(embedded_if_global).collect();
    line.scoped().restrict_process = Some(groups);
    Ok(())
}

/// `%{GLOBAL}` as the empty name it stands for.
pub(crate) fn embedded_if_global(name: String) -> String {
    if name == "%{GLOBAL}" { String::new() } else { name }
}
