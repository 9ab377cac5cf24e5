//! WSGIDaemonProcess: its options one by one, and what is refused.

use std::time::Duration;

use super::super::daemon::{DaemonOptions, OPTIONS};
use super::super::*;
use super::support::{Config, World};
use crate::control::ReloadMode;

fn define(options: &str) -> Result<(DaemonOptions, Vec<Notice>), String> {
    let world = World::default()
        .folder("/jail", 0o755)
        .file("/srv/env", 0o600, "A=1\n# comment\nB='two words'\n")
        .file("/srv/bad", 0o600, "A=1\nsecret\n");
    let mut config = Config::new(world);
    let notices = config.main(&format!("WSGIDaemonProcess blog {options}"))?;
    Ok((config.last_group().options.clone(), notices))
}

fn options(text: &str) -> DaemonOptions {
    define(text).expect(text).0
}

/// For every option a good value and bad ones.
const VALUES: &[(&str, &str, &[&str])] = &[
    ("user", "blog", &["", "nobody-here", "root", "#0", "#", "#x", "#99", "#4294967295"]),
    ("group", "blog", &["", "nobody-here", "#", "#x", "#-1"]),
    ("supplementary-groups", "blog,#7", &[",", "blog,", "blog,nobody-here", "#x"]),
    ("umask", "027", &["", "8", "1000", "-1", "0x1", "22x", "+7"]),
    ("chroot", "/jail", &["", "jail", "/nowhere"]),
    ("home", "/srv", &["", "srv", "~"]),
    ("lang", "en_US.UTF-8", &[]),
    ("locale", "C.UTF-8", &[]),
    ("display-name", "%{GROUP}", &[]),
    ("cpu-priority", "-5", &["", "x", "5x", "-21", "21"]),
    ("cpu-time-limit", "10", BAD_COUNTS),
    ("memory-limit", "9000000000", &["", "-1", "1G", "9223372036854775808"]),
    ("virtual-memory-limit", "9000000000", &["", "-1", "1G", "9223372036854775808"]),
    ("stack-size", "65536", &["", "0", "-1", "1M"]),
    ("socket-user", "root", &["", "nobody-here", "#99"]),
    ("script-user", "blog", &["", "nobody-here", "#99"]),
    ("script-group", "blog", &["", "nobody-here"]),
    ("python-home", "/srv/venv", &[]),
    ("python-path", "/a:/b", &[]),
    ("python-eggs", "/a", &[]),
    ("switch-interval", "0.01", &["", "0", "-1", "x", "1s"]),
    ("server-metrics", "On", &["", "1", "yes"]),
    ("processes", "2", &["", "0", "-1", "2x", "2147483648", "x", " 2"]),
    ("threads", "5", &["", "-1", "65534", "5x", "5.0", "99999999999999999999"]),
    ("maximum-requests", "5", BAD_COUNTS),
    ("listen-backlog", "5", BAD_COUNTS),
    ("startup-timeout", "5", BAD_COUNTS),
    ("shutdown-timeout", "5", BAD_COUNTS),
    ("deadlock-timeout", "5", BAD_COUNTS),
    ("inactivity-timeout", "5", BAD_COUNTS),
    ("request-timeout", "5", BAD_COUNTS),
    ("interrupt-timeout", "5", BAD_COUNTS),
    ("graceful-timeout", "5", BAD_COUNTS),
    ("eviction-timeout", "5", BAD_COUNTS),
    ("restart-interval", "5", BAD_COUNTS),
    ("connect-timeout", "5", BAD_COUNTS),
    ("socket-timeout", "5", BAD_COUNTS),
    ("queue-timeout", "5", BAD_COUNTS),
    ("response-socket-timeout", "5", BAD_COUNTS),
    ("response-flush-delay", "5", BAD_COUNTS),
    ("send-buffer-size", "512", &["", "-1", "511", "1k", "2147483648"]),
    ("receive-buffer-size", "0", &["", "-1", "511", "1k", "2147483648"]),
    ("header-buffer-size", "8192", &["", "-1", "8191", "8k", "2147483648"]),
    ("response-buffer-size", "65536", &["", "-1", "65535", "64k", "2147483648"]),
    ("memory-soft-limit", "400000000", &["", "-1", "400M", "9223372036854775808"]),
    ("on-restart", "keep", &["", "Keep", "on", "no"]),
    ("application-group", "auto", &["", "Auto", "%{GLOBAL}", "blog"]),
    ("reload", "rolling", &["", "Rolling", "On", "none"]),
    ("reload-on", "/srv/*.py:/srv/app/**", &["", "srv/*.py", "/a:", ":/a", "/a:b"]),
    ("request-buffering", "5000", &["", "-1", "yes", "2147483648"]),
    ("response-spool-limit", "5000000000", &["", "-1", "1G", "9223372036854775808"]),
    ("log-format", "json", &["", "JSON", "xml"]),
    ("env", "NAME=value", &["", "NAME", "=x", "1A=x", "A-B=x"]),
    ("env-file", "/srv/env", &["", "srv/env", "/nowhere", "/srv/bad"]),
];

