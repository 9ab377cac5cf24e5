//! Where text goes: to the log of the request that a thread serves, or to the process's log.

use std::cell::Cell;
use std::sync::OnceLock;

use wsgi_core::{exchange::Exchange, level::Level};

/// Takes log records that belong to no request.
pub trait ProcessLog: Send + Sync {
    /// Logs one record, without a newline.
    fn log(&self, level: Level, record: &str);
}

static PROCESS_LOG: OnceLock<Box<dyn ProcessLog>> = OnceLock::new();

thread_local! {
    /// The request this thread serves.
    static CURRENT: Cell<Option<*const (dyn Exchange + 'static)>> = const { Cell::new(None) };
}

/// Sets the process's log; the first one stays.
pub(crate) fn install(log: Box<dyn ProcessLog>) {
    // A second runtime is refused by its own OnceLock, so a refusal here loses nothing.
    PROCESS_LOG.set(log).ok();
}

/// Logs a record that belongs to no request.
pub(crate) fn process(level: Level, record: &str) {
    if let Some(log) = PROCESS_LOG.get() {
        log.log(level, record);
    }
}

/// Logs a record of the request this thread serves, or of the process. May block: call detached.
pub(crate) fn current(level: Level, record: &str) {
    match CURRENT.get() {
        // SAFETY: `Serving` keeps the pointer here only while the exchange lives, on this thread.
        Some(exchange) => unsafe { &*exchange }.log(level, record),
        None => process(level, record),
    }
}

/// Marks this thread as serving a request until dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    previous: Option<*const (dyn Exchange + 'static)>,
}

impl Serving {
    /// Records of this thread go to `exchange` from now on. The value must be dropped before
    /// the exchange ends: it is bound to a stack frame of `Runtime::serve`.
    pub(crate) fn begin(exchange: &dyn Exchange) -> Self {
        let pointer: *const (dyn Exchange + '_) = exchange;
        // SAFETY: only the lifetime changes; `drop` removes the pointer within it.
        let pointer: *const (dyn Exchange + 'static) = unsafe { std::mem::transmute(pointer) };
        Self { previous: CURRENT.replace(Some(pointer)) }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        CURRENT.set(self.previous);
    }
}

/// Splits written text into records: what stands before a newline, without control characters
/// that would end the record early.
pub(crate) fn take_lines(partial: &mut Vec<u8>, data: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pieces = data.split(|byte| *byte == b'\n').peekable();
    while let Some(piece) = pieces.next() {
        partial.extend_from_slice(piece);
        if pieces.peek().is_some() {
            lines.push(record(partial));
            partial.clear();
        }
    }
    lines
}

/// The text of a record. A NUL would hide the rest of it from httpd, so it is written as `\x00`.
pub(crate) fn record(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).replace('\0', "\\x00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_records_and_the_rest_waits() {
        let mut partial = Vec::new();
        assert_eq!(take_lines(&mut partial, b"one\ntwo\r\nth"), ["one", "two"]);
        assert_eq!(partial, b"th");
        assert_eq!(take_lines(&mut partial, b"ree\n\n"), ["three", ""]);
        assert!(partial.is_empty());
    }

    #[test]
    fn a_nul_does_not_hide_what_follows() {
        assert_eq!(record(b"a\0b"), "a\\x00b");
    }
}
