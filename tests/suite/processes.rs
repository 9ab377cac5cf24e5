//! Daemon processes, their supervisor and httpd: daemon §1 to §3 and §9.

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

/// Records httpd or the module may write when a daemon is killed on purpose.
fn allow_death(server: &Httpd) {
    server.allow_log("WSGI0146").allow_log("WSGI0147").allow_log("WSGI1").allow_log("WSGI0119");
    server.allow_log("WSGI0127");
}

one! {
    fn a_killed_daemon_is_replaced() {
        let server = group("threads=2");
        allow_death(&server);
        let first = answering(&server);
        first.signal(libc::SIGKILL);
        first.wait_for_end();
        assert_ne!(pid(&server), first.pid);
        server.wait_for_log("signal 9");
    }

    fn a_killed_daemon_is_replaced_at_once() {
        ours!("its parent looks for dead daemons once a second");
        let server = group("threads=2");
        allow_death(&server);
        for _ in 0..3 {
            let first = answering(&server);
            let start = Instant::now();
            first.signal(libc::SIGKILL);
            first.wait_for_end();
            assert_ne!(pid(&server), first.pid);
            assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
        }
    }

    fn the_request_in_flight_of_a_killed_daemon_is_502() {
        let server = group("threads=2");
        allow_death(&server);
        let victim = answering(&server);
        let mut connection = server.connect();
        connection.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        victim.signal(libc::SIGKILL);
        assert_eq!(connection.response().status(), 502);
        assert_ne!(pid(&server), victim.pid);
    }

    fn the_log_line_of_a_502_names_signal_and_url() {
        ours!("it says neither why the process died nor for which URL");
        let server = group("threads=2");
        server.expect_log("WSGI0146");
        allow_death(&server);
        let victim = answering(&server);
        let mut connection = server.connect();
        connection.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        victim.signal(libc::SIGKILL);
        assert_eq!(connection.response().status(), 502);
        let line = server.wait_for_log("WSGI0146").line;
        assert!(line.contains("signal 9") || line.contains("SIGKILL"), "{line}");
        assert!(line.contains("/wait"), "{line}");
    }

    fn a_started_request_is_never_sent_twice() {
        let server = group("threads=2");
        allow_death(&server);
        let victim = answering(&server);
        let mut connection = server.connect();
        connection.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        victim.signal(libc::SIGKILL);
        assert_eq!(connection.response().status(), 502);
        server.open_gate("gate");
        pid(&server);
        assert_eq!(server.out("in-gate"), "x", "the application was called again");
    }

    fn requests_not_yet_taken_are_served_by_the_replacement() {
        let server = group("threads=1");
        allow_death(&server);
        let victim = answering(&server);
        let mut taken = server.connect();
        taken.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        let mut queued: Vec<_> = (0..4).map(|_| server.connect()).collect();
        for connection in &mut queued {
            connection.request("GET", "/pid", &[], b"");
        }
        // They are queued when httpd has read them: it logs nothing then, so wait for its threads.
        std::thread::sleep(Duration::from_millis(150));
        victim.signal(libc::SIGKILL);
        assert_eq!(taken.response().status(), 502);
        for mut connection in queued {
            let pid: i32 = connection.response().ok().parse().unwrap();
            assert_ne!(pid, victim.pid);
        }
    }

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

    fn a_body_cut_by_a_dying_daemon_is_visible_to_the_client() {
        ours!("it ends the body as if it were complete");
        let server = group("threads=2");
        server.allow_log("WSGI0119");
        allow_death(&server);
        let victim = answering(&server);
        let mut connection = server.connect();
        connection.request("GET", "/stream", &[], b"");
        connection.final_head();
        assert_eq!(connection.piece().unwrap().unwrap(), b"first");
        victim.signal(libc::SIGKILL);
        while connection.piece().unwrap().is_some() {}
        assert!(!connection.is_complete());
        assert_ne!(pid(&server), victim.pid);
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

    fn the_number_of_processes_is_kept() {
        let server = group("processes=3 threads=2 display-name=%{GROUP}");
        allow_death(&server);
        let three = || {
            let all = server.processes_named("(wsgi:app)");
            (all.len() == 3).then_some(all)
        };
        let before = poll("three processes", three);
        for process in &before {
            process.signal(libc::SIGKILL);
        }
        let after = poll("three new processes", || {
            three().filter(|after| after.iter().all(|process| !before.contains(process)))
        });
        assert_eq!(after.len(), 3);
        pid(&server);
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

    fn httpd_stopped_while_requests_run_leaves_nothing() {
        let server = group("threads=2 shutdown-timeout=2");
        server.allow_log("WSGI").allow_log("AH");
        let mut connection = server.connect();
        connection.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        let wrong = server.stop();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    fn nothing_outlives_httpds_parent_when_it_is_killed() {
        ours!("its daemons and children outlive a parent that was killed");
        let server = group("processes=2 threads=2");
        server.allow_log("WSGI").allow_log("AH");
        pid(&server);
        let supervisors = server.processes_named("wsgi-supervisor");
        assert_eq!(supervisors.len(), 1);
        let daemons: Vec<Process> = server
            .processes()
            .into_iter()
            .filter(|process| process.parent() == supervisors[0].pid)
            .collect();
        assert_eq!(daemons.len(), 2);
        server.processes();
        Process::of(server.pid()).unwrap().signal(libc::SIGKILL);
        poll("supervisor and daemons to end", || {
            (!supervisors[0].is_alive() && daemons.iter().all(|one| !one.is_alive())).then_some(())
        });
        // httpd's own children outlive their parent without any module; they are ended here.
        for process in server.processes().into_iter().chain(crate::support::process::users_of(&server.path(""))) {
            process.signal(libc::SIGKILL);
        }
        server.end(libc::SIGKILL);
    }

    fn a_killed_supervisor_is_replaced_and_requests_are_served() {
        ours!("it has no supervisor");
        let server = group("threads=2");
        server.allow_log("WSGI").allow_log("AH");
        let before = pid(&server);
        let supervisor = server.processes_named("wsgi-supervisor").remove(0);
        supervisor.signal(libc::SIGKILL);
        poll("the old daemon to end with its supervisor", || {
            (!Process { pid: before, ..supervisor.clone() }.is_alive()).then_some(())
        });
        let new = poll("a new supervisor", || {
            server
                .processes_named("wsgi-supervisor")
                .into_iter()
                .find(|process| process.pid != supervisor.pid && process.is_alive())
        });
        assert_ne!(new.pid, supervisor.pid);
        poll("requests to be served", || (server.get("/pid").status() == 200).then_some(()));
        assert_ne!(pid(&server), before);
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

    fn a_daemon_that_dies_at_start_is_tried_again_with_pauses() {
        ours!("it forks again without a pause");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/hello.py\n\
             WSGIImportScript @root@/dies.py process-group=app application-group=%{GLOBAL}",
        )
        .file("dies.py", "import os\nopen('@root@/out/starts', 'a').write('x')\nos._exit(9)\n")
        .start();
        server.allow_log("WSGI").allow_log("AH");
        poll("three starts", || (server.out("starts").len() >= 3).then_some(()));
        let before = server.out("starts").len();
        std::thread::sleep(Duration::from_secs(1));
        let more = server.out("starts").len() - before;
        assert!(more <= 6, "{more} starts in a second");
    }
}

both_modes! {
    fn a_graceful_restart_takes_a_new_configuration_and_new_code(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias / @root@/app.py\nInclude @root@/extra.conf\n",
        )
        .mode(mode)
        .file("extra.conf", "SetEnv GENERATION one\n")
        .file("app.py", "COUNT = 1\ndef application(environ, start_response):\n    \
                         start_response('200 OK', [])\n    \
                         return [environ['GENERATION'].encode()]\n")
        .start();
        server.allow_log("AH00045").allow_log("WSGI01");
        assert_eq!(server.get("/").ok(), "one");
        for name in ["two", "three"] {
            std::fs::write(server.path("extra.conf"), format!("SetEnv GENERATION {name}\n")).unwrap();
            server.graceful();
            poll("the new generation", || (server.get("/").text() == name).then_some(()));
        }
    }

    fn processes_do_not_pile_up_over_graceful_restarts(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/process.py").mode(mode).start();
        server.allow_log("AH00045").allow_log("WSGI01");
        server.get("/pid").ok();
        let count = server.processes().len();
        for _ in 0..3 {
            server.graceful();
            poll("an answer", || (server.get("/pid").status() == 200).then_some(()));
        }
        poll("the old processes to go", || (server.processes().len() <= count).then_some(()));
    }
}

mod mpm {
    use super::*;

    both_modes! {
        fn a_crashing_application_costs_its_own_request_only(mode) {
            let server = Httpd::serving("failing.py", mode);
            allow_death(&server);
            // What httpd says about its own child.
            server.allow_log("AH00052").allow_log("AH00051");
            for (path, reason) in
                [("/exits", "exit code 7"), ("/crashes", "signal 11"), ("/aborts", "signal 6")]
            {
                let mut connection = server.connect();
                connection.request("GET", path, &[], b"");
                match mode {
                    Mode::Daemon => {
                        assert_eq!(connection.response().status(), 502, "{path}");
                        if !original::is_original() {
                            let record = poll("the record of the 502", || {
                                server.log().into_iter().find(|record| {
                                    record.line.contains("WSGI0146") && record.line.contains(path)
                                })
                            });
                            assert!(record.line.contains(reason), "{}", record.line);
                        }
                    }
                    Mode::Embedded => assert!(connection.try_response().unwrap().is_none()),
                }
                poll("the next request", || {
                    let mut connection = server.connect();
                    connection.request("GET", "/fine", &[], b"");
                    let answer = connection.try_response().ok().flatten();
                    answer.filter(|answer| answer.status() == 200)
                });
            }
        }

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

        fn a_graceful_restart_goes_on_serving(mode) {
            let server = Httpd::serving("process.py", mode);
            server.allow_log("AH00045").allow_log("WSGI01");
            server.get("/pid").ok();
            server.graceful();
            poll("an answer", || (server.get("/pid").status() == 200).then_some(()));
        }

        fn new_children_serve_at_once_after_a_graceful_restart(mode) {
            ours!("httpd looks for children that have ended once a second");
            let server = Httpd::serving("process.py", mode);
            server.allow_log("AH00045").allow_log("WSGI01");
            server.get("/pid").ok();
            let quick = (0..4).filter(|_| {
                let start = Instant::now();
                server.graceful();
                server.get("/pid").ok();
                start.elapsed() < Duration::from_millis(800)
            });
            // A busy machine may have other work once.
            assert!(quick.count() >= 3);
        }
    }

    one! {
        fn a_daemon_killed_under_any_mpm_is_replaced() {
            let server = group("threads=2");
            allow_death(&server);
            let first = answering(&server);
            first.signal(libc::SIGKILL);
            first.wait_for_end();
            assert_ne!(pid(&server), first.pid);
        }

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

        fn a_graceful_restart_under_load_loses_no_request() {
            ours!("it kills daemons and unlinks their socket");
            let server = group("processes=2 threads=3");
            server.allow_log("AH00045");
            let port = server.port();
            pid(&server);
            std::thread::scope(|scope| {
                let clients: Vec<_> = (0..3)
                    .map(|_| {
                        scope.spawn(move || {
                            (0..120).all(|_| {
                                let mut connection = crate::support::Connection::open(port);
                                connection.request("GET", "/pid", &[("Connection", "close")], b"");
                                connection.response().status() == 200
                            })
                        })
                    })
                    .collect();
                for _ in 0..2 {
                    server.graceful();
                    std::thread::sleep(Duration::from_millis(150));
                }
                for client in clients {
                    assert!(client.join().unwrap(), "a request was lost");
                }
            });
        }
    }
}
