//! Lines of a configuration, in which every value is one word whatever it contains.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wsgi_httpd::word;

/// A configuration that is being written.
#[derive(Debug)]
pub(crate) struct Lines {
    text: String,
    depth: usize,
}

/// What can be a word of a line.
pub(crate) trait Word {
    /// The word, with quotes where it needs them.
    fn word(&self) -> Result<String>;
}

impl Word for &str {
    fn word(&self) -> Result<String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%{}*".contains(c);
        if !self.is_empty() && self.chars().all(is_plain) {
            Ok((*self).to_owned())
        } else {
            word::word(self)
        }
    }
}

impl Word for String {
    fn word(&self) -> Result<String> {
        self.as_str().word()
    }
}

impl Word for Path {
    fn word(&self) -> Result<String> {
        word::quoted(self)
    }
}

impl Word for PathBuf {
    fn word(&self) -> Result<String> {
        word::quoted(self)
    }
}

/// A `name=value` option of our own directives: quotes stand around the value.
#[derive(Debug, Clone)]
pub(crate) struct Setting(pub(crate) &'static str, pub(crate) String);

impl Word for Setting {
    fn word(&self) -> Result<String> {
        Ok(format!("{}={}", self.0, self.1.word()?))
    }
}

macro_rules! numbers {
    ($($kind:ty),*) => {
        $(impl Word for $kind {
            fn word(&self) -> Result<String> {
                Ok(self.to_string())
            }
        })*
    };
}

numbers!(u16, u32, u64, f64);

impl Lines {
    /// No lines yet.
    pub(crate) fn new() -> Self {
        Self { text: String::new(), depth: 0 }
    }

    /// A comment.
    pub(crate) fn comment(&mut self, text: &str) {
        self.raw(&format!("# {text}"));
    }

    /// Lines as they are.
    pub(crate) fn raw(&mut self, lines: &str) {
        for line in lines.lines() {
            self.text.extend(std::iter::repeat_n("    ", self.depth));
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// A directive with its words.
    pub(crate) fn put(&mut self, directive: &str, words: &[&dyn Word]) -> Result<()> {
        let line = joined(directive, words)?;
        self.raw(&line);
        Ok(())
    }

    /// A section with what is in it.
    pub(crate) fn section(
        &mut self,
        name: &str,
        words: &[&dyn Word],
        inside: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let head = joined(name, words)?;
        self.raw(&format!("<{head}>"));
        self.depth += 1;
        inside(self)?;
        self.depth -= 1;
        self.raw(&format!("</{name}>"));
        Ok(())
    }

    /// The finished text.
    pub(crate) fn text(self) -> String {
        self.text
    }
}

fn joined(directive: &str, words: &[&dyn Word]) -> Result<String> {
    let mut line = directive.to_owned();
    for word in words {
        line.push(' ');
        line.push_str(&word.word().with_context(|| directive.to_owned())?);
    }
    Ok(line)
}

/// The full path of a file that the user named.
pub(crate) fn file(path: impl AsRef<OsStr>) -> Result<PathBuf> {
    let path = Path::new(path.as_ref());
    path.canonicalize().with_context(|| format!("cannot find {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_one_word() {
        let mut lines = Lines::new();
        lines
            .section("Directory", &[&PathBuf::from("/srv/my site")], |lines| {
                lines.put("SetEnv", &[&"KEY", &"two \"words\""])
            })
            .unwrap();
        let text =
            "<Directory \"/srv/my site\">\n    SetEnv KEY \"two \\\"words\\\"\"\n</Directory>\n";
        assert_eq!(lines.text(), text);
    }

    #[test]
    fn a_value_cannot_become_a_line() {
        assert!(Lines::new().put("SetEnv", &[&"KEY", &"a\nUser root"]).is_err());
    }
}
