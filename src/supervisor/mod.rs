//! The process manager seen from httpd's parent: its start and restart (`start`), what outlives
//! configurations (`parent`; sockets and memory of a group in `memory`, of what runs embedded in
//! `board`), the way a child reaches a group (`link`), the one that daemons have to ask the children
//! (`questions`), the one that the children and the operator have to ask the supervisor
//! (`inquiries`), and the process that tries applications for `httpd -t` (`check`).
//!
//! Invariant: whatever belongs to a group *name* (listener, slots, process table) is made once
//! and kept for the life of the parent, so that old httpd children and new daemons meet.

mod board;
mod check;
mod inquiries;
mod link;
mod memory;
mod parent;
mod questions;
mod start;

pub(crate) use board::{Board, Running};
pub(crate) use check::try_out;
pub(crate) use inquiries::Inquirer;
pub(crate) use link::{Connection, Link};
pub(crate) use start::{hand_over, leave_to_child, questions, unattended};
