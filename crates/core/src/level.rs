//! Log levels: httpd's numbers and names, without httpd.

use serde::{Deserialize, Serialize};

/// A level of httpd's error log (`APLOG_EMERG` 0 to `APLOG_TRACE8` 15); lower is more severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Level(u8);

impl Default for Level {
    /// What httpd logs by default.
    fn default() -> Self {
        Self::WARNING
    }
}

impl Level {
    /// System is unusable.
    pub const EMERG: Self = Self(0);
    /// Action must be taken at once.
    pub const ALERT: Self = Self(1);
    /// Critical condition.
    pub const CRIT: Self = Self(2);
    /// Error condition.
    pub const ERROR: Self = Self(3);
    /// Warning.
    pub const WARNING: Self = Self(4);
    /// Normal but significant.
    pub const NOTICE: Self = Self(5);
    /// Informational.
    pub const INFO: Self = Self(6);
    /// Debugging.
    pub const DEBUG: Self = Self(7);
    /// First trace level.
    pub const TRACE1: Self = Self(8);
    /// Last trace level: everything.
    pub const TRACE8: Self = Self(15);

    /// The level with httpd's number; numbers beyond `trace8` mean `trace8`.
    pub fn from_number(number: u8) -> Self {
        Self(number.min(15))
    }

    /// httpd's number of this level.
    pub fn number(self) -> u8 {
        self.0
    }

    /// httpd's name of this level as its error log writes it.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 16] = [
            "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1",
            "trace2", "trace3", "trace4", "trace5", "trace6", "trace7", "trace8",
        ];
        NAMES.get(usize::from(self.0)).copied().unwrap_or("trace8")
    }
}
