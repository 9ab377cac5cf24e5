//! Planned replacement of daemon processes: `reload=`, `reload-on=`, `on-restart=`,
//! `memory-soft-limit=`, and what the successor of a process knows.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::support::{Connection, Httpd, poll};

/// A script that answers with its version, its process and the memory it was told to take, and
/// that takes `seconds` to load.
fn script(version: &str, seconds: f32) -> String {
    format!(
        "import os, time\ntime.sleep({seconds})\nballast = []\n\
         def application(environ, start_response):\n    \
         ballast.append(b'x' * int(environ['QUERY_STRING'] or 0))\n    \
         start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
         return [f'{version} {{os.getpid()}}'.encode()]\n"
    )
}

fn server(options: &str) -> Httpd {
    Httpd::with(&format!(
        "WSGIDaemonProcess app {options}\nWSGIProcessGroup app\nWSGIScriptAlias / @root@/app.py"
    ))
    .file("app.py", &script("one", 0.0))
    .file("settings.txt", "one")
    .start()
}

/// Replaces a file at once, with a time that it has not had.
fn replace(path: &Path, text: &str, seconds: u64) {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).unwrap();
    let time = SystemTime::now() + Duration::from_secs(seconds);
    File::options().write(true).open(&fresh).unwrap().set_modified(time).unwrap();
    fs::rename(&fresh, path).unwrap();
}

/// Version and process of an answer.
fn answer(port: u16) -> (String, String) {
    let mut connection = Connection::open(port);
    connection.request("GET", "/", &[("Connection", "close")], b"");
    let text = connection.response().ok();
    let (version, pid) = text.split_once(' ').unwrap();
    (version.to_owned(), pid.to_owned())
}

/// Asks until so many processes have loaded the script.
fn warm(port: u16, processes: usize) {
    let mut seen = BTreeSet::new();
    poll("every process to load", || {
        let mut connections: Vec<_> = (0..8).map(|_| Connection::open(port)).collect();
        for connection in &mut connections {
            connection.request("GET", "/", &[("Connection", "close")], b"");
        }
        seen.extend(connections.into_iter().map(|mut connection| connection.response().ok()));
        (seen.len() == processes).then_some(())
    });
}

/// Asks until every answer for a while has been this version.
fn settles_on(server: &Httpd, version: &str) {
    let port = server.port();
    poll(version, || (0..6).all(|_| answer(port).0 == version).then_some(()));
}

