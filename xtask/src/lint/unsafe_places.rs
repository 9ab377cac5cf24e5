//! `unsafe` stands only where something outside Rust is called.

use anyhow::Result;

use super::Findings;
use super::source::words;
use super::tree::Tree;
use crate::project::Project;

/// Folders and files that may say `unsafe`: bindings and the httpd layer, the exported module
/// record, system calls, CPython, the C-ABI library, and the code around fork and exec.
const ALLOWED: &[&str] = &[
    "src/ffi/",
    "src/ffi.rs",
    "src/apache/",
    "src/lib.rs",
    "crates/ipc/",
    "crates/python/",
    "crates/embedded/",
    "crates/daemon/",
    "crates/supervisor/",
];

/// Crates that forbid it themselves, so that the compiler checks too.
const FORBIDDING: &[&str] = &["crates/core/src/lib.rs", "xtask/src/main.rs"];

/// Findings: `unsafe` elsewhere, and a missing `forbid`.
pub(crate) fn check(_: &Project, tree: &Tree) -> Result<Findings> {
    let mut findings = Findings::new();
    for file in tree.rust().filter(|file| !is_allowed(&file.path)) {
        let code = file.code();
        findings.extend(
            words(&code, "unsafe").map(|at| file.finding(at, "unsafe is not allowed here")),
        );
    }
    for path in FORBIDDING {
        let forbids =
            tree.file(path).is_some_and(|file| file.code().contains("#![forbid(unsafe_code)]"));
        if !forbids {
            findings.push(format!("{path}:1: lacks #![forbid(unsafe_code)]"));
        }
    }
    Ok(findings)
}

fn is_allowed(path: &str) -> bool {
    ALLOWED.iter().any(|place| path.starts_with(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_handlers_are_not_among_the_places() {
        assert!(is_allowed("src/apache/guard.rs") && is_allowed("crates/python/src/types.rs"));
        assert!(!is_allowed("crates/core/src/lib.rs") && !is_allowed("src/handler/daemon.rs"));
    }
}