/// What no count or timeout may be.
const BAD_COUNTS: &[&str] =
    &["", "-1", "5x", "x", "1.5", "2147483648", "99999999999999999999", "0x10", "+1", "5s"];

/// The text of the contract for a bad value; exceptions are tested by themselves.
fn contract_text(option: &str) -> String {
    let noun = match option {
        "home" => "home directory",
        "chroot" => "chroot directory",
        "supplementary-groups" => "supplementary group",
        "processes" => "process count",
        "threads" => "thread count",
        "maximum-requests" => "request count",
        "cpu-time-limit" => "CPU time limit",
        "cpu-priority" => "CPU priority",
        "server-metrics" => "server metrics flag",
        "env" => "environment variable",
        "env-file" => "environment file",
        "on-restart" => "restart behaviour",
        "reload" => "reload mode",
        "reload-on" => "reload pattern",
        "log-format" => "log format",
        "send-buffer-size" => return "Send buffer size must be >= 512 bytes, or 0 for".into(),
        "receive-buffer-size" => {
            return "Receive buffer size must be >= 512 bytes, or 0 for".into();
        }
        "header-buffer-size" => {
            return "Header buffer size must be >= 8192 bytes, or 0 for default.".into();
        }
        "response-buffer-size" => {
            return "Response buffer size must be >= 65536 bytes, or 0 for default.".into();
        }
        _ => &option.replace('-', " "),
    };
    format!("Invalid {noun} for WSGI daemon process.")
}

#[test]
fn every_option_is_in_the_list_of_values() {
    let listed: Vec<_> = VALUES.iter().map(|(name, ..)| *name).collect();
    let known: Vec<_> = OPTIONS.iter().map(|option| option.name).collect();
    assert_eq!(listed, known);
}

#[test]
fn good_values_are_taken_and_bad_ones_refused_with_name_and_value() {
    for (name, good, bad) in VALUES {
        let (found, notices) = define(&format!("{name}={good}")).expect(name);
        assert_ne!(found, DaemonOptions::default(), "{name}");
        assert_eq!(notices, [], "{name}");
        for value in *bad {
            let text = define(&format!("{name}=\"{value}\"")).expect_err(name);
            assert!(text.contains(&format!("{name}='{value}'")), "{text}");
            assert!(text.contains("expected "), "{text}");
            let is_special = matches!(*value, "root" | "#0" | "#99")
                || (name.starts_with("script-") && !value.is_empty());
            assert!(is_special || text.starts_with(&contract_text(name)), "{name}={value}: {text}");
        }
    }
}

#[test]
fn users_that_may_not_be_have_texts_of_their_own() {
    let cases = [
        ("user=root", "WSGI process blocked from running as root."),
        ("user=#0", "WSGI process blocked from running as root."),
        ("user=#99", "Couldn't determine user name from uid."),
        ("socket-user=#99", "Couldn't determine user name from socket user."),
        ("script-user=#99", "Couldn't determine uid from script user."),
        ("script-user=nobody-here", "Couldn't determine uid from script user."),
        ("script-group=nobody-here", "Couldn't determine gid from script group."),
        ("script-group=blog script-user=blog", "Only one of script-user and script-group allowed."),
        ("script-user=blog script-group=blog", "Only one of script-user and script-group allowed."),
    ];
    for (options, expected) in cases {
        let text = define(options).expect_err(options);
        assert!(text.starts_with(expected), "{options}: {text}");
    }
    let many = vec!["blog"; 65536].join(",");
    let text = define(&format!("supplementary-groups={many}")).unwrap_err();
    assert!(text.starts_with("Too many supplementary groups WSGI daemon process"), "{text}");
    assert!(text.len() < 1000);
}

