//! The installed httpd as a program: where it is, how a private one is started and stopped, and how
//! the module is installed into it. What `cargo xtask` and the command `mod-wsgi-rs` share.
//!
//! Only for these two programs, never for what runs inside httpd: errors are sentences for the
//! person at the terminal (anyhow). It prints nothing.
//!
//! | file | holds |
//! |---|---|
//! | `apxs` | what apxs says about an httpd |
//! | `installed` | the httpd of this machine, with or without apxs |
//! | `server`, `stop` | a private httpd: start, signals, end |
//! | `port`, `log` | a free port; what a log file gained |
//! | `user`, `access` | users, and what they may read |
//! | `word` | text as one word of `httpd.conf` |
//! | `place`, `install` | files put in place, also under a running httpd |
//! | `program` | other programs: run, read, shown |

#![forbid(unsafe_code)]

pub mod access;
mod apxs;
pub mod install;
mod installed;
mod log;
pub mod place;
pub mod port;
pub mod program;
pub mod server;
mod stop;
mod user;
pub mod word;

pub use apxs::Apxs;
pub use installed::{Httpd, Module, Wanted};
pub use log::Log;
pub use server::Server;
pub use stop::Stop;
pub use user::{User, group, is_root};
