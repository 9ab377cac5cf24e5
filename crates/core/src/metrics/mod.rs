//! What requests cost, as numbers: no clock is read and nothing is locked here.

mod figures;

pub use figures::{Cpu, Figures, Flow, Stamps};
