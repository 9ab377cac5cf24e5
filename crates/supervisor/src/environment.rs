//! The environment of a daemon process: httpd's, because `envvars` is where people set it, with
//! the group's locale and without what only httpd itself was meant to have.

use std::{ffi::CString, os::unix::ffi::OsStringExt};

use wsgi_core::control::GroupSpec;

/// Variables by which a service manager talks to httpd: a daemon that has them could announce
/// itself as httpd, or take over descriptors it does not have.
const HTTPDS_OWN: [&str; 6] = [
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// The variables as `NAME=value` for exec.
pub(crate) fn build(spec: &GroupSpec) -> Vec<CString> {
    let own = [("LANG", &spec.lang), ("LC_ALL", &spec.locale)];
    let own = own.map(|(name, value)| (name, value.as_deref()));
    let is_replaced = |name: &std::ffi::OsStr| {
        own.iter().any(|(own, value)| value.is_some() && name == *own)
            || HTTPDS_OWN.iter().any(|own| name == *own)
    };
    let inherited = std::env::vars_os()
        .filter(|(name, _)| !is_replaced(name))
        .map(|(name, value)| [name.into_vec(), b"=".to_vec(), value.into_vec()].concat());
    let given = own
        .iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}={value}").into_bytes()));
    // No variable holds a NUL: the inherited ones came through exec, the directives are text.
    inherited.chain(given).filter_map(|variable| CString::new(variable).ok()).collect()
}