one! {
    fn nobody_waits_while_changed_code_loads() {
        ours!("it has no rolling reload");
        let server = server("processes=2 threads=4 reload=rolling");
        let port = server.port();
        // One has a request for it, the other loads it all the same: without an old version it
        // could only wait for the new one.
        answer(port);
        poll("both to load", || (server.log_count("Loading") == 2).then_some(()));
        replace(&server.path("app.py"), &script("two", 1.0), 5);
        let end = Instant::now() + Duration::from_secs(8);
        let client = || {
            let (mut longest, mut seen) = (Duration::ZERO, 0);
            while seen < 20 && Instant::now() < end {
                let start = Instant::now();
                let (version, _) = answer(port);
                longest = longest.max(start.elapsed());
                seen += u32::from(version == "two");
                thread::sleep(Duration::from_millis(10));
            }
            (longest, seen)
        };
        let (longest, seen) = thread::scope(|scope| {
            let clients: Vec<_> = (0..2).map(|_| scope.spawn(client)).collect();
            let results = clients.into_iter().map(|client| client.join().unwrap());
            results.fold((Duration::ZERO, 0), |all, one| (all.0.max(one.0), all.1 + one.1))
        });
        assert!(seen >= 40, "the new code has not gone live");
        assert!(longest < Duration::from_millis(500), "{longest:?}: somebody waited for the import");
        settles_on(&server, "two");
    }

    fn code_that_does_not_load_never_goes_live() {
        ours!("it has no rolling reload");
        let server = server("processes=2 threads=2 reload=rolling");
        server.expect_log("WSGI1215").expect_log("WSGI0110");
        server.expect_traceback("ZeroDivisionError: division by zero");
        warm(server.port(), 2);
        replace(&server.path("app.py"), "1 / 0\n", 5);
        poll("the verdict", || {
            assert_eq!(answer(server.port()).0, "one");
            (server.log_count("WSGI1215") > 0).then_some(())
        });
        let line = server.wait_for_log("WSGI1215").line;
        assert!(line.contains("still serving the version of"), "{line}");
        for _ in 0..20 {
            assert_eq!(answer(server.port()).0, "one");
        }
        assert_eq!(server.log_count("WSGI1215"), 1, "each change is tried once");
        replace(&server.path("app.py"), &script("three", 0.0), 9);
        settles_on(&server, "three");
    }

    fn changed_code_that_takes_too_long_to_load_never_goes_live() {
        // Seen in review: the process said that it was ready although its startup timeout had passed,
        // ended, and the old ones with it.
        ours!("it has no rolling reload");
        let server = server("threads=2 reload=rolling startup-timeout=1");
        server.expect_log("WSGI1215").expect_log("WSGI1223");
        let first = answer(server.port());
        replace(&server.path("app.py"), &script("two", 2.5), 5);
        poll("the verdict", || {
            assert_eq!(answer(server.port()), first);
            (server.log_count("WSGI1215") > 0).then_some(())
        });
        let line = server.wait_for_log("WSGI1215").line;
        assert!(line.contains("startup_timeout"), "{line}");
        assert_eq!(answer(server.port()), first);
    }

    fn reload_off_keeps_what_is_loaded() {
        ours!("it has no such option");
        let server = server("threads=2 reload=off");
        let first = answer(server.port());
        replace(&server.path("app.py"), &script("two", 0.0), 5);
        for _ in 0..5 {
            assert_eq!(answer(server.port()), first);
        }
    }

    fn further_files_reload_a_group() {
        ours!("it has no such option");
        let server = server("threads=2 reload-on=@root@/*.txt");
        let first = answer(server.port());
        replace(&server.path("settings.txt"), "two", 5);
        poll("another process", || (answer(server.port()).1 != first.1).then_some(()));
        server.wait_for_log("reloads on have changed");
    }

    fn a_graceful_restart_replaces_processes_unless_they_are_kept() {
        ours!("it has no such option");
        let server = Httpd::with(
            "WSGIDaemonProcess kept on-restart=keep threads=2\nWSGIDaemonProcess other threads=2\n\
             WSGIScriptAlias /kept @root@/app.py process-group=kept application-group=%{GLOBAL}\n\
             WSGIScriptAlias /other @root@/app.py process-group=other application-group=%{GLOBAL}",
        )
        .file("app.py", &script("one", 0.0))
        .start();
        let (kept, other) = (server.get("/kept").ok(), server.get("/other").ok());
        server.graceful();
        poll("the replacement", || (server.get("/other").ok() != other).then_some(()));
        assert_eq!(server.get("/kept").ok(), kept);
    }

    fn the_successor_of_a_process_has_loaded_what_that_had() {
        ours!("it loads a script with its first request");
        let server = server("threads=2 maximum-requests=3");
        let first = answer(server.port()).1;
        poll("the successor", || (answer(server.port()).1 != first).then_some(()));
        let log = server.log();
        let loads: Vec<_> = log.iter().filter(|record| record.line.contains("Loading")).collect();
        assert!(loads.len() >= 2, "{loads:?}");
        // Loaded for a request, a record names its client.
        assert!(loads[0].line.contains("[client "), "{loads:?}");
        assert!(!loads[1].line.contains("[client "), "{loads:?}");
    }

    fn a_process_that_has_grown_is_replaced_once_its_successor_is_ready() {
        ours!("it has no such option");
        let server = server("threads=2 memory-soft-limit=100000000");
        let first = answer(server.port()).1;
        server.get("/?150000000").ok();
        poll("the successor", || (answer(server.port()).1 != first).then_some(()));
        server.wait_for_log("(memory_soft_limit)");
    }

    fn the_end_of_every_process_has_a_line_that_says_why() {
        ours!("it says neither why nor how much it had done");
        let server = server("threads=2 maximum-requests=4");
        let first = answer(server.port()).1;
        poll("the successor", || (answer(server.port()).1 != first).then_some(()));
        let line = server.wait_for_log(&format!("pid={first} is to be replaced")).line;
        assert!(line.contains("(maximum_requests)"), "{line}");
        let last = answer(server.port()).1;
        server.allow_log("WSGI0146").allow_log("WSGI1");
        crate::support::process::Process::of(last.parse().unwrap()).unwrap().signal(libc::SIGKILL);
        let line = server.wait_for_log(&format!("pid={last} terminated by signal 9")).line;
        assert!(line.contains(" requests in "), "{line}");
    }
}
