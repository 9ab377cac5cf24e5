//! Imports point downwards only, between crates and between the folders of `src/`.

use anyhow::Result;

use super::Findings;
use super::imports::{self, Named};
use super::metadata::packages;
use super::tree::{File, Tree};
use crate::project::Project;

/// Which of our crates each of them may use. Whoever is not named may use none.
const CRATES: &[(&str, &[&str])] = &[
    ("wsgi-ipc", &["wsgi-core"]),
    ("wsgi-python", &["wsgi-core", "wsgi-ipc", "wsgi-linking"]),
    ("wsgi-cli", &["wsgi-core", "wsgi-httpd", "wsgi-ipc"]),
    ("xtask", &["wsgi-httpd"]),
    ("mod_wsgi_rs", &["wsgi-core", "wsgi-ipc"]),
    ("wsgi-embedded", &["wsgi-core", "wsgi-ipc", "wsgi-linking", "wsgi-python"]),
    ("wsgi-supervisor", &["wsgi-core", "wsgi-ipc"]),
    ("wsgi-daemon", &["wsgi-core", "wsgi-ipc", "wsgi-linking", "wsgi-python"]),
];

/// CPython's bindings stay behind `wsgi-python`; the module never links libpython.
const PYTHON_USERS: &[&str] = &["wsgi-linking", "wsgi-python", "wsgi-embedded", "wsgi-daemon"];

/// The folders of `src/` from the lowest layer to the highest. A layer may use itself and
/// what is below it.
const FOLDERS: &[&[&str]] = &[
    &["ffi"],
    &["apache"],
    &["facts", "resolved", "mapping", "supervisor"],
    &["request"],
    &["aaa", "check", "client", "status"],
    &["handler"],
    &["lib", "hooks", "lifecycle", "directives"],
];

/// The files of the module's record: they name the hooks, the commands and the configuration that
/// httpd keeps for us, so all layers meet in them.
const RECORD: [&str; 2] = ["src/apache/line.rs", "src/apache/module.rs"];

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
    let is_judged =
        |file: &&File| file.path.starts_with("src/") && !RECORD.contains(&file.path.as_str());
    for file in tree.rust().filter(is_judged) {
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
    let mut findings = Findings::new();
    for Named { at, segments } in imports::paths(&file.code()) {
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        // What is no folder is an item of lib.rs.
        let target = match segments.as_slice() {
            ["crate", name, ..] => FOLDERS.iter().position(|layer| layer.contains(name)),
            _ => None,
        };
        if target.is_some_and(|target| target > rank) {
            let path = segments.join("::");
            findings.push(file.finding(at, &format!("{own} is below {path} and must not use it")));
        }
        if !matches!(own, "ffi" | "apache" | "lib") && names_bindings(&segments) {
            findings.push(file.finding(at, "only src/apache may name the bindings"));
        }
    }
    findings
}

/// Whether a path leads through `ffi`, other than the one of std.
fn names_bindings(segments: &[&str]) -> bool {
    segments.contains(&"ffi") && !matches!(segments.first(), Some(&"std" | &"core"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        upward_paths(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn a_folder_may_use_what_is_below_it() {
        assert_eq!(findings("src/handler/daemon.rs", "use crate::apache::Request;"), 0);
        assert_eq!(findings("src/apache/request.rs", "use crate::{apache, handler::x};"), 1);
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
