//! What the person at the terminal sees: colours only there, and never in a file.

use std::env;
use std::io::{IsTerminal, Write, stderr, stdout};

/// Shows an error in one line, whatever its parts came with.
pub(crate) fn error(text: &str) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (on, off) = style(stderr().is_terminal(), "\x1b[1;31m");
    writeln!(stderr(), "mod-wsgi-rs: {on}error:{off} {text}").ok();
}

/// Shows a warning.
pub(crate) fn warning(text: &str) {
    let (on, off) = style(stderr().is_terminal(), "\x1b[1;33m");
    writeln!(stderr(), "mod-wsgi-rs: {on}warning:{off} {text}").ok();
}

/// Shows a line; a terminal that has gone is no reason to fail.
pub(crate) fn say(text: &str) {
    writeln!(stdout(), "{text}").ok();
}

/// Shows what is being done, where somebody watches it.
pub(crate) fn progress(text: &str) {
    if stdout().is_terminal() {
        say(&format!("{text} …"));
    }
}

/// A headline of a summary.
pub(crate) fn strong(text: &str) -> String {
    let (on, off) = style(stdout().is_terminal(), "\x1b[1m");
    format!("{on}{text}{off}")
}

/// How a style begins and ends; nothing where it would end up in a file.
fn style(is_terminal: bool, on: &'static str) -> (&'static str, &'static str) {
    let is_wanted = is_terminal
        && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|value| value != "dumb");
    if is_wanted { (on, "\x1b[0m") } else { ("", "") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_no_colours() {
        assert_eq!(style(false, "\x1b[1m"), ("", ""));
    }
}
