//! Harness of the integration suite: a private httpd per test, a client that sees every byte, and
//! the checks made after each test.
//!
//! | file | holds |
//! |---|---|
//! | `macros` | `both_modes!`, `one!`, `ours!`: how a test is declared |
//! | `original` | what the original mod_wsgi does differently, test by test |
//! | `rundir` | the folder httpd's user may enter, with module, applications and venv |
//! | `ports` | a TCP port nobody else of a parallel run takes |
//! | `conf` | the text of `httpd.conf` |
//! | `daemon` | a server with one group of daemon processes |
//! | `builder` | what a server will be; its start, or its refusal |
//! | `httpd` | a running server: requests, log, processes, signals |
//! | `ending` | its end, and what is asserted then |
//! | `wait` | `poll` |
//! | `log` | the error log as records, and which of them a test declared |
//! | `pythons` | other Pythons than the system's |
//! | `process` | `/proc`: the tree of a server, descriptors, signals |
//! | `environ` | the answer of the application that shows its environ |
//! | `http` | the raw HTTP/1.1 client |
//! | `load` | many clients at once while something is done to the server, and their count |
//! | `page` | the pages of `docs/`: sections and fenced blocks |
//! | `system` | a copy of the machine's file system, to install things in |
//! | `tmpfs` | a file system that is soon full |
//! | `curl` | TLS and HTTP/2 through `curl` |
//! | `command` | the command `mod-wsgi-rs` and the servers it starts |
//!
//! Invariant: after every test its server has ended, nothing of it is left, and its error log holds
//! no record of level warn or worse that the test did not declare.

#[macro_use]
mod macros;
pub mod builder;
#[macro_use]
pub mod command;
pub mod conf;
pub mod curl;
pub mod daemon;
pub mod ending;
pub mod environ;
pub mod http;
pub mod httpd;
pub mod load;
pub mod log;
pub mod original;
pub mod page;
pub mod ports;
pub mod process;
pub mod pythons;
pub mod rundir;
pub mod system;
pub mod tmpfs;
pub mod wait;

pub use conf::Mode;
pub use ending::at_end;
pub use environ::{Environ, quote};
pub use http::{Connection, Response};
pub use httpd::Httpd;
pub use ports::Port;
pub use system::{Inside, System};
pub use tmpfs::Tmpfs;
pub use wait::poll;
