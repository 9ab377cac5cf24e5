//! The CPython host of mod_wsgi_rs: interpreters, threads, scripts and the WSGI engine. Knows
//! httpd only as [`wsgi_core::exchange::Exchange`].
//!
//! `runtime.rs` is the way in. `config.rs` starts CPython, `interpreter.rs` and `state.rs` hold
//! one application group each, `attach.rs` the thread states. `object/` is the safe layer over
//! the C API that everything else uses; `types/` are the Python types; `wsgi/` runs requests,
//! `metrics/` counts them, `decide/`
//! asks the scripts that decide about them, `check.rs` tries scripts that nobody asks.
//! The invariant of the crate: nothing of Python is touched on a thread that is not attached,
//! and nothing blocks on one that is.

mod announce;
mod attach;
mod bootstrap;
mod check;
mod clock;
mod config;
mod decide;
mod dump;
mod guard;
mod inspect;
mod interpreter;
mod lease;
mod loader;
mod log;
mod metrics;
mod module;
mod object;
mod runtime;
mod script;
mod startup;
mod state;
mod traceback;
mod types;
mod wsgi;

pub use config::StartError;
pub use dump::{ask_for_stacks, write_stacks};
pub use log::Notices;
pub use runtime::Runtime;
