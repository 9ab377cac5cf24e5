//! WSGIDaemonProcess: the line as typed ([`DaemonProcess`]), its options ([`OPTIONS`]), and what they
//! mean once defaults are known ([`DaemonGroup`]).

mod environment;
mod options;
mod parse;
mod resolve;
mod value;

pub use options::{DaemonOption, DaemonOptions, OPTIONS};
pub(crate) use parse::parse;
pub use resolve::{Bodies, DaemonGroup, Defaults};

use super::site::ServerId;

/// One WSGIDaemonProcess line, as typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DaemonProcess {
    /// Name of the group, unique in the whole configuration.
    pub name: String,
    /// Server the line stands in: who may use the group depends on it.
    pub server: ServerId,
    /// File of the line.
    pub file: String,
    /// Line in the file.
    pub line: u32,
    /// What was given.
    pub options: DaemonOptions,
}
