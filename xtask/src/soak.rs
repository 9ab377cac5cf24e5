//! `cargo xtask soak`: the tests again and again, with larger numbers, including the long ones.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::process;
use crate::project::Project;
use crate::test::{self, Part};

/// Cases of each property test in a round; the default is 256.
const PROPERTY_CASES: &str = "20000";

/// Starts rounds until the minutes are over; stops at the first round that fails.
pub(crate) fn run(project: &Project, minutes: u64) -> Result<ExitCode> {
    let parts = [Part::Unit, Part::Event, Part::Worker, Part::Prefork];
    let prepared = test::prepare(project, &parts)?;
    let started = Instant::now();
    let mut rounds = 0_u32;
    while started.elapsed() < Duration::from_secs(minutes.saturating_mul(60)) {
        rounds += 1;
        for part in parts {
            println!("\nxtask: soak round {rounds}: {}", part.explanation());
            let mut command = test::command(project, &prepared, part, &[]);
            command.arg("--include-ignored").env("PROPTEST_CASES", PROPERTY_CASES);
            if !process::succeeds(&mut command)? {
                println!("xtask: soak FAILED in round {rounds}, {}", part.name());
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    println!("\nxtask: soak ok, {rounds} rounds in {} min", started.elapsed().as_secs() / 60);
    Ok(ExitCode::SUCCESS)
}
