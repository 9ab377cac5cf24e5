//! `cargo xtask soak`: the tests again and again, with larger numbers, including the long ones.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::project::Project;
use crate::test::{self, Part};
use wsgi_httpd::program;

/// Cases of each property test in a round; the default is 256.
const PROPERTY_CASES: &str = "20000";

/// What a round has without `--only`: everything that tests our module.
const PARTS: [Part; 4] = [Part::Unit, Part::Event, Part::Worker, Part::Prefork];

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    /// No round starts after so many.
    pub(crate) minutes: u64,
    /// Graceful restarts in a row.
    pub(crate) restarts: u64,
    /// Which tests.
    pub(crate) tests: test::Options,
}

/// Starts rounds until the minutes are over; stops at the first round that fails.
pub(crate) fn run(project: &Project, options: &Options) -> Result<ExitCode> {
    let only = &options.tests.only;
    let parts = if only.is_empty() { PARTS.to_vec() } else { only.clone() };
    let prepared = test::prepare(project, &parts, options.tests.libraries)?;
    let started = Instant::now();
    let mut rounds = 0_u32;
    while started.elapsed() < Duration::from_secs(options.minutes.saturating_mul(60)) {
        rounds += 1;
        for part in parts.iter().copied() {
            println!("\nxtask: soak round {rounds}: {}", part.explanation());
            let mut command = test::command(project, &prepared, part, &options.tests.filters);
            command.arg("--include-ignored").env("PROPTEST_CASES", PROPERTY_CASES);
            command.env("WSGI_TEST_RESTARTS", options.restarts.to_string());
            if !program::succeeds(&mut command)? {
                println!("xtask: soak FAILED in round {rounds}, {}", part.name());
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    println!("\nxtask: soak ok, {rounds} rounds in {} min", started.elapsed().as_secs() / 60);
    Ok(ExitCode::SUCCESS)
}
