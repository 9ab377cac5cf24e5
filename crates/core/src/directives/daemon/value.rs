//! How the values of WSGIDaemonProcess options are read, with the contract's error texts.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::environment::{self, Variables};
use crate::control::{LogFormat, ReloadMode};
use crate::directives::site::{Account, Facts};
use crate::directives::{RequestBuffering, buffering, value};

/// What `setgroups` takes at most on Linux (`NGROUPS_MAX`).
const MAXIMUM_GROUPS: usize = 65536;
/// Where the C `int` of the original ends.
const INT_MAX: i64 = i32::MAX as i64;

/// The value of one option and what is needed to read it.
pub(super) struct Value<'a> {
    /// Name of the option.
    pub(super) option: &'static str,
    /// What stands after `=`.
    pub(super) text: &'a str,
    /// The outside.
    pub(super) facts: &'a dyn Facts,
}

impl Value<'_> {
    /// A contract text, then what was given and what would be right.
    fn refuse(&self, contract: &str, expected: &str) -> String {
        let given = value::shown(self.text);
        format!("{contract} WSGIDaemonProcess {}={given}: expected {expected}", self.option)
    }

    /// `Invalid <noun> for WSGI daemon process.` and what would be right.
    fn invalid(&self, noun: &str, expected: &str) -> String {
        self.refuse(&format!("Invalid {noun} for WSGI daemon process."), expected)
    }

    /// A whole number within `range`.
    fn integer(&self, noun: &str, range: RangeInclusive<i64>) -> Result<i64, String> {
        value::integer(self.text, range.clone()).ok_or_else(|| {
            let (low, high) = range.into_inner();
            self.invalid(noun, &format!("a whole number from {low} to {high}"))
        })
    }

    /// A whole number from `low` to the largest C `int`.
    pub(super) fn count(&self, noun: &str, low: i64) -> Result<u32, String> {
        self.count_in(noun, low..=INT_MAX)
    }

    /// A whole number within `range`, none of it negative.
    pub(super) fn count_in(&self, noun: &str, range: RangeInclusive<i64>) -> Result<u32, String> {
        let number = self.integer(noun, range)?;
        u32::try_from(number).map_err(|_| self.invalid(noun, "a smaller number"))
    }

    /// Whole seconds.
    pub(super) fn seconds(&self, noun: &str) -> Result<Duration, String> {
        Ok(Duration::from_secs(u64::from(self.count(noun, 0)?)))
    }

    /// Whole milliseconds.
    pub(super) fn milliseconds(&self, noun: &str) -> Result<Duration, String> {
        Ok(Duration::from_millis(u64::from(self.count(noun, 0)?)))
    }

    /// A number of bytes of a process limit.
    pub(super) fn limit(&self, noun: &str, low: i64) -> Result<u64, String> {
        let bytes = self.integer(noun, low..=i64::MAX)?;
        u64::try_from(bytes).map_err(|_| self.invalid(noun, "a number that is not negative"))
    }

    /// What becomes of request bodies.
    pub(super) fn request_buffering(&self) -> Result<RequestBuffering, String> {
        buffering::read(self.text)
            .ok_or_else(|| self.invalid("request buffering", buffering::ACCEPTED))
    }

    /// A buffer size: 0 for the default, or at least `minimum`.
    pub(super) fn buffer(&self, noun: &str, minimum: u32, zero: &str) -> Result<u32, String> {
        let contract = format!("{noun} must be >= {minimum} bytes, or 0 for {zero}.");
        value::integer(self.text, 0..=INT_MAX)
            .and_then(|bytes| u32::try_from(bytes).ok())
            .filter(|bytes| *bytes == 0 || *bytes >= minimum)
            .ok_or_else(|| {
                self.refuse(&contract, &format!("0, or a whole number from {minimum} to {INT_MAX}"))
            })
    }

    /// A nice value.
    pub(super) fn priority(&self) -> Result<i32, String> {
        let number = self.integer("CPU priority", -20..=20)?;
        i32::try_from(number).map_err(|_| self.invalid("CPU priority", "a smaller number"))
    }

    /// An octal file mode mask.
    pub(super) fn umask(&self) -> Result<u32, String> {
        Some(self.text)
            .filter(|text| !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'7')))
            .and_then(|text| u32::from_str_radix(text, 8).ok())
            .filter(|mask| *mask <= 0o777)
            .ok_or_else(|| self.invalid("umask", "an octal number from 0 to 777"))
    }

    /// Seconds with a fraction, more than none.
    pub(super) fn interval(&self) -> Result<f64, String> {
        value::decimal(self.text)
            .filter(|seconds| *seconds > 0.0)
            .ok_or_else(|| self.invalid("switch interval", "a positive number of seconds"))
    }

    /// `On` or `Off`.
    pub(super) fn flag(&self, noun: &str) -> Result<bool, String> {
        value::flag(self.text).ok_or_else(|| self.invalid(noun, "On or Off"))
    }

    /// The text as it is.
    #[allow(clippy::unnecessary_wraps, reason = "one shape for all readers of the table")]
    pub(super) fn text(&self) -> Result<String, String> {
        Ok(self.text.to_owned())
    }

    /// An absolute path.
    pub(super) fn absolute_path(&self, noun: &str) -> Result<String, String> {
        if !self.text.starts_with('/') {
            return Err(self.invalid(noun, "an absolute path"));
        }
        self.text()
    }

    /// An absolute path to change the root to, which only root can.
    pub(super) fn chroot(&self) -> Result<String, String> {
        if !self.facts.is_root() {
            let contract = "Cannot chroot WSGI daemon process when not root.";
            return Err(self.refuse(contract, "httpd to be started by root"));
        }
        let path = self.absolute_path("chroot directory")?;
        if !self.facts.stat(&path).is_ok_and(|found| found.is_dir) {
            return Err(self.invalid("chroot directory", "the path of a directory that exists"));
        }
        Ok(path)
    }

    /// What a restart of httpd does: `replace` or `keep`.
    pub(super) fn keeps_on_restart(&self) -> Result<bool, String> {
        match self.text {
            "replace" => Ok(false),
            "keep" => Ok(true),
            _ => Err(self.invalid("restart behaviour", "replace or keep")),
        }
    }

    /// Which interpreters scripts get.
    pub(super) fn first_gets_main(&self) -> Result<bool, String> {
        if self.text != "auto" {
            let expected = "auto; other application groups are for WSGIApplicationGroup";
            return Err(self.invalid("application group", expected));
        }
        Ok(true)
    }

    /// How new code is taken up.
    pub(super) fn reload_mode(&self) -> Result<ReloadMode, String> {
        match self.text {
            "restart" => Ok(ReloadMode::Restart),
            "rolling" => Ok(ReloadMode::Rolling),
            "off" => Ok(ReloadMode::Off),
            _ => Err(self.invalid("reload mode", "restart, rolling or off")),
        }
    }

    /// What log records look like.
    pub(super) fn log_format(&self) -> Result<LogFormat, String> {
        match self.text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(self.invalid("log format", "text or json")),
        }
    }

    /// Patterns of absolute paths, separated by `:`.
    pub(super) fn patterns(&self) -> Result<Vec<String>, String> {
        let patterns = self.text.split(':');
        if patterns.clone().any(|pattern| !pattern.starts_with('/')) {
            return Err(self.invalid("reload pattern", "absolute paths separated by ':'"));
        }
        Ok(patterns.map(str::to_owned).collect())
    }

    /// `NAME=value`.
    pub(super) fn variable(&self) -> Result<Variables, String> {
        environment::variable(self.text)
            .map_err(|expected| self.invalid("environment variable", expected))
    }

    /// The variables of a file. What is wrong with it is said without showing what is in it.
    pub(super) fn environment_file(&self) -> Result<Variables, String> {
        let path = self.absolute_path("environment file")?;
        let text = self.facts.read(&path).map_err(|error| {
            self.invalid("environment file", &format!("a file to read: {error}"))
        })?;
        environment::parse(&text).map_err(|(line, expected)| {
            self.invalid("environment file", &format!("{expected}, in its line {line}"))
        })
    }

    /// A user that processes may run as: by name or `#uid`, never root.
    pub(super) fn user(&self) -> Result<Account, String> {
        let account = self.account("user", "Couldn't determine user name from uid.")?;
        if account.uid == 0 {
            let contract = "WSGI process blocked from running as root.";
            return Err(self.refuse(contract, "another user"));
        }
        Ok(account)
    }

    /// A user by name or `#uid`; `unnamed` is the text for an id that has no name.
    pub(super) fn account(&self, noun: &str, unnamed: &str) -> Result<Account, String> {
        let expected = "the name of a user of this machine, or #uid";
        let Some(digits) = self.text.strip_prefix('#') else {
            return self.facts.user_by_name(self.text).ok_or_else(|| self.invalid(noun, expected));
        };
        let uid = value::id(digits).ok_or_else(|| self.invalid(noun, expected))?;
        if uid == 0 && noun == "user" {
            let contract = "WSGI process blocked from running as root.";
            return Err(self.refuse(contract, "another user"));
        }
        self.facts.user_by_id(uid).ok_or_else(|| self.refuse(unnamed, "the id of a user"))
    }

    /// The user that must own a script.
    pub(super) fn script_user(&self) -> Result<Account, String> {
        let expected = "the name of a user of this machine, or #uid";
        if self.text.is_empty() {
            return Err(self.invalid("script user", expected));
        }
        let text = "Couldn't determine uid from script user.";
        self.account("script user", text).map_err(|_| self.refuse(text, expected))
    }

    /// The group that must own a script.
    pub(super) fn script_group(&self) -> Result<u32, String> {
        let group = self.group("script group");
        if self.text.is_empty() {
            return group;
        }
        let text = "Couldn't determine gid from script group.";
        group.map_err(|_| self.refuse(text, "the name of a group of this machine, or #gid"))
    }

    /// A group by name or `#gid`.
    pub(super) fn group(&self, noun: &str) -> Result<u32, String> {
        self.group_named(noun, self.text)
    }

    /// A group out of the value.
    fn group_named(&self, noun: &str, name: &str) -> Result<u32, String> {
        match name.strip_prefix('#') {
            Some(digits) => value::id(digits),
            None => self.facts.group_by_name(name),
        }
        .ok_or_else(|| self.invalid(noun, "the name of a group of this machine, or #gid"))
    }

    /// A comma separated list of groups; an empty one leaves the primary group alone.
    pub(super) fn groups(&self) -> Result<Vec<u32>, String> {
        if self.text.is_empty() {
            return Ok(Vec::new());
        }
        let groups: Result<Vec<u32>, String> = self
            .text
            .split(',')
            .map(|name| self.group_named("supplementary group", name.trim()))
            .collect();
        let groups = groups?;
        // The primary group takes one of the places.
        if groups.len() >= MAXIMUM_GROUPS {
            let contract = "Too many supplementary groups WSGI daemon process.";
            return Err(self.refuse(contract, &format!("fewer than {MAXIMUM_GROUPS}")));
        }
        Ok(groups)
    }
}
