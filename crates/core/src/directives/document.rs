//! docs/directives.md, written from the tables.

use std::fmt::{self, Write as _};

use super::daemon::{DaemonOption, OPTIONS};
use super::{Arguments, Context, DIRECTIVES, Directive, Status};

/// What stands above the tables.
const HEAD: &str = "\
# Directives

Generated from the directive table by `cargo run -q -p wsgi-core --example directives-doc`; do
not edit. What they do is what mod_wsgi 6 documents; see [differences.md](differences.md) for
what we do differently.

| Context | Where the directive may stand |
|---|---|
| global | main server only, outside of sections |
| server | main server or `<VirtualHost>` |
| directory | also `<Directory>`, `<Location>`, `<Files>`; not .htaccess |
| FileInfo | also .htaccess under `AllowOverride FileInfo` |
| AuthConfig | `<Directory>` and the like, and .htaccess under `AllowOverride AuthConfig`; not server |

| State | What it means |
|---|---|
| acts | does what it says |
| no effect yet | checked and kept; one line at INFO says that it has no effect |
| inert | accepted for old configurations, without meaning |
| not needed | checked; what it arranges is not needed here, see [differences.md](differences.md) |

";

/// What stands above the options.
const OPTIONS_HEAD: &str = "
## Options of WSGIDaemonProcess

`WSGIDaemonProcess name option=value ...`. Values may be quoted; no space may stand around the
`=`; of an option given twice the last counts. Numbers are decimal digits and nothing else,
timeouts are whole seconds unless it says otherwise.

";

/// What stands above our own options.
const EXTENSIONS_HEAD: &str = "
### Options that mod_wsgi does not have

mod_wsgi refuses a configuration that has one of these.

";

impl Context {
    /// Name of the context in the documentation.
    fn word(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Server => "server",
            Self::ServerOrDirectory => "directory",
            Self::FileInfo => "FileInfo",
            Self::AuthConfig => "AuthConfig",
        }
    }
}

impl Arguments {
    /// What stands behind the name.
    fn word(self) -> &'static str {
        match self {
            Self::Take1 => "one word",
            Self::Take12 => "one or two words",
            Self::Flag => "`On` or `Off`",
            Self::Iterate => "one or more words",
            Self::Raw => "words and options",
            Self::Section => "section",
        }
    }
}

impl Status {
    /// Name of the state in the documentation.
    fn word(self) -> &'static str {
        match self {
            Self::Acts => "acts",
            Self::EffectLater => "no effect yet",
            Self::Inert => "inert",
            Self::NotNeeded => "not needed",
        }
    }
}

/// The page docs/directives.md.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    // Writing to a String cannot fail.
    let _ = write_directives(&mut page);
    page.push_str(OPTIONS_HEAD);
    let _ = write_options(&mut page, |option| !option.is_extension);
    page.push_str(EXTENSIONS_HEAD);
    let _ = write_options(&mut page, |option| option.is_extension);
    page
}

/// The name as it is typed: a section has its closing sign.
fn typed(directive: &Directive) -> String {
    match directive.arguments {
        Arguments::Section => format!("{}>", directive.name),
        _ => directive.name.to_owned(),
    }
}

/// The table of directives.
fn write_directives(page: &mut String) -> fmt::Result {
    writeln!(page, "## The {} directives\n", DIRECTIVES.len())?;
    writeln!(page, "| Directive | Context | Arguments | Default | State | Meaning |")?;
    writeln!(page, "|---|---|---|---|---|---|")?;
    for directive in DIRECTIVES {
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            typed(directive),
            directive.context.word(),
            directive.arguments.word(),
            directive.default,
            directive.status.word(),
            directive.help,
        )?;
    }
    Ok(())
}

/// A table of the options that are wanted.
fn write_options(page: &mut String, wanted: fn(&DaemonOption) -> bool) -> fmt::Result {
    writeln!(page, "| Option | Default | State | Meaning |")?;
    writeln!(page, "|---|---|---|---|")?;
    for option in OPTIONS.iter().filter(|option| wanted(option)) {
        writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            option.name,
            option.default,
            option.status.word(),
            option.help,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_name_and_whole_rows() {
        let page = page();
        for directive in DIRECTIVES {
            assert!(page.contains(&format!("| `{}` |", typed(directive))), "{}", directive.name);
        }
        for option in OPTIONS {
            assert!(page.contains(&format!("| `{}` |", option.name)), "{}", option.name);
        }
        let columns = |line: &str| line.matches('|').count();
        let rows = page.lines().filter(|line| line.starts_with("| `")).map(columns);
        assert!(rows.into_iter().all(|count| count == 7 || count == 5));
        assert_eq!(page.lines().filter(|line| line.starts_with("| `")).count(), 49 + OPTIONS.len());
    }
}
