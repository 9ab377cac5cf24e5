//! What `httpd -D WSGI_CHECK -t` asks a throw-away process about applications, what it answers, and
//! the sentence that is made of it.
//!
//! * `needs`: what a script must define.
//! * `target`: the files that the target of a WSGIScriptAliasMatch can mean.

mod needs;
mod target;

pub use needs::{Looked, Needs};
pub use target::{Files, Target, is_script};

use serde::{Deserialize, Serialize};

use crate::control::ImportScript;

/// A script to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The script and its interpreter.
    pub script: ImportScript,
    /// What it must define.
    pub needs: Needs,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Finding {
    /// Why it would not work, where that is known beyond the log.
    pub fault: Option<String>,
    /// Whether it works.
    pub is_sound: bool,
    /// What was logged meanwhile.
    pub log: Vec<String>,
}

/// From the supervisor to httpd, while it checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The next candidate was tried.
    Tried(Finding),
    /// All that will be; why it is not all that was asked for.
    Ended(Option<String>),
}

impl Finding {
    /// Why it would not work, in one sentence with the remedy where there is a usual one.
    pub fn reason(&self) -> String {
        if let Some(fault) = &self.fault {
            return fault.clone();
        }
        if let Some(refusal) = self.log.iter().find_map(|line| line.split_once("WSGI1026: ")) {
            return without_script(refusal.1).to_owned();
        }
        // A traceback's last line that is not indented is the exception.
        let exception = self
            .log
            .iter()
            .flat_map(|record| record.lines())
            .rfind(|line| !line.is_empty() && !line.starts_with(char::is_whitespace))
            .unwrap_or("it cannot be loaded, and nothing says why");
        let exception = exception.strip_prefix("WSGI").map_or(exception, without_script);
        match remedy(exception) {
            Some(remedy) => format!("{exception}; {remedy}"),
            None => exception.to_owned(),
        }
    }
}

/// A record without its code and the script, which is named already.
fn without_script(record: &str) -> &str {
    record.split_once("] ").map_or(record, |(_, rest)| rest)
}

/// What usually helps.
fn remedy(exception: &str) -> Option<&'static str> {
    const REMEDIES: [(&str, &str); 6] = [
        (
            "ModuleNotFoundError",
            "install it into the Python of the application (python-home=), or name its directory with \
             python-path=",
        ),
        ("ImportError", "see that it is made for this Python (python-home=), or install it again"),
        (
            "SyntaxError",
            "correct the script, or choose the Python it was written for (python-home=)",
        ),
        ("IndentationError", "correct the script"),
        ("PermissionError", "let the user of the process group read it"),
        ("SystemExit", "the script must not end the process when it is loaded"),
    ];
    REMEDIES.iter().find(|(name, _)| exception.starts_with(name)).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(log: &[&str]) -> String {
        let log = log.iter().map(|line| (*line).to_owned()).collect();
        Finding { log, ..Finding::default() }.reason()
    }

    #[test]
    fn the_exception_of_a_traceback_is_the_reason() {
        let reason = reason(&[
            "WSGI0110: [script /a.wsgi] Unable to execute WSGI script '/a.wsgi' as Python module.",
            "Traceback (most recent call last):\n  File \"/a.wsgi\", line 1, in <module>\n    import x\n\
             ModuleNotFoundError: No module named 'x'",
        ]);
        assert!(
            reason.starts_with("ModuleNotFoundError: No module named 'x'; install"),
            "{reason}"
        );
    }

    #[test]
    fn an_extension_that_does_not_fit_its_interpreter_brings_its_own_remedy() {
        let reason = reason(&[
            "ImportError: module x does not support loading in subinterpreters",
            "WSGI1026: [script /a.wsgi] An extension module does not work in here: x. Run it elsewhere.",
        ]);
        assert_eq!(reason, "An extension module does not work in here: x. Run it elsewhere.");
    }

    #[test]
    fn a_record_without_traceback_is_shown_without_its_code() {
        let reason = reason(&["WSGI0089: [script /a.wsgi] It has none."]);
        assert_eq!(reason, "It has none.");
    }
}
