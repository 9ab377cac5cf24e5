//! The error log as records, and which of them a test declared.

use std::path::Path;

/// Levels that a test must declare, in httpd's spelling.
const BAD: &[&str] = &["warn", "error", "crit", "alert", "emerg"];
/// httpd's own words, and ours, about the small numbers of threads the tests configure, and about a connection
/// that lingers when it is stopped (AH03092).
pub const CAPACITY: &[&str] =
    &["AH00161", "AH00484", "AH00485", "AH00513", "AH03092", "AH03093", "AH10159", "WSGI1225"];
/// httpd's words, while it stops, about a connection whose socket its main thread has closed
/// already: excused in what is logged after the stop was asked for, and nowhere else.
const STOPPING: &str = "AH00468";
/// Text that never may appear anywhere.
const NEVER: &[&str] =
    &["panicked at", "AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error:"];

/// One line of the error log.
#[derive(Clone, Debug)]
pub struct Record {
    /// httpd's level, `""` for a line that no logger wrote (a child's plain stderr).
    pub level: String,
    /// Module that logged it.
    pub module: String,
    /// Process that logged it.
    pub pid: i32,
    /// The text after the bracketed fields.
    pub message: String,
    /// The whole line.
    pub line: String,
}

impl Record {
    /// `[time] [module:level] [pid N:tid M] rest`, httpd's default format.
    fn parse(line: &str) -> Record {
        let mut record = Record {
            level: String::new(),
            module: String::new(),
            pid: 0,
            message: line.to_owned(),
            line: line.to_owned(),
        };
        let mut rest = line;
        let mut fields = Vec::new();
        while let Some((field, after)) =
            rest.strip_prefix('[').and_then(|inner| inner.split_once(']'))
        {
            fields.push(field);
            rest = after.strip_prefix(' ').unwrap_or(after);
        }
        let Some((module, level)) = fields.get(1).and_then(|field| field.split_once(':')) else {
            return record;
        };
        record.module = module.to_owned();
        record.level = level.to_owned();
        if let Some(pid) = fields.get(2).and_then(|field| field.strip_prefix("pid ")) {
            let digits = pid.split(':').next().unwrap_or("");
            record.pid = digits.parse().unwrap_or(0);
        }
        record.message = rest.to_owned();
        record
    }

    /// True when a test has to declare it.
    pub fn is_bad(&self) -> bool {
        BAD.contains(&self.level.as_str())
    }

    /// True for the lines a Python traceback is made of, except its last one.
    fn is_traceback_line(&self) -> bool {
        self.message.starts_with("Traceback (most recent call last)")
            || self.message.starts_with("  ")
            || self.message.trim().is_empty()
            || self.message.contains("direct cause of the following exception")
            || self.message.contains("another exception occurred")
    }
}

/// The records of a log file; none when it does not exist.
pub fn read(path: &Path) -> Vec<Record> {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().map(Record::parse).collect()
}

/// What a test says its log will hold.
#[derive(Default)]
pub struct Expectations {
    /// Texts that must appear, and that excuse the record they are in.
    required: Vec<String>,
    /// Texts that may appear.
    allowed: Vec<String>,
    /// True when traceback lines are excused.
    tracebacks: bool,
}

impl Expectations {
    /// A record with `text` must appear.
    pub fn require(&mut self, text: &str) {
        self.required.push(text.to_owned());
    }

    /// A record with `text` may appear.
    pub fn allow(&mut self, text: &str) {
        self.allowed.push(text.to_owned());
    }

    /// A Python traceback ending in `last` must appear.
    pub fn require_traceback(&mut self, last: &str) {
        self.require(last);
        self.tracebacks = true;
    }

    /// What is wrong with the log, one sentence each.
    /// `running` is the number of records that were there when the stop was asked for.
    pub fn violations(&self, records: &[Record], running: usize) -> Vec<String> {
        let mut found = Vec::new();
        for (position, record) in records.iter().enumerate() {
            if NEVER.iter().any(|never| record.line.contains(never)) {
                found.push(format!("the log holds what it never may: {}", record.line));
            }
            let is_stopping = position >= running && record.line.contains(STOPPING);
            if record.is_bad() && !is_stopping && !self.excuses(record) {
                found.push(format!("undeclared record: {}", record.line));
            }
        }
        for text in &self.required {
            if !records.iter().any(|record| record.line.contains(text.as_str())) {
                found.push(format!("declared, but not in the log: {text}"));
            }
        }
        found
    }

    fn excuses(&self, record: &Record) -> bool {
        CAPACITY.iter().any(|code| record.line.contains(code))
            || self
                .required
                .iter()
                .chain(&self.allowed)
                .any(|text| record.line.contains(text.as_str()))
            || (self.tracebacks && record.is_traceback_line())
    }
}
