//! Where text goes: to the log of the request that a thread serves, or to the process's log; and
//! what else the process is told.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::OnceLock;

use wsgi_core::{
    activity::Activity, control::ImportScript, exchange::Source, level::Level,
    server_metrics::ServerMetrics,
};

use crate::{
    lease::Lease,
    object::{Object, Py, PyResult},
    wsgi::measure::Measure,
};

/// Longest record made of one line: httpd cuts records at 8192 bytes, with its own fields.
const LONGEST: usize = 7000;

/// What the process that hosts Python is told beside its requests.
pub trait Notices: Send + Sync {
    /// Logs one record, without a newline.
    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>);

    /// Whether records of a level are written.
    fn accepts(&self, _level: Level) -> bool {
        true
    }

    /// A copy of httpd's scoreboard, as [`wsgi_core::server_metrics`] encodes it. May wait.
    fn server_metrics(&self) -> Option<Vec<u8>> {
        None
    }

    /// A script was loaded into the interpreter of this application group.
    fn loaded(&self, _script: &ImportScript) {}

    /// The file of a loaded script has changed (modification time in µs), and the process goes
    /// on with what it has loaded.
    fn changed(&self, _script: &ImportScript, _mtime: i64) {}
}

static NOTICES: OnceLock<Box<dyn Notices>> = OnceLock::new();

thread_local! {
    /// The request this thread serves.
    static CURRENT: Cell<Option<*const Lease>> = const { Cell::new(None) };
    /// Where it is seen what this thread does with it.
    static ACTIVITY: Cell<Option<*const Activity>> = const { Cell::new(None) };
}

/// Sets who is told; the first one stays.
pub(crate) fn install(notices: Box<dyn Notices>) {
    // A second runtime is refused by its own OnceLock, so a refusal here loses nothing.
    NOTICES.set(notices).ok();
}

/// httpd's scoreboard, where the process can have it. May block: call detached.
pub(crate) fn server_metrics() -> Option<ServerMetrics> {
    ServerMetrics::decode(&NOTICES.get()?.server_metrics()?).ok()
}

/// Tells that a script was loaded. Call detached.
pub(crate) fn loaded(script: &ImportScript) {
    if let Some(notices) = NOTICES.get() {
        notices.loaded(script);
    }
}

/// Tells that a script has changed. Call detached.
pub(crate) fn changed(script: &ImportScript, mtime: i64) {
    if let Some(notices) = NOTICES.get() {
        notices.changed(script, mtime);
    }
}

/// Logs a record that belongs to no request.
pub(crate) fn process(level: Level, record: &str) {
    if let Some(notices) = NOTICES.get() {
        notices.log(level, record, None);
    }
}

/// Logs a record of the request this thread serves, or of the process. May block: call detached.
pub(crate) fn current(level: Level, record: &str) {
    match serving().and_then(Lease::enter) {
        Some(exchange) => exchange.log(level, record, None),
        None => process(level, record),
    }
}

/// Logs a line that was written to a standard stream. May block: call detached.
pub(crate) fn current_line(line: &str) {
    match serving().and_then(Lease::enter) {
        Some(exchange) => exchange.log_line(line),
        None => process(Level::ERROR, line),
    }
}

/// Whether a record of this level, of the request this thread serves or of the process, would be
/// written.
pub(crate) fn accepts(level: Level) -> bool {
    match serving() {
        Some(lease) => lease.accepts(level),
        None => NOTICES.get().is_some_and(|notices| notices.accepts(level)),
    }
}

/// Logs what an application reports in one piece, so that its lines stay together. May block: call
/// detached.
pub(crate) fn report(level: Level, text: &str, source: Source<'_>) {
    let mut rest = Vec::new();
    let mut lines = take_lines(&mut rest, text.as_bytes());
    if !rest.is_empty() || lines.is_empty() {
        lines.push(record(&rest));
    }
    match serving().and_then(Lease::enter) {
        Some(exchange) => exchange.log_located(level, &lines, Some(source)),
        None => {
            let Some(notices) = NOTICES.get() else { return };
            notices.log(level, &lines.join("\n"), Some(source));
        }
    }
}

/// Looks at the measure of the request that this thread serves, if it is measured.
pub(crate) fn with_measure(look: impl FnOnce(&Measure)) {
    if let Some(measure) = serving().and_then(Lease::measure) {
        look(measure);
    }
}

/// Where it is seen what this thread does with the request it serves, if anybody can see it.
pub(crate) fn activity<'l>() -> Option<&'l Activity> {
    // SAFETY: `Serving` keeps the pointer here only while what it points to lives, on this thread;
    // the reference is used by functions that return before it ends.
    ACTIVITY.get().map(|activity| unsafe { &*activity })
}

/// The data of the request this thread serves.
pub(crate) fn current_data(py: Py<'_>) -> PyResult<Option<Object<'_>>> {
    let Some(lease) = serving() else { return Ok(None) };
    Ok(lease.progress(py)?.map(|(_, data)| data))
}

fn serving<'l>() -> Option<&'l Lease> {
    // SAFETY: `Serving` keeps the pointer here only while its lease lives, on this thread; the
    // reference is used by the functions above, which return before it ends.
    CURRENT.get().map(|lease| unsafe { &*lease })
}

/// Marks this thread as serving a request until dropped.
#[derive(Debug)]
pub(crate) struct Serving<'l> {
    previous: (Option<*const Lease>, Option<*const Activity>),
    _lease: PhantomData<(&'l Lease, &'l Activity)>,
}

impl<'l> Serving<'l> {
    /// Records of this thread go to the lease's exchange from now on, and what it does is seen in
    /// `activity`.
    pub(crate) fn begin(lease: &'l Lease, activity: Option<&'l Activity>) -> Self {
        let activity = activity.map(std::ptr::from_ref);
        let previous = (CURRENT.replace(Some(lease)), ACTIVITY.replace(activity));
        Self { previous, _lease: PhantomData }
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let (lease, activity) = self.previous;
        CURRENT.set(lease);
        ACTIVITY.set(activity);
    }
}

/// Splits written text into records: what stands before a newline, in parts where it is long.
pub(crate) fn take_lines(partial: &mut Vec<u8>, data: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pieces = data.split(|byte| *byte == b'\n').peekable();
    while let Some(piece) = pieces.next() {
        partial.extend_from_slice(piece);
        while partial.len() > LONGEST {
            let rest = partial.split_off(character_border(partial));
            lines.push(record(partial));
            *partial = rest;
        }
        if pieces.peek().is_some() {
            lines.push(record(partial));
            partial.clear();
        }
    }
    lines
}

/// Where to cut a long line: not within a UTF-8 character.
fn character_border(line: &[u8]) -> usize {
    let is_border = |index: &usize| line.get(*index).is_none_or(|byte| byte & 0xc0 != 0x80);
    (LONGEST - 3..=LONGEST).rev().find(is_border).unwrap_or(LONGEST)
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
    fn long_lines_are_records_in_parts() {
        let mut partial = Vec::new();
        let text = "\u{e4}".repeat(LONGEST);
        let mut lines = take_lines(&mut partial, text.as_bytes());
        assert!(partial.len() <= LONGEST);
        lines.extend(take_lines(&mut partial, b"\n"));
        assert_eq!(lines.concat(), text);
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_nul_does_not_hide_what_follows() {
        assert_eq!(record(b"a\0b"), "a\\x00b");
    }
}
