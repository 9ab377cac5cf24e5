//! What is odd about configurations whose lines are all right.

use super::super::daemon::{DaemonGroup, Defaults};
use super::super::*;
use super::support::{Config, World};

/// All that is said about a configuration, as codes with texts.
fn review_of(config: &Config, tree: &[TreeLine<'_>]) -> Vec<(u16, String)> {
    let account = config.world.user_by_id(33).unwrap();
    let defaults = Defaults {
        is_root: true,
        account: &account,
        timeout: std::time::Duration::from_secs(60),
        python_home: None,
    };
    let processes = config.global.daemon_processes.iter().zip(1..);
    let groups: Vec<DaemonGroup> =
        processes.map(|(process, id)| process.resolve(id, &defaults).unwrap()).collect();
    let groups: Vec<&DaemonGroup> = groups.iter().collect();
    let notices = review(&config.global, &groups, tree, &config.world);
    assert!(notices.iter().all(|notice| notice.level == NoticeLevel::Warning));
    notices.into_iter().map(|notice| (notice.code.unwrap(), notice.text)).collect()
}

/// The codes of a configuration of these lines of the main server.
fn codes(lines: &[&str]) -> Vec<u16> {
    let mut config = Config::default();
    for line in lines {
        config.main(line).unwrap();
    }
    review_of(&config, &[]).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn a_group_that_nobody_defines_is_told_once_with_the_nearest_name() {
    let mut config = Config::default();
    config.main("WSGIDaemonProcess blog").unwrap();
    config.main("WSGIProcessGroup blgo").unwrap();
    config.main("WSGIScriptAlias /a /srv/a process-group=blgo").unwrap();
    config.main("WSGIHandlerScript h /srv/h process-group=blgo").unwrap();
    config.main("<WSGIInterpreterOptions process-group=unlike>").unwrap();
    let found = review_of(&config, &[]);
    let expected = [
        (
            1042,
            "WSGIProcessGroup names process group 'blgo' (httpd.conf:2 and 2 more lines), and no \
             WSGIDaemonProcess has this name: nothing runs there; perhaps 'blog' is meant",
        ),
        (
            1042,
            "WSGIInterpreterOptions names process group 'unlike' (httpd.conf:5), and no \
             WSGIDaemonProcess has this name: nothing runs there",
        ),
    ];
    assert_eq!(found, expected.map(|(code, text)| (code, text.to_owned())));
}

#[test]
fn names_that_a_request_gives_their_meaning_need_no_group() {
    for name in ["%{GLOBAL}", "\"\"", "%{SERVER}", "%{HOST}", "%{RESOURCE}", "%{ENV:x}", "blog"] {
        let line = format!("WSGIProcessGroup {name}");
        assert_eq!(codes(&["WSGIDaemonProcess blog", &line]), [0; 0], "{name}");
    }
    // What only looks like a variable is a name.
    for name in ["%{SERVER}-x", "%{UNKNOWN}", "x%{HOST}"] {
        assert_eq!(codes(&[&format!("WSGIProcessGroup {name}")]), [1042], "{name}");
    }
    // A group may be defined after it is named.
    assert_eq!(codes(&["WSGIProcessGroup blog", "WSGIDaemonProcess blog"]), [0; 0]);
}

#[test]
fn a_virtual_host_names_groups_that_it_can_see() {
    let world =
        World { names: [(1, "a.org"), (2, "b.org"), (3, "A.org")].into(), ..World::default() };
    let mut config = Config::new(world);
    config.main("WSGIDaemonProcess everybody").unwrap();
    config.server(1, "WSGIDaemonProcess private").unwrap();
    for host in [1, 3] {
        config.server(host, "WSGIProcessGroup private").unwrap();
        config.server(host, "WSGIScriptAlias / /srv/a process-group=everybody").unwrap();
    }
    // Virtual hosts inherit it, and one of them can see the group.
    config.main("WSGIProcessGroup private").unwrap();
    assert_eq!(review_of(&config, &[]), []);
    config.server(2, "WSGIProcessGroup private").unwrap();
    config.server(4, "WSGIProcessGroup private").unwrap();
    let found = review_of(&config, &[]);
    assert_eq!(found.len(), 1);
    let (code, text) = &found[0];
    assert_eq!(*code, 1043);
    assert!(text.contains("'private' (httpd.conf:8 and one more line)"), "{text}");
    assert!(text.contains("(httpd.conf:2)"), "{text}");
}

#[test]
fn a_group_of_service_scripts_takes_no_requests() {
    let import = "WSGIImportScript /srv/s process-group=service application-group=%{GLOBAL}";
    assert_eq!(codes(&["WSGIDaemonProcess service threads=0", import]), [0; 0]);
    let alias = "WSGIScriptAlias / /srv/a process-group=service";
    assert_eq!(codes(&["WSGIDaemonProcess service threads=0", import, alias]), [1044]);
}

#[test]
fn options_that_get_in_each_others_way_are_told() {
    // options, what is said
    let cases = [
        ("", ""),
        ("interrupt-timeout=5", "interrupt-timeout= has no effect without request-timeout="),
        ("interrupt-timeout=5 request-timeout=60", ""),
        ("request-timeout=61", "request-timeout=61 is longer than socket-timeout"),
        ("request-timeout=61 socket-timeout=61", ""),
        ("request-timeout=10 socket-timeout=5", "with 5 seconds"),
        ("queue-timeout=61", "queue-timeout=61 is longer than socket-timeout"),
        ("queue-timeout=45 request-timeout=60 socket-timeout=60", ""),
        ("inactivity-timeout=60 restart-interval=60", "inactivity-timeout=60 is never reached"),
        ("inactivity-timeout=60 restart-interval=61", ""),
        ("inactivity-timeout=0 restart-interval=60", ""),
        ("inactivity-timeout=60 restart-interval=0", ""),
        ("shutdown-timeout=0", ""),
        ("shutdown-timeout=0 request-timeout=60", "shutdown-timeout=0 waits for ever"),
        (
            "memory-soft-limit=2000 virtual-memory-limit=1000",
            "memory-soft-limit=2000 is never reached: virtual-memory-limit=1000",
        ),
        ("memory-soft-limit=1000 virtual-memory-limit=2000", ""),
        ("memory-soft-limit=1000", ""),
        ("reload=off reload-on=/srv/*", "reload-on= has no effect with reload=off"),
        ("reload=rolling reload-on=/srv/*", ""),
        ("threads=0", ""),
        ("threads=0 maximum-requests=5 queue-timeout=5", "maximum-requests=, queue-timeout="),
        ("threads=0 maximum-requests=0", ""),
    ];
    for (options, expected) in cases {
        let mut config = Config::default();
        config.main(&format!("WSGIDaemonProcess blog {options}")).unwrap();
        let found = review_of(&config, &[]);
        if expected.is_empty() {
            assert_eq!(found, [], "{options}");
            continue;
        }
        let [(1045, text)] = found.as_slice() else { panic!("{options}: {found:?}") };
        assert!(text.starts_with("WSGIDaemonProcess blog (httpd.conf:1): "), "{text}");
        assert!(text.contains(expected), "{options}: {text}");
    }
}

#[test]
fn a_provider_needs_a_script_somewhere_in_its_server() {
    let line = |directive, arguments, server| TreeLine {
        directive,
        arguments,
        server: ServerId(server),
        file: "httpd.conf",
        line: 7,
    };
    let basic = |server| line("AuthBasicProvider", "file wsgi", server);
    let digest = |server| line("authdigestprovider", "wsgi", server);
    let group = |server| line("Require", "not wsgi-group a b", server);
    let users = |server| line("wsgiauthuserscript", "/srv/auth.py", server);
    let groups = |server| line("WSGIAuthGroupScript", "/srv/groups.py", server);
    let other = line("AuthBasicProvider", "file wsgi-other", 0);
    let cases: [(&[TreeLine<'_>], usize); 12] = [
        (&[], 0),
        (&[other, line("Require", "valid-user", 0)], 0),
        (&[basic(0)], 1),
        (&[digest(1)], 1),
        (&[group(0)], 1),
        (&[basic(0), users(0)], 0),
        (&[basic(1), users(0)], 0),
        (&[basic(0), users(1)], 0),
        (&[basic(1), users(2)], 1),
        (&[basic(1), groups(1)], 1),
        (&[group(1), groups(1), basic(2), users(2), digest(2)], 0),
        (&[group(1), users(1), basic(2), digest(2)], 3),
    ];
    for (tree, expected) in cases {
        let found = review_of(&Config::default(), tree);
        assert_eq!(found.len(), expected, "{tree:?}: {found:?}");
        for (code, text) in found {
            assert_eq!(code, 1046);
            assert!(text.contains("(httpd.conf:7) asks a script"), "{text}");
        }
    }
}
