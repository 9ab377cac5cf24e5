//! The texts of the licences of what is linked into the programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use wsgi_httpd::program;

use crate::lint::metadata::{Package, packages};
use crate::project::Project;
use crate::python;

/// Packages that are part of the product; their dependencies are, too.
const PRODUCT: &[&str] =
    &["mod_wsgi_rs", "wsgi-cli", "wsgi-daemon", "wsgi-embedded", "wsgi-supervisor"];

/// One text with all of them, in the order of names.
pub(crate) fn text(project: &Project) -> Result<String> {
    let packages = packages(project)?;
    let mut text = String::from(
        "What is linked into the programs of mod_wsgi_rs besides its own code, with the licences.\n",
    );
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for package in linked(&packages) {
        heading(&mut text, &package.name, &package.licence)?;
        for licence in files(Path::new(&package.manifest)) {
            match known.get(&licence) {
                Some(first) => writeln!(text, "\n(the same text as that of {first})")?,
                None => {
                    writeln!(text, "\n{}", licence.trim_end())?;
                    known.insert(licence, &package.name);
                }
            }
        }
    }
    heading(&mut text, "CPython", "PSF-2.0")?;
    writeln!(text, "\n{}", python()?.trim_end())?;
    Ok(text)
}

fn heading(text: &mut String, name: &str, licence: &str) -> Result<()> {
    Ok(writeln!(text, "\n{0}\n{name} ({licence})\n{0}", "=".repeat(78))?)
}

/// The licence of CPython, which the daemon programs have in them where the system links it so.
fn python() -> Result<String> {
    let program = "import sysconfig; print(sysconfig.get_path('stdlib'))";
    let folder = program::output(Command::new(python::SYSTEM).args(["-I", "-c", program]))?;
    let file = Path::new(&folder).join("LICENSE.txt");
    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// The dependencies of the product, direct and indirect, that are not ours.
fn linked(packages: &[Package]) -> Vec<&Package> {
    let mut wanted: Vec<&str> = PRODUCT.to_vec();
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if seen.insert(name) {
            let named = packages.iter().filter(|package| package.name == name);
            wanted.extend(named.flat_map(|package| &package.uses).map(String::as_str));
        }
    }
    let mut found: Vec<&Package> = packages
        .iter()
        .filter(|package| !package.is_ours && seen.contains(package.name.as_str()))
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// The licence files beside a manifest.
fn files(manifest: &Path) -> Vec<String> {
    let Some(Ok(entries)) = manifest.parent().map(fs::read_dir) else { return Vec::new() };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_licence = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.to_ascii_uppercase();
        ["LICENSE", "LICENCE", "COPYING", "NOTICE"].iter().any(|start| name.starts_with(start))
    };
    paths
        .iter()
        .filter(|path| is_licence(path))
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_dependencies_count_and_others_do_not() {
        let package = |name: &str, is_ours, uses: &[&str]| Package {
            name: name.to_owned(),
            licence: "MIT".to_owned(),
            manifest: String::new(),
            is_ours,
            uses: uses.iter().map(|name| (*name).to_owned()).collect(),
        };
        let packages = [
            package("wsgi-daemon", true, &["b"]),
            package("b", false, &["a"]),
            package("a", false, &[]),
            package("of-tests-only", false, &[]),
        ];
        let names: Vec<_> = linked(&packages).iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
