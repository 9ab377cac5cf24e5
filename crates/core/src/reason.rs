//! Why a daemon process ends: the names that applications and logs see.

use serde::{Deserialize, Serialize};

/// Why a process ends, where it was not a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// SIGTERM, SIGINT, or the end of httpd.
    ShutdownSignal,
    /// A restart of httpd, or a request of the operator to replace the process.
    GracefulSignal,
    /// SIGUSR1.
    EvictionSignal,
    /// `maximum-requests`.
    MaximumRequests,
    /// `restart-interval`.
    RestartInterval,
    /// `inactivity-timeout`.
    InactivityTimeout,
    /// `request-timeout`.
    RequestTimeout,
    /// `startup-timeout`.
    StartupTimeout,
    /// `deadlock-timeout`.
    DeadlockTimeout,
    /// `cpu-time-limit`.
    CpuTimeLimit,
    /// `memory-soft-limit`.
    MemorySoftLimit,
    /// Internal errors have ended several requests of the process.
    InternalErrors,
    /// A script has changed.
    ScriptReload,
}

impl Reason {
    /// The name in `shutdown_reason` and in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Reason::ShutdownSignal => "shutdown_signal",
            Reason::GracefulSignal => "graceful_signal",
            Reason::EvictionSignal => "eviction_signal",
            Reason::MaximumRequests => "maximum_requests",
            Reason::RestartInterval => "restart_interval",
            Reason::InactivityTimeout => "inactivity_timeout",
            Reason::RequestTimeout => "request_timeout",
            Reason::StartupTimeout => "startup_timeout",
            Reason::DeadlockTimeout => "deadlock_timeout",
            Reason::CpuTimeLimit => "cpu_time_limit",
            Reason::MemorySoftLimit => "memory_soft_limit",
            Reason::InternalErrors => "internal_errors",
            Reason::ScriptReload => "script_reload",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_has_the_same_names() {
        for reason in [Reason::ShutdownSignal, Reason::CpuTimeLimit, Reason::ScriptReload] {
            let text = serde_json::to_string(&reason).unwrap();
            assert_eq!(text, format!("\"{}\"", reason.name()));
        }
    }
}
