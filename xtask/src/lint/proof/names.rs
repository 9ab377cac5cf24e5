//! The names that need a proof: the first columns of the tables of the documentation.

use crate::lint::source::is_word;
use crate::lint::tree::Tree;

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A directive of httpd, or a header that one of them lists.
    Directive,
    /// An option of WSGIDaemonProcess.
    Option,
    /// A name of the Python modules.
    Python,
}

impl Kind {
    /// The heading of its names.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Directive => "Directives",
            Self::Option => "Options of WSGIDaemonProcess",
            Self::Python => "Python",
        }
    }
}

/// A name that is documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// What it is.
    pub(super) kind: Kind,
    /// As documented.
    pub(super) text: String,
    /// Whether the page says that it acts.
    pub(super) acts: bool,
}

/// The pages with tables of names.
const PAGES: [(Kind, &str); 3] = [
    (Kind::Directive, "docs/directives.md"),
    (Kind::Option, "docs/daemon-options.md"),
    (Kind::Python, "docs/python-api.md"),
];

/// All names, in the order of the pages; each once.
pub(super) fn all(tree: &Tree) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for (kind, path) in PAGES {
        let Some(file) = tree.file(path) else { continue };
        for line in file.text.lines() {
            let acts = kind == Kind::Python || line.split(" | ").any(|cell| cell == "acts");
            for text in in_row(line) {
                if !names.iter().any(|name| name.kind == kind && name.text == text) {
                    names.push(Name { kind, text, acts });
                }
            }
        }
    }
    names
}

/// The names in the first column of a row of a table.
fn in_row(line: &str) -> Vec<String> {
    let cell = line.strip_prefix("| `").and_then(|row| row.split(" |").next());
    let words = cell.map(|cell| format!("`{cell}")).unwrap_or_default();
    let ticked = words.split('`').skip(1).step_by(2);
    ticked.map(|word| word.split('(').next().unwrap_or(word).to_owned()).collect()
}

impl Name {
    /// Whether a text of a test mentions the name.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let plain = self.text.trim_matches(['<', '>']);
        // `…_end`: several names with the same end.
        if let Some(end) = plain.strip_prefix('…') {
            return text.contains(end);
        }
        let wanted = match self.kind {
            Kind::Option => format!("{plain}="),
            Kind::Directive | Kind::Python => plain.to_owned(),
        };
        let part_of_name = |byte: u8| is_word(byte) || byte == b'-';
        text.match_indices(&wanted).any(|(at, _)| {
            let before = text.as_bytes().get(at.wrapping_sub(1)).copied();
            let behind = text.as_bytes().get(at + wanted.len()).copied();
            let is_whole = self.kind == Kind::Option || !behind.is_some_and(is_word);
            // `\n` in a literal is no letter in front of the name.
            let is_escape = text.get(..at).is_some_and(|text| text.ends_with("\\n"));
            is_whole && (is_escape || !before.is_some_and(part_of_name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_columns_have_names() {
        assert_eq!(in_row("| `WSGIProcessGroup` | directory | `a` |"), ["WSGIProcessGroup"]);
        assert_eq!(in_row("| `a`, `b_c` | `list` | who |"), ["a", "b_c"]);
        assert_eq!(in_row("| `subscribe_events(callback)` | hears |"), ["subscribe_events"]);
        for line in ["", "text `a`", "|---|", "| Name | Type |"] {
            assert!(in_row(line).is_empty(), "{line}");
        }
    }

    #[test]
    fn names_are_whole_words() {
        let name = |kind, text: &str| Name { kind, text: text.to_owned(), acts: true };
        let user = name(Kind::Option, "user");
        assert!(user.is_in("\"user=x\"") && user.is_in("a\\nuser=") && user.is_in(" user=\"x\""));
        assert!(!user.is_in("script-user=x") && !user.is_in("user") && !user.is_in("a_user="));
        let alias = name(Kind::Directive, "WSGIScriptAlias");
        assert!(alias.is_in("\\nWSGIScriptAlias / x") && !alias.is_in("WSGIScriptAliasMatch x"));
        let section = name(Kind::Directive, "<WSGIInterpreterOptions>");
        assert!(section.is_in("<WSGIInterpreterOptions a=b>"));
        assert!(name(Kind::Python, "…_time_min_us").is_in("[\"queue_time_min_us\"]"));
    }
}
