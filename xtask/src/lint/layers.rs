//! Imports point downwards only, between crates and between the folders of `src/`.

use anyhow::Result;

use super::Findings;
use super::metadata::packages;
use super::source::{is_word, words};
use super::tree::{File, Tree};
use crate::project::Project;

/// Which of our crates each of them may use. Whoever is not named may use none.
const CRATES: &[(&str, &[&str])] = &[
    ("wsgi-ipc", &["wsgi-core"]),
    ("wsgi-python", &["wsgi-core", "wsgi-ipc"]),
    ("mod_wsgi_rs", &["wsgi-core", "wsgi-ipc"]),
    ("wsgi-embedded", &["wsgi-core", "wsgi-ipc", "wsgi-python"]),
    ("wsgi-supervisor", &["wsgi-core", "wsgi-ipc"]),
    ("wsgi-daemon", &["wsgi-core", "wsgi-ipc", "wsgi-python"]),
];

/// CPython's bindings stay behind `wsgi-python`; the module never links libpython.
const PYTHON_USERS: &[&str] = &["wsgi-python", "wsgi-embedded", "wsgi-daemon"];

/// The folders of `src/` from the lowest layer to the highest. A layer may use itself and
/// what is below it.
const FOLDERS: &[&[&str]] = &[
    &["ffi"],
    &["apache"],
    &["mapping", "aaa", "client", "status", "supervisor"],
    &["handler"],
    &["lib", "hooks", "lifecycle", "directives"],
];

/// Findings: dependencies and paths that point upwards.
pub(crate) fn check(project: &Project, tree: &Tree) -> Result<Findings> {
    let mut findings = Findings::new();
    let packages = packages(project)?;
    let ours: Vec<&str> = packages
        .iter()
        .filter(|package| package.is_ours)
        .map(|package| package.name.as_str())
        .collect();
    for package in packages.iter().filter(|package| package.is_ours) {
        for used in package.uses.iter().filter(|used| !may_use(&package.name, used, &ours)) {
            findings
                .push(format!("{}: {} must not depend on {used}", package.manifest, package.name));
        }
    }
    for file in tree.rust().filter(|file| file.path.starts_with("src/")) {
        findings.extend(upward_paths(file));
    }
    Ok(findings)
}

/// Whether one of our crates may depend on another package.
fn may_use(name: &str, used: &str, ours: &[&str]) -> bool {
    if used.starts_with("pyo3") {
        return PYTHON_USERS.contains(&name);
    }
    let allowed = CRATES.iter().find(|(user, _)| *user == name).map_or(&[][..], |(_, list)| list);
    !ours.contains(&used) || allowed.contains(&used)
}

/// Paths of a file of `src/` that lead to a higher layer, and any naming of the bindings
/// outside the httpd layer.
fn upward_paths(file: &File) -> Findings {
    let own = folder(&file.path);
    let Some(rank) = rank(own) else {
        return vec![
            file.finding(0, &format!("{own} is in no layer: add it to xtask's layers.rs")),
        ];
    };
    let code = file.code();
    let mut findings = Findings::new();
    for at in words(&code, "crate") {
        let Some(name) = code.get(at..).and_then(first_segment) else { continue };
        // What is no folder is an item of lib.rs, the highest layer.
        let target = FOLDERS.iter().position(|layer| layer.contains(&name));
        if target.is_some_and(|target| target > rank) {
            findings.push(file.finding(at, &format!("{own} is below {name} and must not use it")));
        }
    }
    if !matches!(own, "ffi" | "apache" | "lib") {
        findings.extend(
            words(&code, "ffi")
                .filter(|at| !is_std_ffi(&code, *at))
                .map(|at| file.finding(at, "only src/apache may name the bindings")),
        );
    }
    findings
}

/// `std::ffi` and `core::ffi` are no bindings.
fn is_std_ffi(code: &str, at: usize) -> bool {
    let before = code.get(..at).unwrap_or_default();
    before.ends_with("std::") || before.ends_with("core::")
}

/// The folder, or the file directly in `src/`, a path belongs to.
fn folder(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The layer of a folder.
fn rank(folder: &str) -> Option<usize> {
    FOLDERS.iter().position(|layer| layer.contains(&folder))
}

/// The name behind `crate::`.
fn first_segment(code: &str) -> Option<&str> {
    let rest = code.strip_prefix("crate::")?;
    let end = rest.bytes().position(|byte| !is_word(byte)).unwrap_or(rest.len());
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        upward_paths(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn a_folder_may_use_what_is_below_it() {
        assert_eq!(findings("src/handler/daemon.rs", "use crate::apache::Request;"), 0);
        assert_eq!(findings("src/apache/request.rs", "use crate::handler::x;"), 1);
        assert_eq!(findings("src/client/mod.rs", "fn f() { crate::hooks::f() }"), 1);
    }

    #[test]
    fn the_bindings_are_named_in_the_httpd_layer_only() {
        assert_eq!(findings("src/handler/mod.rs", "use crate::ffi::request_rec;"), 1);
        assert_eq!(findings("src/handler/mod.rs", "use std::ffi::CStr;"), 0);
        assert_eq!(findings("src/apache/mod.rs", "use crate::ffi;"), 0);
    }

    #[test]
    fn an_unknown_folder_must_be_given_a_layer() {
        assert_eq!(findings("src/telemetry/mod.rs", ""), 1);
    }

    #[test]
    fn crates_do_not_look_upwards() {
        let ours = ["wsgi-core", "wsgi-python", "wsgi-daemon"];
        assert!(may_use("wsgi-python", "wsgi-core", &ours));
        assert!(!may_use("wsgi-core", "wsgi-python", &ours));
        assert!(!may_use("mod_wsgi_rs", "pyo3", &ours));
        assert!(may_use("wsgi-core", "serde", &ours));
    }
}
