//! Other Pythons than the system's: those with a shared library that this machine has, in a place
//! that httpd's user may enter.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use wsgi_httpd::program;

use crate::build;
use crate::project::Project;
use crate::python::Python;

/// The oldest minor version of the contract.
const OLDEST: u8 = 10;

/// What is asked of a candidate: version, shared library, lock, prefix, folder of the library.
const QUESTION: &str = "import sys, sysconfig as s; v = s.get_config_var; \
    print(sys.version_info[1], int(bool(v('Py_ENABLE_SHARED')) and not v('Py_GIL_DISABLED')), \
    sys.base_prefix, v('LIBDIR'), sep='\\n')";

/// Pythons with the module built for them and for the system's.
#[derive(Debug)]
pub(super) struct Others {
    /// The module file.
    pub(super) module: PathBuf,
    /// `3.12=/prefix:3.13=/prefix`.
    pub(super) prefixes: String,
}

/// A Python on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    minor: u8,
    prefix: PathBuf,
    library: PathBuf,
}

/// Finds them and builds for them; `None`, after saying why, when there is none.
pub(super) fn ensure(project: &Project, system: &Python) -> Result<Option<Others>> {
    let mut pythons = vec![system.clone()];
    let mut prefixes = Vec::new();
    for found in one_per_version(candidates().iter().filter_map(|path| ask(path)), system) {
        let Some(prefix) = open_to_all(project, &found)? else { continue };
        let version = format!("3.{}", found.minor);
        pythons.push(Python::at(&prefix.join(format!("bin/python{version}")))?);
        prefixes.push(format!("{version}={}", prefix.display()));
    }
    if prefixes.is_empty() {
        println!("xtask: no other Python with a shared library: what needs one is skipped");
        return Ok(None);
    }
    let folder = project.cache().join("stage-pythons");
    let module = build::stage_in(project, &folder, &pythons)?;
    Ok(Some(Others { module, prefixes: prefixes.join(":") }))
}

/// Where Pythons are: of pyenv, of the system, and what was built by hand.
fn candidates() -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let pyenv = env::var_os("PYENV_ROOT").map_or_else(|| home.join(".pyenv"), PathBuf::from);
    let in_folder = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).collect()
    };
    let versions = in_folder(&pyenv.join("versions"));
    let of_pyenv = versions.iter().map(|version| version.join("bin/python3"));
    let of_system = ["/usr/bin", "/usr/local/bin"].into_iter().flat_map(|folder| {
        let is_python = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let minor = name.strip_prefix("python3.");
            minor.is_some_and(|minor| minor.parse::<u8>().is_ok())
        };
        in_folder(Path::new(folder)).into_iter().filter(is_python)
    });
    let mut all: Vec<_> = of_system.chain(of_pyenv).collect();
    all.sort();
    all
}

/// What a program says about itself, if it is a Python that can be built for.
fn ask(program: &Path) -> Option<Found> {
    let said = program::output(Command::new(program).args(["-I", "-c", QUESTION])).ok()?;
    parse(&said)
}

fn parse(said: &str) -> Option<Found> {
    let lines: Vec<&str> = said.lines().collect();
    let [minor, "1", prefix, library] = lines[..] else { return None };
    let minor = minor.parse().ok().filter(|minor| *minor >= OLDEST)?;
    Some(Found { minor, prefix: prefix.into(), library: library.into() })
}

/// The last of each version, without that of the system.
fn one_per_version(all: impl Iterator<Item = Found>, system: &Python) -> Vec<Found> {
    let mut kept: Vec<Found> = Vec::new();
    for found in all.filter(|found| format!("3.{}", found.minor) != system.version) {
        kept.retain(|other| other.minor != found.minor);
        kept.push(found);
    }
    kept.sort_by_key(|found| found.minor);
    kept
}

/// The prefix of a Python that everybody may enter: its own, or that of a copy.
fn open_to_all(project: &Project, found: &Found) -> Result<Option<PathBuf>> {
    if may_be_entered(&found.prefix) && may_be_entered(&found.library) {
        return Ok(Some(found.prefix.clone()));
    }
    let copy = project.cache().join(format!("pythons/3.{}", found.minor));
    if !may_be_entered(&project.cache()) {
        println!(
            "xtask: Python 3.{} is skipped: httpd's user may enter neither {} nor {}",
            found.minor,
            found.prefix.display(),
            project.cache().display()
        );
        return Ok(None);
    }
    let stamp = copy.join("copied.txt");
    let source = found.prefix.display().to_string();
    if fs::read_to_string(&stamp).is_ok_and(|text| text == source) {
        return Ok(Some(copy));
    }
    println!("xtask: copying {source} to {}", copy.display());
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    fs::create_dir_all(copy.parent().unwrap_or(&copy))?;
    program::run(Command::new("cp").arg("-a").arg(&found.prefix).arg(&copy))?;
    program::run(Command::new("chmod").args(["-R", "a+rX"]).arg(&copy))?;
    relocate(&copy, &source, found.minor)?;
    fs::write(&stamp, source)?;
    Ok(Some(copy))
}

/// Tells a copy where its library is now.
fn relocate(copy: &Path, source: &str, minor: u8) -> Result<()> {
    let folder = copy.join(format!("lib/python3.{minor}"));
    for entry in fs::read_dir(&folder)?.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("_sysconfigdata_") && name.ends_with(".py") {
            let text = fs::read_to_string(entry.path())?;
            fs::write(entry.path(), text.replace(source, &copy.display().to_string()))?;
        }
    }
    Ok(())
}

/// Whether every user may enter a folder and all above it.
fn may_be_entered(folder: &Path) -> bool {
    folder
        .ancestors()
        .all(|at| fs::metadata(at).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_libraries_of_new_versions_count() {
        let found = |minor| Found { minor, prefix: "/p".into(), library: "/p/lib".into() };
        assert_eq!(parse("12\n1\n/p\n/p/lib"), Some(found(12)));
        for said in ["12\n0\n/p\n/p/lib", "9\n1\n/p\n/p/lib", "", "12\n1\n/p", "x\n1\n/p\n/l"] {
            assert_eq!(parse(said), None, "{said}");
        }
        let system = Python { path: "/usr/bin/python3".into(), version: "3.11".into() };
        let all = [13, 11, 12, 13].map(found);
        assert_eq!(one_per_version(all.into_iter(), &system), [found(12), found(13)]);
    }

    #[test]
    fn a_copy_knows_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("lib/python3.12");
        fs::create_dir_all(&library).unwrap();
        let data = library.join("_sysconfigdata__linux.py");
        fs::write(&data, "'LIBDIR': '/old/lib'").unwrap();
        relocate(folder.path(), "/old", 12).unwrap();
        let expected = format!("'LIBDIR': '{}/lib'", folder.path().display());
        assert_eq!(fs::read_to_string(&data).unwrap(), expected);
    }
}
