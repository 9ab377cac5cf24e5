//! Tests of the directives as lines of a configuration, by what they are about. Tests of one
//! function stand under it.

mod daemon;
mod merge;
mod refused;
mod resolve;
mod review;
mod scripts;
pub(super) mod support;
mod table;
mod values;