#[test]
fn only_root_can_change_the_root() {
    let mut config = Config::new(World { is_root: false, ..World::default() });
    let text = config.main("WSGIDaemonProcess blog chroot=/jail").unwrap_err();
    assert!(text.starts_with("Cannot chroot WSGI daemon process when not root."), "{text}");
}

#[test]
fn names_are_needed_and_unique() {
    for line in ["WSGIDaemonProcess", "WSGIDaemonProcess \"\" threads=1"] {
        let text = Config::default().main(line).unwrap_err();
        assert_eq!(text, "Name of WSGI daemon process not supplied.");
    }
    let mut config = Config::default();
    config.main("WSGIDaemonProcess blog").unwrap();
    config.server(1, "WSGIDaemonProcess Blog").unwrap();
    for server in [0, 1, 2] {
        let text = config.server(server, "WSGIDaemonProcess blog threads=3").unwrap_err();
        assert!(text.starts_with("Name duplicates previous WSGI daemon definition."), "{text}");
        assert!(text.contains("httpd.conf:1"), "{text}");
    }
    let found: Vec<_> =
        config.global.daemon_processes.iter().map(|g| (g.name.as_str(), g.server.0)).collect();
    assert_eq!(found, [("blog", 0), ("Blog", 1)]);
}

#[test]
fn unknown_options_are_refused_with_the_likely_one() {
    let invalid = "Invalid option to WSGI daemon process definition.";
    for options in ["x", "colour=red", "Threads=5", "threads =5", "threads", "=5", "python_home=/x"]
    {
        let text = define(options).expect_err(options);
        assert!(text.starts_with(invalid), "{options}: {text}");
    }
    assert!(define("Threads=5").unwrap_err().contains("perhaps threads="));
    assert!(define("python_home=/x").unwrap_err().contains("perhaps python-home="));
    assert!(define("thread=5").unwrap_err().contains("perhaps threads="));
}

#[test]
fn values_have_their_types() {
    let found = options(
        "user=#1000 group=#7 supplementary-groups=blog,media umask=0027 home=/srv \
         display-name='my blog' processes=2 threads=3 shutdown-timeout=0 \
         response-flush-delay=20 memory-limit=9223372036854775807 server-metrics=off \
         reload=off reload-on=/srv/*.py:/etc/app.ini",
    );
    assert_eq!(found.user.unwrap().name, "blog");
    assert_eq!(found.group, Some(7));
    assert_eq!(found.supplementary_groups, Some(vec![1001, 1002]));
    assert_eq!(found.umask, Some(0o27));
    assert_eq!(found.display_name.as_deref(), Some("my blog"));
    assert_eq!((found.processes, found.threads), (Some(2), Some(3)));
    assert_eq!(found.shutdown_timeout, Some(Duration::ZERO));
    assert_eq!(found.response_flush_delay, Some(Duration::from_millis(20)));
    assert_eq!(found.memory_limit, Some(i64::MAX as u64));
    assert_eq!(found.server_metrics, Some(false));
    assert_eq!(found.reload, Some(ReloadMode::Off));
    assert_eq!(found.reload_on.unwrap(), ["/srv/*.py", "/etc/app.ini"]);
    // The last of a name wins, and is the one that must be right.
    assert_eq!(options("threads=1 threads=9").threads, Some(9));
    assert!(define("threads=x threads=9").is_err());
}

#[test]
fn an_identity_that_cannot_be_taken_is_said() {
    let mut config = Config::new(World { is_root: false, ..World::default() });
    let notices = config.main("WSGIDaemonProcess a user=blog group=blog").unwrap();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].text.contains("httpd was not started by root"), "{}", notices[0].text);
    assert_eq!(config.main("WSGIDaemonProcess b threads=1"), Ok(vec![]));
    // What is wrong is refused all the same.
    assert!(config.main("WSGIDaemonProcess c user=nobody-here").is_err());
}

#[test]
fn variables_add_up_and_a_file_keeps_its_secrets() {
    let found = options("env=A=1 env-file=/srv/env env=B=2 env=A=3 env=\"C=x y\"");
    let shown = format!("{:?} {:?}", found.env, found.env_file);
    assert_eq!(shown, r#"Some(["A", "B", "A", "C"]) Some(["A", "B"])"#);
    let text = define("env-file=/srv/bad").unwrap_err();
    assert!(text.contains("in its line 2") && !text.contains("secret"), "{text}");
}
