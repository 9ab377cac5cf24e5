//! The scripts that decide about a request before it runs: `access`, `users`, `groups`, each
//! where httpd asks for it, and `dispatch`, which the handler asks. `ask` puts the question to
//! Python in this child, with the environ that `environ` makes.
//!
//! Invariant: a script that is missing, fails or answers nonsense opens no door.

mod access;
mod ask;
mod dispatch;
mod environ;
mod groups;
mod users;

pub(crate) use access::CheckAccess;
pub(crate) use dispatch::dispatch;
pub(crate) use groups::Groups;
pub(crate) use users::Users;
