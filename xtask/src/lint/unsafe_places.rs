//! `unsafe` stands only where something outside Rust is called.

use anyhow::Result;

use super::Findings;
use super::source::words;
use super::tree::Tree;
use crate::project::Project;

/// Folders and files that may say `unsafe`: bindings and the httpd layer, the exported module
/// record, system calls, CPython, the C-ABI library, the code around fork and exec, and the
/// harness of the tests (socket options, exit handlers).
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
    "tests/support/",
];

/// Crates that forbid it themselves, so that the compiler checks too.
const FORBIDDING: &[&str] = &[
    "crates/cli/src/main.rs",
    "crates/core/src/lib.rs",
    "crates/httpd/src/lib.rs",
    "xtask/src/main.rs",
];

/// Findings: `unsafe` elsewhere, and a missing `forbid`.
pub(crate) fn check(_: &Project, tree: &Tree) -> Result<Findings> {
    let mut findings = Findings::new();
    for file in tree.rust().filter(|file| !is_allowed(&file.path)) {
        let code = file.code();
        let places = words(&code, "unsafe").filter(|at| !is_type(&code, *at));
        findings.extend(places.map(|at| file.finding(at, "unsafe is not allowed here")));
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

/// Whether the word belongs to the type of a C function, which calls nothing.
fn is_type(code: &str, at: usize) -> bool {
    let mut words = code.get(at..).unwrap_or_default().split_whitespace();
    // The ABI's name is blanked: `extern "C" fn(` reads `extern " " fn(`.
    words.nth(1) == Some("extern")
        && words.find(|word| *word != "\"").is_some_and(|word| word.starts_with("fn("))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_handlers_are_not_among_the_places() {
        assert!(is_allowed("src/apache/guard.rs") && is_allowed("crates/python/src/types.rs"));
        assert!(!is_allowed("crates/core/src/lib.rs") && !is_allowed("src/handler/daemon.rs"));
    }

    #[test]
    fn the_type_of_a_function_is_not_unsafe_code() {
        let code = crate::lint::source::blank("f: unsafe extern \"C\" fn(*mut u8), unsafe { g() }");
        assert!(is_type(&code, 3));
        assert!(!is_type(&code, code.rfind("unsafe").unwrap()));
        assert!(!is_type("unsafe fn f()", 0));
    }
}
