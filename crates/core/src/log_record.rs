//! A log record as one line of JSON (`log-format=json`).

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, de::IgnoredAny};

use crate::{exchange::Source, level::Level};

/// Longest text of a record in bytes; more is cut, and said to be.
const LONGEST: usize = 256 << 10;

/// The request that a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct About<'a> {
    /// Its id, as `%L` of ErrorLogFormat and of the access log shows it.
    pub request_id: &'a str,
    /// The client's address.
    pub client: &'a str,
    /// The script.
    pub script: &'a str,
    /// The interpreter.
    pub application_group: &'a str,
}

/// A record.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// When.
    pub time: SystemTime,
    /// How bad.
    pub level: Level,
    /// Who, and in which thread.
    pub process: (u32, i32),
    /// The daemon process group.
    pub group: &'a str,
    /// The request, if it is about one.
    pub about: Option<About<'a>>,
    /// The place in an application's code, if it comes from one.
    pub source: Option<Source<'a>>,
    /// What has happened; may have several lines.
    pub text: &'a str,
}

#[derive(Serialize)]
struct Fields<'a> {
    time: String,
    level: &'a str,
    pid: u32,
    tid: i32,
    group: &'a str,
    #[serde(flatten)]
    about: Option<About<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl Record<'_> {
    /// The line, with its end. A text that is a JSON object itself stands in it as it is, as
    /// `data`.
    ///
    /// Several lines are one record, unless each is such an object: then they were several.
    pub fn to_json(&self) -> String {
        let text = self.text.trim_end_matches('\n');
        let mut lines = text.split('\n');
        if text.contains('\n') && lines.clone().all(is_object) {
            return lines.by_ref().map(|text| Record { text, ..*self }.to_json()).collect();
        }
        let data = is_object(text);
        let kept = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
        let fields = Fields {
            time: timestamp(self.time),
            level: self.level.name(),
            pid: self.process.0,
            tid: self.process.1,
            group: self.group,
            about: self.about,
            file: self.source.map(|source| source.file),
            line: self.source.map(|source| source.line),
            cut: !data && kept.len() < text.len(),
            message: (!data).then_some(kept),
        };
        // Strings and numbers only: this cannot fail.
        let mut json = serde_json::to_string(&fields).unwrap_or_default();
        if data && json.pop().is_some() {
            json.push_str(",\"data\":");
            json.push_str(text);
            json.push('}');
        }
        json.push('\n');
        json
    }
}

/// Whether a text is a JSON object in one line.
fn is_object(text: &str) -> bool {
    text.starts_with('{')
        && text.len() <= LONGEST
        && !text.contains(['\n', '\r'])
        && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// `2026-11-21T13:26:17.152633Z` (RFC 3339).
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let mut text = String::with_capacity(28);
    // Writing to a String cannot fail.
    write!(text, "{year:04}-{month:02}-{day:02}T").ok();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let micros = Duration::subsec_micros(&since);
    write!(text, "{hours:02}:{minutes:02}:{:02}.{micros:06}Z", seconds % 60).ok();
    text
}

/// The date so many days after 1 January 1970: years begin in March here, so that the leap day is
/// their last one.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn record(text: &str) -> Record<'_> {
        Record {
            time: UNIX_EPOCH + Duration::from_micros(1_795_267_577_152_633),
            level: Level::ERROR,
            process: (7, 8),
            group: "app",
            about: None,
            source: None,
            text,
        }
    }

    fn parsed(record: &Record<'_>) -> Value {
        let line = record.to_json();
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_traceback_is_one_line() {
        let about = About { request_id: "x1", client: "::1", script: "/a", application_group: "" };
        let source = Some(Source { file: "/a.py", line: 5 });
        let found =
            parsed(&Record { about: Some(about), source, ..record("Traceback\n  one\nEnd\n") });
        assert_eq!(found["message"], "Traceback\n  one\nEnd");
        assert_eq!(found["time"], "2026-11-21T13:26:17.152633Z");
        assert_eq!(
            (&found["level"], &found["pid"], &found["tid"]),
            (&"error".into(), &7.into(), &8.into())
        );
        assert_eq!((&found["request_id"], &found["line"]), (&"x1".into(), &5.into()));
        assert_eq!(found["cut"], Value::Null);
    }

    #[test]
    fn what_an_application_writes_as_json_stays_as_it_is() {
        let own = r#"{"b": 1.0e5, "a": "\u00e4\"", "b": [ 2 ]}"#;
        let line = record(own).to_json();
        assert!(line.contains(&format!(",\"data\":{own}}}")), "{line}");
        for text in ["{\"a\":}", "{a}", "[1]", "{\"a\":1} more", "{\"a\":\n1}", "{"] {
            assert_eq!(parsed(&record(text))["message"], *text);
        }
    }

    #[test]
    fn a_huge_record_is_cut_and_says_so() {
        let several = record("{\"a\":1}\n{\"b\":2}\n").to_json();
        assert_eq!(several.lines().count(), 2, "{several}");
        let text = "ä".repeat(LONGEST);
        let found = parsed(&record(&text));
        assert_eq!(found["cut"], true);
        assert!(found["message"].as_str().unwrap().len() <= LONGEST);
    }

    #[test]
    fn dates() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_778, (2026, 11, 21)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(days), date, "{days}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_and_comes_back(text in ".{0,50}|[\\x00-\\x7f]{0,50}") {
            let found = parsed(&record(&text));
            if found["data"].is_null() {
                prop_assert_eq!(found["message"].as_str().unwrap(), text.trim_end_matches('\n'));
            }
        }
    }
}
