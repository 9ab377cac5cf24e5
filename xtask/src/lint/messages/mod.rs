//! Message codes (`WSGInnnn`): every one the product can log has a meaning and a remedy in
//! `table`, from which docs/log-messages.md is made; no code is explained that nobody logs.
//!
//! `found` collects the codes from the sources.

mod found;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::Result;

use super::Findings;
use super::tree::Tree;
use crate::project::Project;
use table::{MESSAGES, Message};

/// The generated page.
const PAGE: &str = "docs/log-messages.md";

/// Findings: codes without explanation, explanations without code, an outdated page.
pub(crate) fn check(_: &Project, tree: &Tree) -> Result<Findings> {
    let mut findings = compare(MESSAGES, &found::codes(tree));
    let present = tree.file(PAGE).map(|file| file.text.as_str()).unwrap_or_default();
    if present != page(MESSAGES) {
        findings.push(format!("{PAGE} is out of date: run cargo xtask lint --write"));
    }
    Ok(findings)
}

/// Writes the page anew.
pub(crate) fn write(project: &Project) -> Result<()> {
    fs::write(project.root.join(PAGE), page(MESSAGES))?;
    Ok(())
}

/// What the table and the sources disagree about; `found` has each code with one place.
fn compare(messages: &[Message], found: &BTreeMap<u16, String>) -> Findings {
    let mut findings = Findings::new();
    for (code, place) in found {
        if !messages.iter().any(|message| message.code == *code) {
            findings.push(format!("{place}: WSGI{code:04} is not in xtask's table of messages"));
        }
    }
    for message in messages.iter().filter(|message| !found.contains_key(&message.code)) {
        findings.push(format!(
            "WSGI{:04} is in the table of messages, but nobody logs it",
            message.code
        ));
    }
    for pair in messages.windows(2) {
        if let [a, b] = pair
            && a.code >= b.code
        {
            findings.push(format!("WSGI{:04} stands twice or out of order in the table", b.code));
        }
    }
    findings
}

/// The text of the page.
fn page(messages: &[Message]) -> String {
    let mut text = String::from(
        "# Log messages\n\n\
         Made from `xtask/src/lint/messages/table.rs` by `cargo xtask lint --write`; do not edit.\n\n\
         Every record of level warning or worse that comes from the module, its supervisor or a daemon process\n\
         starts with a code. Below 1000 a code means what it means in mod_wsgi; from 1001 on they are ours. Lines of a\n\
         Python traceback follow the record they belong to and have no code.\n\n\
         | Code | What it means | What to do |\n|---|---|---|\n",
    );
    for Message { code, meaning, remedy } in messages {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| WSGI{code:04} | {meaning} | {remedy} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(code: u16) -> Message {
        Message { code, meaning: "m", remedy: "r" }
    }

    #[test]
    fn the_table_and_the_sources_must_agree() {
        let found = BTreeMap::from([(80, "a.rs:1".to_owned()), (1001, "b.rs:2".to_owned())]);
        assert_eq!(compare(&[message(80), message(1001)], &found), Findings::new());
        assert!(compare(&[message(80)], &found).concat().contains("b.rs:2: WSGI1001"));
        let all = [message(80), message(81), message(1001)];
        assert!(compare(&all, &found).concat().contains("nobody logs"));
    }

    #[test]
    fn a_code_stands_once_and_in_order() {
        let found = BTreeMap::from([(80, String::new())]);
        assert_eq!(compare(&[message(80), message(80)], &found).len(), 1);
    }
}
