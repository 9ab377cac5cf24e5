//! The scoreboard of a process group: which request was started by which process, and what has
//! become of the process; and what requests have come to.
//!
//! Two memfds, because two parties write: daemons (untrusted) write [`Slots`], the supervisor
//! writes the [`ProcessTable`]. httpd reads both and takes nothing in the slots for granted.
//! [`Children`] is the same for what runs embedded, in one that httpd's children write.

mod children;
mod place;
mod slots;
mod table;
mod tallies;

pub use children::{Children, EMBEDDED, Place, Size};
pub use place::Subject;
pub use slots::{Slots, Started};
pub use table::{
    End, GroupState, PROCESSES, Process, ProcessState, ProcessTable, TableReader, TableWriter,
};
pub use tallies::Tallies;
