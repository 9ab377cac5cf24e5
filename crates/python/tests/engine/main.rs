//! The engine in a real CPython, with an exchange in memory instead of httpd.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod body;
mod files;
mod input;
mod inspect;
mod interpreters;
mod logs;
mod reload;
mod requests;
mod responses;
mod support;
