//! `%{SERVER}`, `%{ENV:name}` and the like: values that are known only when a request is there.
//! A value is expanded when all of it is such a word; inside of other text it stays as it is.

use std::borrow::Cow;

/// What a request knows about itself. Each answer is asked for only when it is needed.
pub trait Lookups {
    /// The name of the server (`ServerName`), without port.
    fn server_name(&self) -> String;
    /// The host the client asked for, in lower case; None or empty when it said none.
    fn hostname(&self) -> Option<String>;
    /// The canonical port of the server for this request.
    fn port(&self) -> u16;
    /// The script name (`mapping::script_name`), in lower case where WSGICaseSensitivity is Off.
    fn script_name(&self) -> String;
    /// A request note, else a variable of the request's environment, else one of the process.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Which rules hold for a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// Process and application groups of requests.
    Request,
    /// Application groups of access, authorisation and dispatch scripts.
    Script,
}

/// Appends the port unless it is the one the scheme implies.
fn with_port(mut name: String, port: u16) -> String {
    if port != 80 && port != 443 {
        name.push(':');
        name.push_str(&port.to_string());
    }
    name
}

/// The name inside `%{ENV:name}`.
fn variable_name(value: &str) -> Option<&str> {
    value.strip_prefix("%{ENV:")?.strip_suffix('}')
}

/// Whether a value may mean something else in each request.
pub fn is_variable(value: &str) -> bool {
    let words = ["%{GLOBAL}", "%{SERVER}", "%{HOST}", "%{RESOURCE}"];
    words.contains(&value) || variable_name(value).is_some()
}

/// The meaning of a word that does not depend on variables; None for one without meaning.
fn fixed(value: &str, rules: Rules, lookups: &dyn Lookups) -> Option<String> {
    match value {
        "%{GLOBAL}" => Some(String::new()),
        "%{SERVER}" => Some(with_port(lookups.server_name(), lookups.port())),
        "%{HOST}" => {
            let host = lookups.hostname().filter(|host| !host.is_empty());
            Some(with_port(host.unwrap_or_else(|| lookups.server_name()), lookups.port()))
        }
        "%{RESOURCE}" if rules == Rules::Request => Some(resource(lookups)),
        _ => None,
    }
}

/// `%{RESOURCE}`: server and script name.
fn resource(lookups: &dyn Lookups) -> String {
    let server = with_port(lookups.server_name(), lookups.port());
    format!("{server}|{}", lookups.script_name())
}

/// Expands a value of either kind.
fn expand<'a>(value: &'a str, rules: Rules, lookups: &dyn Lookups) -> Cow<'a, str> {
    if !value.starts_with('%') {
        return Cow::Borrowed(value);
    }
    if let Some(meaning) = fixed(value, rules, lookups) {
        return Cow::Owned(meaning);
    }
    let found = match variable_name(value) {
        Some(name) if rules == Rules::Request => lookups.variable(name),
        _ => None,
    };
    match found {
        // Once more, but not for ever: a variable that names a variable is taken as it is.
        Some(found) => Cow::Owned(fixed(&found, rules, lookups).unwrap_or(found)),
        None => Cow::Borrowed(value),
    }
}

/// The process group of a request; "" is embedded.
pub(super) fn process_group<'a>(value: Option<&'a str>, lookups: &dyn Lookups) -> Cow<'a, str> {
    value.map_or(Cow::Borrowed(""), |value| expand(value, Rules::Request, lookups))
}

/// The application group of a request; "" is the main interpreter.
pub(super) fn application_group<'a>(value: Option<&'a str>, lookups: &dyn Lookups) -> Cow<'a, str> {
    match value {
        None => Cow::Owned(resource(lookups)),
        Some(value) => expand(value, Rules::Request, lookups),
    }
}

/// The callable of a request.
pub(super) fn callable_object<'a>(value: Option<&'a str>, lookups: &dyn Lookups) -> Cow<'a, str> {
    const DEFAULT: Cow<'static, str> = Cow::Borrowed("application");
    match value {
        None => DEFAULT,
        Some(value) if value.starts_with('%') => {
            variable_name(value).and_then(|name| lookups.variable(name)).map_or(DEFAULT, Cow::Owned)
        }
        Some(value) => Cow::Borrowed(value),
    }
}

