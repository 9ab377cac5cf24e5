//! Rules of mod_wsgi_rs that need neither httpd nor Python: configuration, the wire between
//! httpd and daemon processes, and the seam between a request and the engine that answers it.
#![forbid(unsafe_code)]

pub mod activity;
pub mod check;
pub mod chroot;
pub mod control;
pub mod decide;
pub mod digits;
pub mod directives;
pub mod embedded;
pub mod exchange;
pub mod forwarded;
pub mod frame;
pub mod head;
pub mod headers;
pub mod interpreters;
pub mod keys;
pub mod level;
pub mod log_record;
pub mod mapping;
pub mod metrics;
pub mod mtime;
pub mod ownership;
pub mod reason;
pub mod server_metrics;
pub mod status;
pub mod telemetry;
pub mod timers;
pub mod version;
mod wire;
