//! The WSGI engine: one request from its head to its outcome.
//!
//! `engine.rs` is the course of a request; `environ.rs` builds the environ of a copy of what
//! `template.rs` keeps, `errors.rs` the stream in it; `deliver.rs`, `output.rs` and `file.rs` send
//! what the application returned, `sendfile.rs` what it only named, `report.rs` logs what it raised;
//! `rules.rs` and `response.rs` are the protocol without Python; `record.rs` lends httpd's own record
//! of the request; `measure.rs` counts what a request costs, `observe.rs` tells
//! those who have subscribed to its events.

pub(crate) mod deliver;
pub(crate) mod engine;
pub(crate) mod environ;
pub(crate) mod errors;
pub(crate) mod file;
pub(crate) mod measure;
pub(crate) mod observe;
pub(crate) mod output;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod response;
pub(crate) mod rules;
pub(crate) mod sendfile;
pub(crate) mod template;
