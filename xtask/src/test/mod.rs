//! `cargo xtask test`: everything that shows that the product works.
//!
//! The parts run one after the other and all of them run, so that one call shows every
//! failure; the summary at the end repeats which failed. `venv`, `browser`, `debian` and `original`
//! prepare what the integration suite needs besides the module.

mod browser;
mod debian;
mod original;
mod part;
mod pythons;
mod venv;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wsgi_httpd::program;

use crate::build;
use crate::project::Project;
use crate::python::Python;
use crate::setup::{self, Needs};
pub(crate) use part::Part;
pub(crate) use venv::{Libraries, fill as fill_venv};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// Only these parts; all when empty.
    pub(crate) only: Vec<Part>,
    /// Only tests whose names contain one of these; all when empty.
    pub(crate) filters: Vec<String>,
    /// Which libraries of real applications there must be.
    pub(crate) libraries: Libraries,
}

/// Files the integration suite is told about.
#[derive(Debug)]
pub(crate) struct Prepared {
    python: Python,
    venv: Option<PathBuf>,
    /// What drives a browser, where there is one.
    browser: Option<PathBuf>,
    /// Debian's packages of httpd's service, where apt has them.
    debian: Option<PathBuf>,
    original: Option<PathBuf>,
    others: Option<pythons::Others>,
}

impl Prepared {
    /// The Python everything was made for.
    pub(crate) fn python(&self) -> &Python {
        &self.python
    }

    /// The venv of the applications.
    pub(crate) fn venv(&self) -> Option<&Path> {
        self.venv.as_deref()
    }

    /// The module file of the original.
    pub(crate) fn original(&self) -> Option<&Path> {
        self.original.as_deref()
    }
}

/// How one part ended.
struct Ended {
    part: Part,
    is_ok: bool,
    took: Duration,
}

