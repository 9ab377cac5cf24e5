//! Log lines in the form of httpd's default error log, written by processes that are not httpd.
//!
//! Records of a request do not come this way: they travel to httpd as frames and get its
//! ErrorLogFormat and request id there.

use std::{
    fmt::Write as _,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use wsgi_core::{
    control::LogFormat,
    exchange::Source,
    level::Level,
    log_record::{About, Record},
};

/// Longest record that is logged; more is cut, and says so.
const LONGEST: usize = 64 << 10;

/// An error log with its level.
#[derive(Debug)]
pub struct ErrorLog {
    /// `None` is standard error.
    file: Option<OwnedFd>,
    level: Level,
    /// The group whose records it writes as JSON.
    json: Option<String>,
}

impl ErrorLog {
    /// A log that records up to `level`.
    pub fn new(file: OwnedFd, level: Level) -> Self {
        Self { file: Some(file), level, json: None }
    }

    /// Standard error as a log that records up to `level`.
    pub fn standard_error(level: Level) -> Self {
        Self { file: None, level, json: None }
    }

    /// The same for the records of a group that has a format.
    #[must_use]
    pub fn with_format(self, format: LogFormat, group: &str) -> Self {
        let json = (format == LogFormat::Json).then(|| group.to_owned());
        Self { json, ..self }
    }

    /// Whether records are JSON: then those of requests belong here too.
    pub fn is_json(&self) -> bool {
        self.json.is_some()
    }

    /// Whether records of `level` are written.
    pub fn accepts(&self, level: Level) -> bool {
        level <= self.level
    }

    /// The descriptor of the log.
    pub fn file(&self) -> BorrowedFd<'_> {
        match &self.file {
            Some(file) => file.as_fd(),
            None => rustix::stdio::stderr(),
        }
    }

    /// Writes a record with one system call, so that records of several processes do not mix. A
    /// record of several lines becomes several log lines.
    pub fn log(&self, level: Level, record: &str) {
        if self.accepts(level) {
            self.write(level, record, None, None);
        }
    }

    /// Writes a record whatever its level is. What it is about and where it comes from shows in
    /// JSON only.
    pub fn write(
        &self,
        level: Level,
        record: &str,
        about: Option<About<'_>>,
        source: Option<Source<'_>>,
    ) {
        let time = SystemTime::now();
        let lines = match &self.json {
            None => format(level, time, record),
            Some(group) => {
                let tid = rustix::thread::gettid().as_raw_nonzero().get();
                let process = (std::process::id(), tid);
                Record { time, level, process, group, about, source, text: record }.to_json()
            }
        };
        // A log that cannot be written to leaves no place to say so.
        rustix::io::retry_on_intr(|| rustix::io::write(self.file(), lines.as_bytes())).ok();
    }
}

fn format(level: Level, time: SystemTime, record: &str) -> String {
    let end = record.floor_char_boundary(LONGEST);
    let mut prefix = String::with_capacity(100);
    push_time(&mut prefix, time.duration_since(UNIX_EPOCH).unwrap_or_default());
    let pid = std::process::id();
    let thread = rustix::thread::gettid().as_raw_nonzero();
    // Writing to a String cannot fail.
    write!(prefix, " [wsgi:{}] [pid {pid}:tid {thread}] ", level.name()).ok();
    let mut out = String::with_capacity(prefix.len() + end + 20);
    for line in record.get(..end).unwrap_or_default().trim_end_matches('\n').split('\n') {
        out.push_str(&prefix);
        push_escaped(&mut out, line.trim_end_matches('\r'));
        out.push('\n');
    }
    if end < record.len() {
        out.insert_str(out.len() - 1, " [record cut]");
    }
    out
}

/// A time as log lines show it, without brackets.
pub fn time(time: SystemTime) -> String {
    let mut text = String::new();
    push_time(&mut text, time.duration_since(UNIX_EPOCH).unwrap_or_default());
    text.trim_matches(['[', ']']).to_owned()
}

/// Control characters must not fake log lines or drive a terminal; written as httpd does.
fn push_escaped(out: &mut String, line: &str) {
    for character in line.chars() {
        match character {
            '\t' => out.push('\t'),
            '\u{1b}' | '\0'..='\u{1f}' | '\u{7f}' => {
                write!(out, "\\x{:02x}", u32::from(character)).ok();
            }
            other => out.push(other),
        }
    }
}

/// Appends `[Sat Nov 21 03:36:33.123456 2026]` in local time.
fn push_time(out: &mut String, since_epoch: Duration) {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Some(local) = local_time(since_epoch.as_secs()) else { return };
    let day = usize::try_from(local.tm_wday).ok().and_then(|day| DAYS.get(day)).unwrap_or(&"???");
    let month = usize::try_from(local.tm_mon).ok().and_then(|month| MONTHS.get(month));
    // Writing to a String cannot fail.
    write!(
        out,
        "[{day} {} {:02} {:02}:{:02}:{:02}.{:06} {}]",
        month.unwrap_or(&"???"),
        local.tm_mday,
        local.tm_hour,
        local.tm_min,
        local.tm_sec,
        since_epoch.subsec_micros(),
        i64::from(local.tm_year) + 1900,
    )
    .ok();
}

fn local_time(seconds: u64) -> Option<libc::tm> {
    let seconds = libc::time_t::try_from(seconds).ok()?;
    let mut broken_down = std::mem::MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are to live values of the right type; localtime_r keeps neither.
    let filled = unsafe { libc::localtime_r(&raw const seconds, broken_down.as_mut_ptr()) };
    if filled.is_null() {
        return None;
    }
    // SAFETY: localtime_r returned non-null, so it has filled the structure.
    Some(unsafe { broken_down.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_record_looks_like_httpds_own() {
        let time = UNIX_EPOCH + Duration::from_micros(1_795_232_193_123_456);
        let line = format(Level::INFO, time, "Initializing Python.");
        let (date, rest) = line.split_once("] ").unwrap();
        assert!(date.starts_with("[Sat Nov 21 "), "{line}");
        assert!(date.ends_with(".123456 2026"), "{line}");
        let pid = std::process::id();
        assert!(rest.starts_with(&format!("[wsgi:info] [pid {pid}:tid ")), "{line}");
        assert!(rest.ends_with("] Initializing Python.\n"), "{line}");
    }

    #[test]
    fn lines_are_separate_records_and_control_characters_are_visible() {
        let text = format(Level::ERROR, SystemTime::now(), "one\r\ntwo\0\u{1b}[31m\ttab\n");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("] one"));
        assert!(lines[1].ends_with("] two\\x00\\x1b[31m\ttab"));
    }

    #[test]
    fn a_huge_record_is_cut_and_says_so() {
        let text = format(Level::ERROR, SystemTime::now(), &"x".repeat(LONGEST + 1));
        assert!(text.ends_with("xxx [record cut]\n"));
    }

    #[test]
    fn only_what_the_level_admits_is_written() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let log = ErrorLog::new(writer, Level::INFO);
        log.log(Level::DEBUG, "hidden");
        log.log(Level::INFO, "shown");
        drop(log);
        let mut text = String::new();
        std::fs::File::from(reader).read_to_string(&mut text).unwrap();
        assert!(text.ends_with("] shown\n") && !text.contains("hidden"), "{text}");
    }
}
