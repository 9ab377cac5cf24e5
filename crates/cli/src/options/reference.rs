//! docs/command.md, generated from the command line itself.

use clap::{Arg, Command, CommandFactory};

use super::Cli;

const HEAD: &str = "\
# The command mod-wsgi-rs

Generated from the command's own help by `cargo xtask lint --write`; do not edit. `mod-wsgi-rs COMMAND --help` says
the same. An option may be shortened as long as it stays unmistakable, and written `--option value` or
`--option=value`; one with two values is followed by both. Errors are one line that says what is wrong and
what to do; the command then ends with 1 (with 2 when the command line itself is not understood).
[running.md](running.md) shows how the commands are used.
";

/// The page.
pub(crate) fn page() -> String {
    let mut text = HEAD.to_owned();
    for command in Cli::command().get_subcommands().filter(|one| !one.is_hide_set()) {
        section(&mut text, command);
    }
    text
}

fn section(text: &mut String, command: &Command) {
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    text.push_str(&format!("\n## {}\n\n{about}\n", command.get_name()));
    if command.get_name() == "setup-server" {
        text.push_str("\nIts options are those of start-server.\n");
        return;
    }
    let shown: Vec<&Arg> = command
        .get_arguments()
        .filter(|one| !one.is_hide_set() && one.get_id() != "help")
        .collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for heading in shown.iter().map(|one| one.get_help_heading()) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading in headings {
        if let Some(heading) = heading {
            text.push_str(&format!("\n### {heading} ({})\n", command.get_name()));
        }
        text.push_str("\n| Option | Default | Meaning |\n|---|---|---|\n");
        for argument in shown.iter().filter(|one| one.get_help_heading() == heading) {
            text.push_str(&row(argument));
        }
    }
}

fn row(argument: &Arg) -> String {
    let names: Vec<String> =
        argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let takes_value = argument.get_action().takes_values();
    let values = if takes_value { names.join(" ") } else { String::new() };
    let name = match argument.get_long() {
        Some(long) => format!("--{long} {values}").trim_end().to_owned(),
        None => values,
    };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let (help, own) = match help.split_once(" [default: ") {
        Some((help, rest)) => (help.to_owned(), Some(rest.trim_end_matches(']').to_owned())),
        None => (help, None),
    };
    let given = argument.get_default_values().first().and_then(|value| value.to_str());
    let default = match own {
        Some(own) => own,
        None => given.filter(|_| takes_value).map(|value| format!("`{value}`")).unwrap_or_default(),
    };
    let escaped = |text: String| text.replace('|', "\\|");
    format!("| `{name}` | {} | {} |\n", escaped(default), escaped(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_on_the_page() {
        let page = page();
        for name in ["## start-server", "`--port PORT` | `8000`", "`--url-alias URL PATH`"] {
            assert!(page.contains(name), "{name} is not in\n{page}");
        }
        assert!(!page.contains("run-httpd"));
    }
}
