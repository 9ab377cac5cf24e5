//! Whether request bodies wait in httpd for the application: WSGIRequestBuffering and the option
//! `request-buffering=`.

use super::line::Line;
use super::site::ConfigError;
use super::value::{flag, integer};

/// Bytes of a body that are kept in memory when no number is given.
const MEMORY: u64 = 64 << 10;

/// What the words may be.
pub(super) const ACCEPTED: &str = "Off | On | a number of bytes";

/// What becomes of a request body before the application runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBuffering {
    /// The application runs at once and reads it from the client.
    Off,
    /// httpd reads it whole: up to so many bytes in memory, a longer one into a file.
    Memory(u64),
}

impl Default for RequestBuffering {
    fn default() -> Self {
        Self::Memory(MEMORY)
    }
}

/// `On`, `Off`, or a number of bytes.
pub(super) fn read(text: &str) -> Option<RequestBuffering> {
    match flag(text) {
        Some(true) => Some(RequestBuffering::default()),
        Some(false) => Some(RequestBuffering::Off),
        None => {
            let bytes = integer(text, 0..=i64::from(i32::MAX))?;
            Some(RequestBuffering::Memory(u64::try_from(bytes).ok()?))
        }
    }
}

/// WSGIRequestBuffering On|Off|BYTES.
pub(super) fn directive(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let word = line.take_one()?;
    let value = read(&word).ok_or_else(|| line.not_one_of(ACCEPTED, &word))?;
    line.scoped().request_buffering = Some(value);
    Ok(())
}
