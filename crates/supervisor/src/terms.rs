//! On which terms a daemon process ends.

use std::time::Duration;

use wsgi_core::{control::GroupSpec, reason::Reason, timers::unless_zero};

/// How a process shall end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Why.
    pub(crate) reason: Reason,
    /// At once, within the shutdown timeout.
    pub(crate) is_urgent: bool,
    /// Seconds to finish requests; 0 is as long as it takes, or none at all if it is urgent.
    pub(crate) limit: u32,
    /// Seconds of the shutdown after that; 0 is as long as it takes.
    shutdown: u32,
}

impl Terms {
    /// httpd stops, or the process must not go on.
    pub(crate) fn urgent(spec: &GroupSpec, reason: Reason) -> Self {
        Self { reason, is_urgent: true, limit: 0, shutdown: spec.shutdown_timeout }
    }

    /// What runs is finished first.
    pub(crate) fn graceful(spec: &GroupSpec, reason: Reason) -> Self {
        let limit = match reason {
            Reason::EvictionSignal => spec.eviction_timeout,
            _ => spec.graceful_timeout,
        };
        Self { reason, is_urgent: false, limit, shutdown: spec.shutdown_timeout }
    }

    /// Time until the process is killed; `None` when nothing limits it.
    pub(crate) fn time(&self) -> Option<Duration> {
        let shutdown = unless_zero(self.shutdown)?;
        Some(shutdown + Duration::from_secs(self.limit.into()))
    }

    /// Whether running requests may take as long as they like.
    pub(crate) fn is_patient(&self) -> bool {
        !self.is_urgent && self.limit == 0
    }
}
