//! Sockets, descriptors, shared memory and process handles: small safe wrappers over the kernel.
//!
//! Nothing here knows httpd or Python. What is received or read from shared memory may have been
//! written by an application: it is bounded and checked here, and judged by the caller.

pub mod beneath;
pub mod clock;
pub mod inquiries;
pub mod kept;
pub mod logline;
pub mod memory;
pub mod process;
pub mod questions;
pub mod room;
pub mod scoreboard;
pub mod socket;
pub mod spool;
pub mod temporary;