/// Sets up, builds, runs the parts, and sums up.
pub(crate) fn run(project: &Project, options: &Options) -> Result<ExitCode> {
    let parts = if options.only.is_empty() { Part::ALL.to_vec() } else { options.only.clone() };
    let prepared = prepare(project, &parts, options.libraries)?;
    let mut ended = Vec::new();
    for part in parts {
        println!("\nxtask: test {}: {}", part.name(), part.explanation());
        let started = Instant::now();
        let is_ok = program::succeeds(&mut command(project, &prepared, part, &options.filters))?;
        ended.push(Ended { part, is_ok, took: started.elapsed() });
    }
    println!();
    for Ended { part, is_ok, took } in &ended {
        let word = if *is_ok { "ok" } else { "FAILED" };
        println!("xtask: test {:<9} {word} ({:.0} s)", part.name(), took.as_secs_f32());
    }
    Ok(if ended.iter().all(|part| part.is_ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Installs and builds what the parts need. Needs no network when it was all done before.
pub(crate) fn prepare(project: &Project, parts: &[Part], libraries: Libraries) -> Result<Prepared> {
    setup::ensure(Needs::Test)?;
    let pythons = Python::chosen(&[])?;
    let python = pythons.first().cloned().context("no Python to build for")?;
    let mut prepared =
        Prepared { python, venv: None, browser: None, debian: None, original: None, others: None };
    if parts.iter().any(|part| part.tests_our_module()) {
        build::stage(project, &pythons)?;
    }
    if parts.iter().any(|part| *part != Part::Unit) {
        fs::create_dir_all(project.cache())?;
        prepared.venv = Some(venv::ensure(project, &prepared.python, libraries)?);
        prepared.browser = browser::ensure(project)?;
        prepared.debian = debian::ensure(project)?;
    }
    if parts.contains(&Part::Pythons) {
        prepared.others = pythons::ensure(project, &prepared.python)?;
    }
    if parts.contains(&Part::Original) {
        prepared.original = Some(original::ensure(project, &prepared.python)?);
    }
    Ok(prepared)
}

/// The cargo call of one part.
pub(crate) fn command(
    project: &Project,
    prepared: &Prepared,
    part: Part,
    filters: &[String],
) -> Command {
    let mut command = build::for_python(project.cargo("test"), &prepared.python);
    command.args(["--locked", "--no-fail-fast"]);
    if part == Part::Unit {
        // Without the module itself: httpd's symbols exist only inside httpd.
        command.args(["--workspace", "--exclude", "mod_wsgi_rs", "--exclude", "wsgi-tests", "--"]);
        command.args(filters);
        return command;
    }
    command.args(["-p", "wsgi-tests", "--test", "suite", "--"]);
    // libtest takes a test that matches any of the words: the part's own word comes first only
    // when the user gave none, or his words would select too much.
    if filters.is_empty() {
        command.args(part.filter());
    }
    command.args(filters);
    command.env("MPM", part.mpm()).env("WSGI_TEST_XTASK", "1");
    if let Some(venv) = &prepared.venv {
        command.env("WSGI_TEST_VENV", venv);
    }
    if let Some(browser) = &prepared.browser {
        command.env("WSGI_TEST_NODE", browser);
    }
    if let Some(debian) = &prepared.debian {
        command.env("WSGI_TEST_DEBIAN", debian);
    }
    command.env_remove("WSGI_TEST_PYTHONS").env_remove("WSGI_ORIGINAL");
    match (part, &prepared.original, &prepared.others) {
        (Part::Original, Some(original), _) => {
            command.env("MOD_WSGI_SO", original).env("WSGI_ORIGINAL", "1");
        }
        (Part::Pythons, _, Some(others)) => {
            command.env("MOD_WSGI_SO", &others.module).env("WSGI_TEST_PYTHONS", &others.prefixes);
        }
        _ => {
            command.env("MOD_WSGI_SO", project.module());
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env_of(command: &Command, name: &str) -> Option<String> {
        let (_, value) = command.get_envs().find(|(key, _)| *key == name)?;
        value.map(|value| value.to_string_lossy().into_owned())
    }

    fn prepared() -> Prepared {
        Prepared {
            python: Python { path: PathBuf::from("/usr/bin/python3"), version: "3.11".to_owned() },
            venv: Some(PathBuf::from("/venv")),
            browser: None,
            debian: None,
            original: Some(PathBuf::from("/original.so")),
            others: Some(pythons::Others {
                module: PathBuf::from("/others.so"),
                prefixes: "3.12=/p".to_owned(),
            }),
        }
    }

    #[test]
    fn each_part_tests_the_module_it_is_for() {
        let project = Project::find();
        let ours = command(&project, &prepared(), Part::Worker, &[]);
        assert_eq!(env_of(&ours, "MPM").unwrap(), "worker");
        assert!(env_of(&ours, "MOD_WSGI_SO").unwrap().ends_with("mod_wsgi_rs.so"));
        assert_eq!(env_of(&ours, "WSGI_ORIGINAL"), None);
        assert!(program::text(&ours).ends_with("-- mpm"));
        let original = command(&project, &prepared(), Part::Original, &[]);
        assert_eq!(env_of(&original, "MOD_WSGI_SO").unwrap(), "/original.so");
        assert_eq!(env_of(&original, "WSGI_ORIGINAL").unwrap(), "1");
        let others = command(&project, &prepared(), Part::Pythons, &[]);
        assert_eq!(env_of(&others, "MOD_WSGI_SO").unwrap(), "/others.so");
        assert_eq!(env_of(&others, "WSGI_TEST_PYTHONS").unwrap(), "3.12=/p");
        assert!(program::text(&others).ends_with("-- pythons::"));
    }

    #[test]
    fn the_words_of_the_user_replace_those_of_the_part() {
        let words = ["hello".to_owned()];
        let text = program::text(&command(&Project::find(), &prepared(), Part::Prefork, &words));
        assert!(text.ends_with("-- hello"), "{text}");
    }
}