/// The application group of an access, authorisation or dispatch script; the main interpreter
/// when none was given.
pub fn expand_script_group<'a>(value: Option<&'a str>, lookups: &dyn Lookups) -> Cow<'a, str> {
    value.map_or(Cow::Borrowed(""), |value| expand(value, Rules::Script, lookups))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake {
        host: Option<&'static str>,
        port: u16,
    }

    impl Lookups for Fake {
        fn server_name(&self) -> String {
            "www.example.org".into()
        }
        fn hostname(&self) -> Option<String> {
            self.host.map(str::to_owned)
        }
        fn port(&self) -> u16 {
            self.port
        }
        fn script_name(&self) -> String {
            "/app".into()
        }
        fn variable(&self, name: &str) -> Option<String> {
            let value = match name {
                "GROUP" => "blog",
                "AGAIN" => "%{SERVER}",
                "GLOBAL" => "%{GLOBAL}",
                "LOOP" => "%{ENV:LOOP}",
                "ODD" => "%{ODD}",
                "EMPTY" => "",
                _ => return None,
            };
            Some(value.to_owned())
        }
    }

    const REQUEST: Fake = Fake { host: Some("shop.example.org"), port: 8080 };

    #[test]
    fn groups_follow_the_table_of_the_contract() {
        // value, process group, application group, group of an access script
        let cases = [
            (None, "", "www.example.org:8080|/app", ""),
            (Some(""), "", "", ""),
            (Some("%{GLOBAL}"), "", "", ""),
            (
                Some("%{RESOURCE}"),
                "www.example.org:8080|/app",
                "www.example.org:8080|/app",
                "%{RESOURCE}",
            ),
            (
                Some("%{SERVER}"),
                "www.example.org:8080",
                "www.example.org:8080",
                "www.example.org:8080",
            ),
            (
                Some("%{HOST}"),
                "shop.example.org:8080",
                "shop.example.org:8080",
                "shop.example.org:8080",
            ),
            (Some("%{ENV:GROUP}"), "blog", "blog", "%{ENV:GROUP}"),
            (Some("%{ENV:AGAIN}"), "www.example.org:8080", "www.example.org:8080", "%{ENV:AGAIN}"),
            (Some("%{ENV:GLOBAL}"), "", "", "%{ENV:GLOBAL}"),
            (Some("%{ENV:LOOP}"), "%{ENV:LOOP}", "%{ENV:LOOP}", "%{ENV:LOOP}"),
            (Some("%{ENV:ODD}"), "%{ODD}", "%{ODD}", "%{ENV:ODD}"),
            (Some("%{ENV:EMPTY}"), "", "", "%{ENV:EMPTY}"),
            (Some("%{ENV:NONE}"), "%{ENV:NONE}", "%{ENV:NONE}", "%{ENV:NONE}"),
            (Some("%{ENV:GROUP"), "%{ENV:GROUP", "%{ENV:GROUP", "%{ENV:GROUP"),
            (Some("%{SERVER}-x"), "%{SERVER}-x", "%{SERVER}-x", "%{SERVER}-x"),
            (Some("x%{SERVER}"), "x%{SERVER}", "x%{SERVER}", "x%{SERVER}"),
            (Some("%"), "%", "%", "%"),
            (Some("blog"), "blog", "blog", "blog"),
        ];
        for (value, process, application, script) in cases {
            assert_eq!(process_group(value, &REQUEST), process, "{value:?}");
            assert_eq!(application_group(value, &REQUEST), application, "{value:?}");
            assert_eq!(expand_script_group(value, &REQUEST), script, "{value:?}");
        }
    }

    #[test]
    fn whole_words_are_variables() {
        for value in ["%{GLOBAL}", "%{SERVER}", "%{HOST}", "%{RESOURCE}", "%{ENV:GROUP}"] {
            assert!(is_variable(value), "{value}");
        }
        for value in ["", "blog", "%", "%{SERVER}-x", "x%{SERVER}", "%{ODD}", "%{ENV:GROUP"] {
            assert!(!is_variable(value), "{value}");
        }
    }

    #[test]
    fn the_usual_ports_are_not_named() {
        for (port, expected) in [(80, ""), (443, ""), (8443, ":8443"), (0, ":0")] {
            let request = Fake { host: None, port };
            let expected = format!("www.example.org{expected}");
            assert_eq!(process_group(Some("%{SERVER}"), &request), expected);
            // Without a Host header the server's own name stands in.
            assert_eq!(process_group(Some("%{HOST}"), &request), expected);
        }
        let request = Fake { host: Some(""), port: 80 };
        assert_eq!(application_group(Some("%{HOST}"), &request), "www.example.org");
    }

    #[test]
    fn callables_come_from_variables_or_are_literal() {
        let cases = [
            (None, "application"),
            (Some("main"), "main"),
            (Some("a.b"), "a.b"),
            (Some("%{ENV:GROUP}"), "blog"),
            (Some("%{ENV:AGAIN}"), "%{SERVER}"),
            (Some("%{ENV:NONE}"), "application"),
            (Some("%{SERVER}"), "application"),
            (Some("%"), "application"),
        ];
        for (value, expected) in cases {
            assert_eq!(callable_object(value, &REQUEST), expected, "{value:?}");
        }
    }
}
