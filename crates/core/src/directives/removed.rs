//! Names that mod_wsgi once had: lines with them are answered by what to write instead of httpd's
//! "Invalid command". The help text of their rows is that answer.

use super::line::Line;
use super::site::ConfigError;

/// A line that can be left out: it is accepted, and a warning says so.
pub(crate) fn ignored(line: &mut Line<'_>) -> Result<(), ConfigError> {
    // Whatever stands on it, it was for another version.
    while line.words.next_word().is_some() {}
    Ok(())
}

/// A line without which the site would not be what it is meant to be.
pub(crate) fn refused(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let (name, help) = (line.directive.name, line.directive.help);
    Err(ConfigError(format!("{name} has been removed from mod_wsgi: {help}")))
}
