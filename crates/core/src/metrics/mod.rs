//! What requests cost, as numbers: no clock is read and nothing is locked here.
//!
//! `figures.rs` is one request; `recorder.rs` counts them for a process, with `phase.rs` and
//! `histogram.rs` for their times and `slots.rs` for the places in which they run.

mod figures;
mod histogram;
mod phase;
mod recorder;
mod slots;

pub use figures::{Cpu, Figures, Flow, Stamps};
pub use histogram::{BUCKETS, Histogram};
pub use phase::{Phase, Times};
pub use recorder::{Finished, Recorder, Report, Totals, Usage};
pub use slots::Done;
