//! `cargo xtask`: the developer commands of mod_wsgi_rs.
//!
//! One file or folder per command; what several commands share (the repository, Python,
//! the set-up of the machine) has a file of its own beside them, or is in `wsgi-httpd`. Nothing here is
//! part of the product.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod bench;
mod build;
mod cli;
mod install;
mod lint;
mod matrix;
mod package;
mod project;
mod python;
mod serve;
mod setup;
mod soak;
mod test;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
