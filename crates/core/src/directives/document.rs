//! docs/directives.md and docs/daemon-options.md, written from the tables.

use std::fmt::{self, Write as _};

use super::daemon::{DaemonOption, OPTIONS};
use super::{Arguments, Context, DIRECTIVES, Directive, Status};
use crate::forwarded::{self, Meaning};

/// What stands above the directives.
const HEAD: &str = "\
# Directives

Generated from the directive table by `cargo xtask lint --write`; do not edit. What they do is what
mod_wsgi 6 documents; [differences.md](differences.md) has what we do differently,
[daemon-options.md](daemon-options.md) the options of WSGIDaemonProcess.

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
| inert | accepted for old configurations, without meaning |
| not needed | checked; what it arranges is not needed here, see [differences.md](differences.md) |

## The 49 directives

";

/// What stands above our own directives.
const OWN_DIRECTIVES_HEAD: &str = "
### Directives that mod_wsgi does not have

";

/// What stands above the headers of trusted proxies.
const HEADERS_HEAD: &str = "
## Headers that WSGITrustedProxyHeaders can trust

Of those that replace the same the last one counts that the directive names and the request has; the
application does not see the others, and none at all from a peer that WSGITrustedProxies does not name.

| Header | Replaces |
|---|---|
";

/// What stands above the names that are no more.
const REMOVED_HEAD: &str = "
## Names that mod_wsgi no longer has

Where the line can be left out it is accepted, with a warning; otherwise `httpd -t` refuses it, and says
what to write instead.

| Directive | Instead |
|---|---|
";

/// What stands above the options.
const OPTIONS_HEAD: &str = "\
# Options of WSGIDaemonProcess

Generated from the table of options by `cargo xtask lint --write`; do not edit. The column \"State\" is that of
[directives.md](directives.md).

`WSGIDaemonProcess name option=value ...`. Values may be quoted; no space may stand around the
`=`; of an option given twice the last counts. Numbers are decimal digits and nothing else,
timeouts are whole seconds unless it says otherwise.

";

/// What stands above our own options.
const EXTENSIONS_HEAD: &str = "
## Options that mod_wsgi does not have

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
            Self::Inert => "inert",
            Self::NotNeeded => "not needed",
            Self::Removed => "removed",
        }
    }
}

impl Meaning {
    /// What a header with this meaning replaces.
    fn replaced(self) -> &'static str {
        match self {
            Self::ClientList => "`REMOTE_ADDR`: the client that the leftmost trusted proxy names",
            Self::Client => "`REMOTE_ADDR`",
            Self::Host => "`HTTP_HOST`",
            Self::Server => "`SERVER_NAME`",
            Self::Port => "`SERVER_PORT`",
            Self::ScriptName => "`SCRIPT_NAME`; also in `mod_wsgi.mount_point`",
            Self::Scheme => "`wsgi.url_scheme`: http or https",
            Self::SchemeFlag => "`wsgi.url_scheme`: On, true or 1, and Off, false or 0",
        }
    }
}

/// The page docs/directives.md.
pub fn directives() -> String {
    let mut page = String::from(HEAD);
    // Writing to a String cannot fail.
    let _ = write_directives(&mut page, |directive| !directive.is_extension);
    page.push_str(OWN_DIRECTIVES_HEAD);
    let _ = write_directives(&mut page, |directive| directive.is_extension);
    page.push_str(HEADERS_HEAD);
    let _ = write_headers(&mut page);
    page.push_str(REMOVED_HEAD);
    let _ = write_removed(&mut page);
    page
}

/// The page docs/daemon-options.md.
pub fn daemon_options() -> String {
    let mut page = String::from(OPTIONS_HEAD);
    // Writing to a String cannot fail.
    let _ = write_options(&mut page, |option| !option.is_extension);
    page.push_str(EXTENSIONS_HEAD);
    let _ = write_options(&mut page, |option| option.is_extension);
    page
}

/// Whether mod_wsgi still knows a directive.
fn is_known(directive: &&Directive) -> bool {
    directive.status != Status::Removed
}

/// The name as it is typed: a section has its closing sign.
fn typed(directive: &Directive) -> String {
    match directive.arguments {
        Arguments::Section => format!("{}>", directive.name),
        _ => directive.name.to_owned(),
    }
}

/// A table of the directives that are wanted.
fn write_directives(page: &mut String, wanted: fn(&Directive) -> bool) -> fmt::Result {
    writeln!(page, "| Directive | Context | Arguments | Default | State | Meaning |")?;
    writeln!(page, "|---|---|---|---|---|---|")?;
    for directive in DIRECTIVES.iter().filter(|one| is_known(one) && wanted(one)) {
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

/// The table of the headers that proxies set.
fn write_headers(page: &mut String) -> fmt::Result {
    for header in &forwarded::HEADERS {
        let key = header.key.to_string_lossy();
        let words = key.trim_start_matches("HTTP_").split('_').map(capitalised);
        let name = words.collect::<Vec<_>>().join("-");
        writeln!(page, "| `{name}` | {} |", header.meaning.replaced())?;
    }
    Ok(())
}

/// A word of a header as one writes it.
fn capitalised(word: &str) -> String {
    if matches!(word, "IP" | "SSL" | "HTTPS") {
        return word.to_owned();
    }
    let (first, rest) = word.split_at(word.len().min(1));
    format!("{first}{}", rest.to_ascii_lowercase())
}

/// The table of names that are no more.
fn write_removed(page: &mut String) -> fmt::Result {
    for directive in DIRECTIVES.iter().filter(|directive| !is_known(directive)) {
        writeln!(page, "| `{}` | {} |", directive.name, directive.help)?;
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
    fn the_pages_have_every_name_and_whole_rows() {
        let (directives, options) = (directives(), daemon_options());
        for directive in DIRECTIVES {
            let row = format!("| `{}` |", typed(directive));
            assert_eq!(directives.matches(&row).count(), 1, "{}", directive.name);
        }
        for option in OPTIONS {
            let row = format!("| `{}` |", option.name);
            assert_eq!(options.matches(&row).count(), 1, "{}", option.name);
        }
        assert!(directives.contains("| `X-Forwarded-For` |"), "{directives}");
        assert!(directives.contains("| `X-Real-IP` |"), "{directives}");
        for (page, columns) in [(&directives, [3, 7]), (&options, [5, 5])] {
            let rows = page.lines().filter(|line| line.starts_with("| `"));
            for row in rows {
                assert!(columns.contains(&row.matches('|').count()), "{row}");
            }
        }
    }
}
