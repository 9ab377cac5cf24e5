//! Options of a process group that get in each other's way.

use std::time::Duration;

use crate::control::ReloadMode;
use crate::directives::daemon::{DaemonGroup, DaemonOptions, DaemonProcess};
use crate::directives::site::Notice;

/// Something odd, in words; None where it is not.
type Rule = fn(&DaemonOptions, &DaemonGroup) -> Option<String>;

/// Each rule is about options that were given: defaults do not contradict each other.
const RULES: &[Rule] = &[
    |_, group| {
        let is_alone = group.timers.interrupt_timeout > 0 && group.timers.request_timeout == 0;
        is_alone.then(|| "interrupt-timeout= has no effect without request-timeout=".to_owned())
    },
    |_, group| {
        let request = Duration::from_secs(group.timers.request_timeout.into());
        (request > group.socket_timeout).then(|| {
            format!(
                "request-timeout={} is longer than {}: httpd answers 504 before it can act",
                request.as_secs(),
                socket_timeout(group)
            )
        })
    },
    |_, group| {
        let queue = group.queue_timeout.filter(|queue| *queue > group.socket_timeout)?;
        Some(format!(
            "queue-timeout={} is longer than {}: httpd answers 504 before it can act",
            queue.as_secs(),
            socket_timeout(group)
        ))
    },
    |options, group| {
        let inactivity = options.inactivity_timeout.filter(|time| !time.is_zero())?;
        let restart = group.restart_interval.filter(|restart| *restart <= inactivity)?;
        Some(format!(
            "inactivity-timeout={} is never reached: restart-interval={} replaces the process before",
            inactivity.as_secs(),
            restart.as_secs()
        ))
    },
    |_, group| {
        let waits = group.shutdown_timeout.is_none() && group.timers.request_timeout > 0;
        waits.then(|| {
            "shutdown-timeout=0 waits for ever for the requests that request-timeout= has given up"
                .to_owned()
        })
    },
    |_, group| {
        let (soft, hard) = (group.memory_soft_limit?, group.limits.virtual_memory);
        (hard != 0 && soft >= hard).then(|| {
            format!("memory-soft-limit={soft} is never reached: virtual-memory-limit={hard}")
        })
    },
    |options, group| {
        let is_off = group.reload == ReloadMode::Off && options.reload_on.is_some();
        is_off.then(|| "reload-on= has no effect with reload=off".to_owned())
    },
    |options, group| {
        let given = without_requests(options);
        (group.threads == 0 && !given.is_empty()).then(|| {
            format!(
                "threads=0 makes it a group without requests: no effect has {}",
                given.join(", ")
            )
        })
    },
];

/// Warnings about the options of one group.
pub(super) fn check(process: &DaemonProcess, group: &DaemonGroup) -> Vec<Notice> {
    let DaemonProcess { name, file, line, options, .. } = process;
    let found = RULES.iter().filter_map(|rule| rule(options, group));
    let warning =
        |odd| Notice::warning(1045, format!("WSGIDaemonProcess {name} ({file}:{line}): {odd}"));
    found.map(warning).collect()
}

/// The limit on silence, and where it comes from.
fn socket_timeout(group: &DaemonGroup) -> String {
    format!("socket-timeout (by default Timeout) with {} seconds", group.socket_timeout.as_secs())
}

/// The options that were given and are about requests.
fn without_requests(options: &DaemonOptions) -> Vec<&'static str> {
    [
        ("maximum-requests=", options.maximum_requests.is_some_and(|count| count > 0)),
        ("inactivity-timeout=", options.inactivity_timeout.is_some_and(|time| !time.is_zero())),
        ("request-timeout=", options.request_timeout.is_some_and(|time| !time.is_zero())),
        ("queue-timeout=", options.queue_timeout.is_some_and(|time| !time.is_zero())),
    ]
    .into_iter()
    .filter_map(|(name, is_given)| is_given.then_some(name))
    .collect()
}
