//! The safe httpd layer: the only folder that names [`crate::ffi`] and the only one of the module
//! that is `unsafe` (beside the module record in `lib.rs`).
//!
//! * `guard`, `hook`, `module`, `commands`, `line`: how httpd calls us: panic border, hook
//!   trampolines, configuration callbacks, command table, the lines of the configuration.
//! * `mpm`, `library`: what httpd and the dynamic loader say about themselves.
//! * `provider`: how httpd asks us about users and their groups.
//! * `walk`: from a name to a file with the configuration that holds for it.
//! * `request`, `peer`, `server`, `table`, `pool`, `text`: handles on httpd's structures.
//! * `body`, `output`, `file`: brigades in and out, files among them.
//! * `page`: pages of our own, and our part of mod_status's.
//! * `exclusive`: what a request's threads share, one at a time.
//! * `log`: the error log.
//! * `temporary`: files for what does not fit in memory.
//! * `process`: what the parent process does with other processes.
//! * `deadline`: a limit for the end of a child.
//! * `regex`: httpd's regular expressions.
//! * `scoreboard`: what httpd's children are doing.
//! * `python_host`: the C-ABI border to the library that hosts CPython.
//!
//! Invariant: a handle is a non-null pointer that httpd gave us, valid for its lifetime
//! parameter; nobody makes a `&mut` to a structure of httpd's, because httpd and other modules
//! write to it too.

pub(crate) mod body;
pub(crate) mod client_socket;
pub(crate) mod commands;
pub(crate) mod connection;
pub(crate) mod deadline;
pub(crate) mod exclusive;
mod file;
pub(crate) mod guard;
pub(crate) mod hook;
pub(crate) mod library;
pub(crate) mod line;
pub(crate) mod log;
pub(crate) mod module;
pub(crate) mod mpm;
pub(crate) mod output;
pub(crate) mod page;
pub(crate) mod peer;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod python_host;
pub(crate) mod regex;
pub(crate) mod request;
pub(crate) mod scoreboard;
pub(crate) mod server;
pub(crate) mod table;
pub(crate) mod temporary;
pub(crate) mod text;
pub(crate) mod tree;
mod walk;

pub(crate) use request::Request;
pub(crate) use server::Server;
