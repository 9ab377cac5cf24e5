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

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(lang: Option<&str>, locale: Option<&str>) -> Vec<String> {
        let spec = GroupSpec {
            lang: lang.map(str::to_owned),
            locale: locale.map(str::to_owned),
            ..GroupSpec::default()
        };
        build(&spec).into_iter().map(|variable| variable.into_string().unwrap()).collect()
    }

    #[test]
    fn the_groups_locale_replaces_what_is_inherited_once() {
        let inherited = variables(None, None);
        let path = format!("PATH={}", std::env::var("PATH").unwrap());
        assert!(inherited.contains(&path));
        let given = variables(Some("de_DE.UTF-8"), Some("C.UTF-8"));
        assert!(given.contains(&path));
        let of = |name: &str| {
            given.iter().filter(|variable| variable.starts_with(name)).cloned().collect::<Vec<_>>()
        };
        assert_eq!(of("LANG="), ["LANG=de_DE.UTF-8"]);
        assert_eq!(of("LC_ALL="), ["LC_ALL=C.UTF-8"]);
    }
}
