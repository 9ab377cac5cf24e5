//! Daemon processes: how many, as whom, with what around them, and who has which request.

use std::time::{Duration, Instant};

use crate::support::daemon::{self, answering};
use crate::support::process::Process;
use crate::support::{Httpd, Mode, original, poll, rundir};

/// A server with the process application in a group `app` with these options.
fn group(options: &str) -> Httpd {
    daemon::serving("process.py", options)
}

/// The process that answers.
#[track_caller]
fn pid(server: &Httpd) -> i32 {
    answering(server).pid
}

/// One line of `/facts`.
#[track_caller]
fn fact(server: &Httpd, name: &str) -> String {
    let text = server.get("/facts").ok();
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("{name} in {text}")).trim_matches('"').to_owned()
}

one! {
    fn a_request_that_httpd_has_given_up_is_not_run_later() {
        ours!("it runs it when a thread is free");
        let server = group("threads=1 socket-timeout=1");
        server.expect_log("WSGI0145");
        let mut running = server.connect();
        running.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        assert_eq!(server.get("/wait?late").status(), 504);
        assert_eq!(running.response().status(), 504);
        let mut next = server.connect();
        next.request("GET", "/wait?next", &[], b"");
        server.open_gate("gate");
        server.wait_for_out("in-next");
        assert_eq!(server.out("in-late"), "", "the thread has passed it");
        server.open_gate("next");
        next.response().ok();
    }

    fn several_processes_serve_a_group() {
        let server = group("processes=3 threads=1");
        let mut waiting: Vec<_> = (0..3).map(|_| server.connect()).collect();
        for (number, connection) in waiting.iter_mut().enumerate() {
            connection.request("GET", &format!("/wait?gate{number}"), &[], b"");
        }
        for number in 0..3 {
            server.wait_for_out(&format!("in-gate{number}"));
        }
        (0..3).for_each(|number| server.open_gate(&format!("gate{number}")));
        let texts: std::collections::BTreeSet<String> =
            waiting.iter_mut().map(|connection| connection.response().ok()).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
    }

    fn display_name_is_what_ps_shows() {
        let server = group("threads=1 display-name=%{GROUP}");
        assert!(answering(&server).command().starts_with("(wsgi:app)"));
        let server = group("threads=1 display-name=own-name");
        assert!(answering(&server).command().starts_with("own-name"));
    }

    fn daemons_have_the_user_and_group_of_their_options() {
        needs_root!();
        let server = group("threads=1 user=daemon group=nogroup umask=0027");
        let id = |option: &str, name: &str| rundir::output_of("id", &[option, name]);
        assert_eq!(fact(&server, "uid"), id("-u", "daemon"));
        assert_eq!(fact(&server, "ruid"), id("-u", "daemon"));
        assert_eq!(fact(&server, "gid"), id("-g", "nobody"));
        assert_eq!(fact(&server, "umask"), "0o27");
        let status = answering(&server).status("Uid");
        assert!(!status.split_whitespace().any(|uid| uid == "0"), "{status}");
    }

    fn daemons_run_as_httpds_user_by_default() {
        needs_root!();
        let server = group("threads=1");
        let user = crate::support::conf::user();
        assert_eq!(fact(&server, "uid"), rundir::output_of("id", &["-u", user]));
        assert_eq!(fact(&server, "gid"), rundir::output_of("id", &["-g", user]));
    }

    fn supplementary_groups_replace_those_of_the_user() {
        needs_root!();
        let server = group("threads=1 user=daemon group=nogroup supplementary-groups=sys,bin");
        let groups = fact(&server, "groups");
        let number = |name: &str| {
            rundir::output_of("sh", &["-c", &format!("getent group {name} | cut -d: -f3")])
        };
        for name in ["sys", "bin"] {
            assert!(groups.contains(&number(name)), "{groups}");
        }
        assert_eq!(groups.split(',').count(), 3, "{groups}");
    }

    fn home_is_the_working_directory_and_first_on_the_path() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1 home=@root@/out\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/process.py",
        )
        .start();
        let home = server.path("out").display().to_string();
        assert_eq!(fact(&server, "cwd"), home);
        assert_eq!(fact(&server, "path0"), home);
    }

    fn lang_and_locale_are_set() {
        let server = group("threads=1 lang=C.UTF-8 locale=C.UTF-8");
        assert_eq!(fact(&server, "LANG"), "C.UTF-8");
        assert_eq!(fact(&server, "LC_ALL"), "C.UTF-8");
        assert_eq!(fact(&server, "fs"), "utf-8");
    }

    fn language_and_locale_of_httpd_are_inherited() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/process.py",
        )
        .environment("LANG", "C.UTF-8")
        .environment("LC_ALL", "C.UTF-8")
        .start();
        assert_eq!(fact(&server, "LANG"), "C.UTF-8");
        assert_eq!(fact(&server, "LC_ALL"), "C.UTF-8");
    }

    fn an_unsupported_locale_is_a_warning() {
        let server = group("threads=1 locale=xx_YY.nothing");
        server.expect_log("WSGI0079");
        assert_eq!(fact(&server, "LC_ALL"), "xx_YY.nothing");
    }

    fn the_home_variable_is_the_users() {
        needs_root!();
        let server = group("threads=1 user=daemon");
        let home = rundir::output_of("sh", &["-c", "getent passwd daemon | cut -d: -f6"]);
        assert_eq!(fact(&server, "HOME"), home);
        // Without home= the working directory of another user is that user's home.
        assert_eq!(fact(&server, "cwd"), home);
    }

    fn threads_of_a_daemon_serve_at_the_same_time() {
        let server = group("threads=4");
        let mut connections: Vec<_> = (0..4).map(|_| server.connect()).collect();
        for connection in &mut connections {
            connection.request("GET", "/together", &[], b"");
        }
        for mut connection in connections {
            assert_eq!(connection.response().ok(), "together True");
        }
    }

    fn more_requests_than_threads_wait_their_turn() {
        let server = group("threads=2");
        let port = server.port();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(move || {
                        let mut connection = crate::support::Connection::open(port);
                        for _ in 0..25 {
                            connection.request("GET", "/pid", &[], b"");
                            connection.response().ok();
                        }
                    })
                })
                .collect();
            for client in clients {
                client.join().unwrap();
            }
        });
    }

    fn a_group_of_a_virtual_host_logs_there() {
        let server = Httpd::with(
            "<VirtualHost *:@port@>\nServerName localhost\nErrorLog @root@/vhost.log\n\
             WSGIDaemonProcess app threads=1\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/logging_app.py\n</VirtualHost>",
        )
        .start();
        server.get("/stderr").ok();
        poll("the record", || {
            let text = std::fs::read_to_string(server.path("vhost.log")).unwrap_or_default();
            text.contains("line to stderr").then_some(())
        });
        assert_eq!(server.log_count("line to stderr"), 0);
    }

    fn a_venv_is_the_home_of_a_group() {
        let Some(_) = rundir::venv() else {
            original::skipped("needs WSGI_TEST_VENV");
            return;
        };
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1 python-home=@venv@\nWSGIProcessGroup app\n\
             WSGIScriptAlias /eval @apps@/evaluate.py application-group=%{GLOBAL}\n\
             WSGIScriptAlias / @apps@/process.py",
        )
        .start();
        let venv = rundir::venv().unwrap().display().to_string();
        assert_eq!(fact(&server, "prefix"), venv);
        let text = server.get("/eval?imp('flask').__name__;;imp('encodings').__name__").ok();
        assert_eq!(text, "'flask'\n'encodings'");
    }

    fn processes_are_named_after_what_they_are() {
        ours!("it forks daemons without a program of their own");
        let server = group("threads=1");
        let daemon = answering(&server);
        assert!(daemon.command().contains("wsgi-daemon-3."), "{}", daemon.command());
        let supervisor = Process::of(daemon.parent()).unwrap();
        assert!(supervisor.command().contains("wsgi-supervisor"), "{}", supervisor.command());
        assert_eq!(supervisor.parent(), server.pid());
    }

    fn daemons_are_in_httpds_session_but_not_in_its_process_group() {
        ours!("its daemons are in httpd's process group");
        let server = group("threads=1");
        let daemon = answering(&server);
        let supervisor = Process::of(daemon.parent()).unwrap();
        let httpd = Process::of(server.pid()).unwrap();
        for process in [daemon, supervisor] {
            assert_eq!(process.status("NSsid"), httpd.status("NSsid"));
            // prefork's restart signals httpd's process group.
            assert_eq!(process.status("NSpgid"), process.status("NSpid"));
        }
    }

    fn a_process_without_descriptors_keeps_no_request_from_the_others() {
        ours!("its processes do not share a queue");
        // One thread each: they keep no connections.
        let server = group("processes=2 threads=1");
        server.allow_log("WSGI1201");
        server.get("/exhaust").ok();
        for _ in 0..30 {
            let start = Instant::now();
            server.get("/pid").ok();
            assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        }
    }

    fn daemons_inherit_no_descriptor_of_httpd() {
        ours!("its daemons are forks of httpd");
        let server = group("threads=1");
        let daemon = answering(&server);
        let port = format!(":{:04X} ", server.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let listener = table.lines().find(|line| line.contains(&port) && line.contains(" 0A "));
        let inode = listener.and_then(|line| line.split_whitespace().nth(9)).unwrap().to_owned();
        for link in daemon.descriptors() {
            assert!(!link.contains(&inode), "httpd's listener: {link}");
            assert!(!link.ends_with("access.log"), "{link}");
            assert!(!link.ends_with("httpd.pid"), "{link}");
        }
        let count = daemon.descriptors().len();
        assert!(count < 32, "{count}: {:?}", daemon.descriptors());
        // And none of httpd's code or memory: the module is not mapped.
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", daemon.pid)).unwrap();
        assert!(!maps.contains("mod_wsgi_rs.so") && !maps.contains("/apache2"));
    }

    fn httpds_processes_map_no_python_when_only_daemons_serve() {
        ours!("it links Python into httpd");
        let server = Httpd::with(
            "WSGIRestrictEmbedded On\nWSGIDaemonProcess app threads=1\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/process.py",
        )
        .start();
        let daemon = pid(&server);
        for process in server.processes().iter().filter(|process| process.pid != daemon) {
            let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.pid));
            assert!(!maps.unwrap_or_default().contains("libpython"), "{}", process.command());
        }
    }

    fn the_parent_never_maps_python() {
        ours!("it links Python into httpd");
        let server = Httpd::serving("process.py", Mode::Embedded);
        pid(&server);
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.pid())).unwrap();
        assert!(!maps.contains("libpython"));
    }
}

