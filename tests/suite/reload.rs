//! Script reloading.

use std::time::Duration;

use crate::support::{Httpd, Mode, poll, rundir::replace};

/// A script that answers with its version, its process and how often a module was imported.
fn script(version: &str) -> String {
    format!(
        "import os\nimport sys\nsys.path.insert(0, os.path.dirname(__file__))\nimport beside\n\
         def application(environ, start_response):\n    \
         start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
         return [f'{version} {{os.getpid()}} {{beside.COUNT}}'.encode()]\n"
    )
}

fn server(mode: Mode, lines: &str) -> Httpd {
    Httpd::with(&format!("WSGIScriptAlias / @root@/app.py\n{lines}"))
        .mode(mode)
        .file("app.py", &script("one"))
        .file("beside.py", "import itertools\nCOUNT = 1\n")
        .one_child()
        .start()
}

fn words(server: &Httpd) -> (String, String) {
    let text = server.get("/").ok();
    let mut words = text.split(' ').map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

both_modes! {
    fn a_changed_script_is_loaded_again(mode) {
        let server = server(mode, "");
        let (version, pid) = words(&server);
        assert_eq!(version, "one");
        assert_eq!(words(&server), (version, pid.clone()));
        replace(&server.path("app.py"), &script("two"), 5);
        let (version, second) = words(&server);
        assert_eq!(version, "two");
        // Embedded: the same process; daemon: the process is replaced.
        assert_eq!(second == pid, mode == Mode::Embedded);
        assert!(server.log_count("Loading") >= 1);
        server.wait_for_log("WSGI script '");
    }

    fn a_script_with_an_older_time_is_loaded_again(mode) {
        let server = server(mode, "");
        assert_eq!(words(&server).0, "one");
        replace(&server.path("app.py"), &script("two"), -3_600);
        assert_eq!(words(&server).0, "two");
    }

    fn a_changed_script_stays_when_reloading_is_off(mode) {
        let server = server(mode, "WSGIScriptReloading Off");
        let before = words(&server);
        replace(&server.path("app.py"), &script("two"), 5);
        assert_eq!(words(&server), before);
    }

    fn a_script_that_is_broken_and_repaired_recovers(mode) {
        let server = server(mode, "");
        assert_eq!(words(&server).0, "one");
        server.expect_log("WSGI0105").expect_traceback("SyntaxError: ").allow_log("WSGI0174");
        replace(&server.path("app.py"), "def broken(:\n", 5);
        assert_eq!(server.get("/").status(), 500);
        replace(&server.path("app.py"), &script("three"), 10);
        assert_eq!(words(&server).0, "three");
    }

    fn many_changes_in_a_row_each_show(mode) {
        let server = server(mode, "");
        for round in 0..8_i64 {
            let name = format!("v{round}");
            replace(&server.path("app.py"), &script(&name), 5 + round);
            assert_eq!(words(&server).0, name);
        }
    }
}

one! {
    fn other_modules_stay_when_an_embedded_script_is_loaded_again() {
        let server = server(Mode::Embedded, "");
        assert!(server.get("/").ok().ends_with(" 1"));
        replace(&server.path("beside.py"), "COUNT = 2\n", 5);
        replace(&server.path("app.py"), &script("two"), 5);
        let text = server.get("/").ok();
        assert!(text.starts_with("two ") && text.ends_with(" 1"), "{text}");
    }

    fn a_reloaded_daemon_imports_everything_again() {
        let server = server(Mode::Daemon, "");
        assert!(server.get("/").ok().ends_with(" 1"));
        replace(&server.path("beside.py"), "COUNT = 2\n", 5);
        replace(&server.path("app.py"), &script("two"), 5);
        let text = server.get("/").ok();
        assert!(text.starts_with("two ") && text.ends_with(" 2"), "{text}");
    }

    fn a_request_in_flight_survives_the_reload_of_its_daemon() {
        let server = Httpd::with("WSGIScriptAlias / @root@/app.py")
            .mode(Mode::Daemon)
            .file("app.py", include_str!("../apps/process.py"))
            .start();
        let mut waiting = server.connect();
        waiting.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        replace(&server.path("app.py"), include_str!("../apps/process.py"), 5);
        let mut next = server.connect();
        next.request("GET", "/pid", &[], b"");
        // The reload is under way once the log says so; then the first request may end.
        poll("the reload", || (server.log_count("Shutdown requested") > 0
            || server.log_count("Loading") > 1).then_some(()));
        server.open_gate("gate");
        let text = waiting.response().ok();
        let old = text.strip_prefix("waited in ").unwrap().to_owned();
        assert_ne!(next.response().ok(), old);
    }

    fn the_replacement_of_a_reloaded_daemon_starts_at_once() {
        ours!("it starts the new process when the old one has ended");
        let server = Httpd::with("WSGIScriptAlias / @root@/app.py")
            .mode(Mode::Daemon)
            .file("app.py", include_str!("../apps/process.py"))
            .start();
        let mut waiting = server.connect();
        waiting.request("GET", "/wait?gate", &[], b"");
        server.wait_for_out("in-gate");
        replace(&server.path("app.py"), include_str!("../apps/process.py"), 5);
        // Answered although the first request still holds the old process.
        let new = server.get("/pid").ok();
        server.open_gate("gate");
        let text = waiting.response().ok();
        assert_ne!(text, format!("waited in {new}"));
    }

    fn every_process_of_a_group_takes_the_new_script() {
        let server = Httpd::with(
            "WSGIDaemonProcess app processes=3 threads=2\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/app.py",
        )
        .file("app.py", &script("one"))
        .file("beside.py", "COUNT = 1\n")
        .start();
        for _ in 0..10 {
            assert_eq!(words(&server).0, "one");
        }
        replace(&server.path("app.py"), &script("two"), 5);
        for _ in 0..20 {
            assert_eq!(words(&server).0, "two");
        }
    }

    fn a_reload_under_load_loses_no_request() {
        let server = Httpd::with(
            "WSGIDaemonProcess app processes=2 threads=3\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/app.py",
        )
        .file("app.py", &script("one"))
        .file("beside.py", "COUNT = 1\n")
        .start();
        let port = server.port();
        let path = server.path("app.py");
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(move || {
                        let mut connection = crate::support::Connection::open(port);
                        (0..60).all(|_| {
                            connection.request("GET", "/", &[], b"");
                            connection.response().status() == 200
                        })
                    })
                })
                .collect();
            for round in 0..3_i64 {
                replace(&path, &script("two"), 5 + round);
                std::thread::sleep(Duration::from_millis(100));
            }
            for client in clients {
                assert!(client.join().unwrap(), "a request was lost");
            }
        });
    }
}
