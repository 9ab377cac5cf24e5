//! The scripts that decide about a request before it runs: access, users, groups, dispatch.
//!
//! `call.rs` is the course of a question: interpreter, script, function; `verdict.rs` reads what
//! the function returned. Invariant: whatever goes wrong is logged here and is
//! [`wsgi_core::decide::Verdict::Failed`], which opens no door.

mod call;
mod verdict;

pub(crate) use call::ask;