mod mpm {
    use super::*;

    both_modes! {
        fn concurrent_requests_are_all_answered(mode) {
            let server = Httpd::serving("hello.py", mode);
            let port = server.port();
            std::thread::scope(|scope| {
                let clients: Vec<_> = (0..6)
                    .map(|_| {
                        scope.spawn(move || {
                            for _ in 0..20 {
                                let mut connection = crate::support::Connection::open(port);
                                connection.request("GET", "/", &[("Connection", "close")], b"");
                                assert_eq!(connection.response().ok(), "Hello, WSGI\n");
                            }
                        })
                    })
                    .collect();
                for client in clients {
                    client.join().unwrap();
                }
            });
        }
    }

    one! {
        fn computing_requests_are_spread_over_the_processes() {
            ours!("whose thread is woken is the kernel's choice");
            let server = daemon::serving("metrics.py", "processes=2 threads=10");
            let port = server.port();
            let client = || {
                let computed = |_| {
                    let mut connection = crate::support::Connection::open(port);
                    connection.request("GET", "/spin?20", &[("Connection", "close")], b"");
                    connection.response().ok()
                };
                (0..8).map(computed).collect::<Vec<String>>()
            };
            server.get("/spin?1").ok();
            poll("a third of the requests in each process", || {
                let answers: Vec<String> = std::thread::scope(|scope| {
                    let clients: Vec<_> = (0..6).map(|_| scope.spawn(client)).collect();
                    clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
                });
                let of_one = answers.iter().filter(|answer| **answer == answers[0]).count();
                (16..=32).contains(&of_one).then_some(())
            });
        }
    }
}
