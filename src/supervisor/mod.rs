//! The process manager seen from httpd's parent: its start and restart (`start`), the sockets and
//! memory that outlive configurations (`memory`), the way a child reaches a group (`link`), and the
//! one that daemons have to ask the children (`questions`), and the one that the children and the
//! operator have to ask the supervisor (`inquiries`).
//!
//! Invariant: whatever belongs to a group *name* (listener, slots, process table) is made once
//! and kept for the life of the parent, so that old httpd children and new daemons meet.

mod inquiries;
mod link;
mod memory;
mod questions;
mod start;

pub(crate) use inquiries::Inquirer;
pub(crate) use link::{Connection, Link};
pub(crate) use start::{hand_over, leave_to_child, questions};
