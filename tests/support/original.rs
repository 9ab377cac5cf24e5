//! What the original mod_wsgi 6.1.1 does differently from our module, test by test.
//!
//! The suite runs against the original with `WSGI_ORIGINAL=1`. Tests of what we do better carry
//! `ours!` with the reason; a test of shared behaviour that the original does not pass stands here.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Full test name (without the crate), and why the original does not pass it.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[
    (
        "tls::files_leave_over_every_protocol::embedded",
        "logs `client connection closed` for files that arrived whole over HTTP/2, now and then",
    ),
    (
        "threads::what_is_local_to_a_thread_survives_its_requests::embedded",
        "a thread that was in a sub-interpreter first finds that one's data in the main one",
    ),
    (
        "threads::what_is_local_to_a_thread_survives_its_requests::daemon",
        "a thread that was in a sub-interpreter first finds that one's data in the main one",
    ),
    (
        "zope::a_conflict_rewinds_the_request_body",
        "wsgi.input cannot be rewound, so Zope cannot try again",
    ),
    (
        "zope::concurrent_increments_are_all_counted",
        "wsgi.input cannot be rewound: a conflict is a 500 with a traceback",
    ),
    (
        "zope::blobs_leave_without_holding_a_process",
        "a process is busy until the last byte of its file has left",
    ),
    (
        "interpreters::a_block_is_for_the_interpreters_that_it_selects::daemon",
        "a block for the main interpreter of a daemon group is not applied",
    ),
];

/// True when the module under test is the original.
pub fn is_original() -> bool {
    std::env::var_os("WSGI_ORIGINAL").is_some_and(|value| value == "1")
}

/// The line that has applications read request bodies from the client, as the original always does.
pub fn unbuffered() -> &'static str {
    if is_original() { "" } else { "WSGIRequestBuffering Off" }
}

/// Says why the running test does nothing.
pub fn skipped(reason: &str) {
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    // Not println!, which the test runner keeps to itself when a test passes: what was skipped
    // must be seen beside the number that passed.
    writeln!(std::io::stderr(), "{name} skipped ({reason})").ok();
}

/// Runs a test, named by its module path, unless the table says that the original does not pass it.
///
/// A test that fails on the original is tried once more, and says so: some faults of the original
/// show up now and then, and a run that ends with one of them says nothing about our module. One
/// that fails twice fails; our own module has one try.
pub fn run(test: &str, body: impl Fn()) {
    let name = test.split_once("::").map_or(test, |(_, rest)| rest);
    if !is_original() {
        return body();
    }
    if let Some((_, reason)) = KNOWN_DIFFERENCES.iter().find(|(listed, _)| name == *listed) {
        return skipped(&format!("original: {reason}"));
    }
    if catch_unwind(AssertUnwindSafe(&body)).is_err() {
        writeln!(std::io::stderr(), "{name} did not pass on the original: tried again").ok();
        body();
    }
}
