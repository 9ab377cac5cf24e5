//! The environment of a daemon process: httpd's, because `envvars` is where people set it, with the
//! group's variables and locale, in UTF-8, and without what only httpd itself was meant to have.

use std::{
    collections::BTreeMap,
    ffi::{CString, OsString},
    os::unix::ffi::OsStringExt,
};

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

/// What decides how characters are encoded: the first that is not empty.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];

/// The variables as `NAME=value` for exec.
pub(crate) fn build(spec: &GroupSpec) -> Vec<CString> {
    assemble(spec, std::env::vars_os())
}

fn assemble(
    spec: &GroupSpec,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<CString> {
    let own = [("LANG", &spec.lang), ("LC_ALL", &spec.locale)];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let configured = spec.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let given: BTreeMap<&str, &str> = configured.chain(own).collect();
    let mut all: BTreeMap<OsString, OsString> = inherited
        .into_iter()
        .filter(|(name, _)| !HTTPDS_OWN.iter().any(|own| name == *own))
        .chain(given.iter().map(|(name, value)| (name.into(), value.into())))
        .collect();
    use_utf8(&mut all, &given);
    let variables = all
        .into_iter()
        .map(|(name, value)| [name.into_vec(), b"=".to_vec(), value.into_vec()].concat());
    // No variable holds a NUL: the inherited ones came through exec, the directives are text.
    variables.filter_map(|variable| CString::new(variable).ok()).collect()
}

/// The locale of httpd is often `C`, in which files have no names but ASCII ones. Where the group
/// itself does not ask for it, its processes get the same in UTF-8.
fn use_utf8(all: &mut BTreeMap<OsString, OsString>, given: &BTreeMap<&str, &str>) {
    let value = |name: &str| all.get(&OsString::from(name)).filter(|value| !value.is_empty());
    let deciding = LOCALE.into_iter().find(|name| value(name).is_some()).unwrap_or("LANG");
    let is_plain = value(deciding).is_none_or(|value| value == "C" || value == "POSIX");
    if is_plain && !given.contains_key(deciding) {
        all.insert(deciding.into(), "C.UTF-8".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment of a group, where httpd has these variables.
    fn variables(spec: &GroupSpec, inherited: &[(&str, &str)]) -> Vec<String> {
        let inherited = inherited.iter().map(|(name, value)| (name.into(), value.into()));
        let all = assemble(spec, inherited);
        all.into_iter().map(|variable| variable.into_string().unwrap()).collect()
    }

    fn spec(lang: Option<&str>, locale: Option<&str>, given: &[(&str, &str)]) -> GroupSpec {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        GroupSpec {
            lang: lang.map(str::to_owned),
            locale: locale.map(str::to_owned),
            environment: given.collect(),
            ..GroupSpec::default()
        }
    }

    #[test]
    fn what_is_given_replaces_what_is_inherited() {
        let inherited = [("LANG", "de_DE.UTF-8"), ("PATH", "/bin"), ("NOTIFY_SOCKET", "/run/x")];
        let found = variables(&spec(None, None, &[]), &inherited);
        assert_eq!(found, ["LANG=de_DE.UTF-8", "PATH=/bin"]);
        let given = [("PATH", "/opt/bin"), ("EMPTY", ""), ("LC_ALL", "C")];
        let found = variables(&spec(Some("C"), Some("fr_FR.UTF-8"), &given), &inherited);
        assert_eq!(found, ["EMPTY=", "LANG=C", "LC_ALL=fr_FR.UTF-8", "PATH=/opt/bin"]);
    }

    #[test]
    fn the_c_locale_is_utf_8_unless_the_group_asks_for_it() {
        let none = spec(None, None, &[]);
        for (inherited, expected) in [
            (&[][..], &["LANG=C.UTF-8"][..]),
            (&[("LANG", "")], &["LANG=C.UTF-8"]),
            (&[("LANG", "C")], &["LANG=C.UTF-8"]),
            (&[("LANG", "POSIX"), ("LC_ALL", "")], &["LANG=C.UTF-8", "LC_ALL="]),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")], &["LANG=de_DE.UTF-8", "LC_ALL=C.UTF-8"]),
            (&[("LANG", "C"), ("LC_CTYPE", "de_DE")], &["LANG=C", "LC_CTYPE=de_DE"]),
            (&[("LANG", "de_DE.ISO-8859-1")], &["LANG=de_DE.ISO-8859-1"]),
        ] {
            assert_eq!(variables(&none, inherited), expected, "{inherited:?}");
        }
        assert_eq!(variables(&spec(Some("C"), None, &[]), &[("LANG", "de")]), ["LANG=C"]);
        assert_eq!(variables(&spec(None, Some("POSIX"), &[]), &[]), ["LC_ALL=POSIX"]);
        assert_eq!(variables(&spec(None, None, &[("LC_CTYPE", "C")]), &[]), ["LC_CTYPE=C"]);
        // What httpd has inherited does not defeat what the group wants.
        let wants = spec(Some("de_DE.UTF-8"), None, &[]);
        let found = variables(&wants, &[("LC_ALL", "C")]);
        assert_eq!(found, ["LANG=de_DE.UTF-8", "LC_ALL=C.UTF-8"]);
    }
}
