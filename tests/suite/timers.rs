//! What a daemon process does as time passes.

use std::time::{Duration, Instant};

use crate::support::daemon::{self, answering};
use crate::support::process::Process;
use crate::support::{Httpd, poll};

/// A server with the application of long requests in a group `app` with these options.
fn group(options: &str) -> Httpd {
    daemon::serving("timers.py", options)
}

one! {
    fn a_process_is_replaced_after_its_maximum_of_requests() {
        let server = group("threads=2 maximum-requests=5");
        let first = answering(&server);
        for _ in 0..4 {
            server.get("/pid").ok();
        }
        first.wait_for_end();
        assert_ne!(answering(&server), first);
    }

    fn the_log_says_why_a_process_ended() {
        ours!("its words differ");
        for (option, reason) in [
            ("maximum-requests=1", "maximum_requests) after "),
            ("inactivity-timeout=1", "inactivity_timeout) after 1 requests in "),
        ] {
            let server = group(&format!("threads=2 {option}"));
            let first = answering(&server);
            let line = server.wait_for_log(&format!("Exiting daemon process 'app' ({reason}"));
            assert_eq!(line.pid, first.pid);
        }
    }

    fn no_request_fails_while_processes_are_recycled() {
        let server = group("threads=2 maximum-requests=7");
        let mut pids = std::collections::BTreeSet::new();
        for _ in 0..150 {
            pids.insert(server.get("/pid").ok());
        }
        poll("several processes", || {
            pids.insert(server.get("/pid").ok());
            (pids.len() > 2).then_some(())
        });
    }

    fn no_concurrent_request_fails_while_processes_are_recycled() {
        let server = group("processes=2 threads=3 maximum-requests=40");
        let port = server.port();
        let first = answering(&server);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(move || {
                    let mut connection = crate::support::Connection::open(port);
                    for _ in 0..100 {
                        connection.request("GET", "/pid", &[], b"");
                        connection.response().ok();
                    }
                });
            }
        });
        first.wait_for_end();
    }

    fn a_process_of_its_age_is_replaced() {
        let server = group("threads=2 restart-interval=1");
        let first = answering(&server);
        first.wait_for_end();
        assert_ne!(answering(&server), first);
    }

    fn a_process_of_its_age_finishes_its_requests_beside_its_successor() {
        ours!("goes on with new requests until it has none");
        let server = group("threads=2 restart-interval=1 graceful-timeout=10");
        let first = answering(&server);
        let mut running = server.connect();
        running.request("GET", "/blocked?gate", &[], b"");
        server.wait_for_out("in-gate");
        poll("the next process", || (answering(&server) != first).then_some(()));
        server.open_gate("gate");
        running.response().ok();
        first.wait_for_end();
    }

    fn a_process_that_runs_once_serves_one_request() {
        let server = group("threads=1 maximum-requests=1");
        let pids: Vec<String> = (0..3).map(|_| server.get("/pid").ok()).collect();
        assert!(pids[0] != pids[1] && pids[1] != pids[2] && pids[0] != pids[2], "{pids:?}");
    }

    fn an_idle_process_is_replaced_by_one_that_has_loaded_nothing() {
        let server = group("threads=2 inactivity-timeout=1");
        let first = answering(&server);
        let loads = server.log_count("Loading WSGI script");
        let elapsed = first.wait_for_end();
        assert!(elapsed > Duration::from_millis(800), "{elapsed:?}");
        // The new one has served nothing: it stays.
        let ends = server.log_count("Exiting daemon process");
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(server.log_count("Exiting daemon process"), ends);
        assert_eq!(server.log_count("Loading WSGI script"), loads);
    }

    fn requests_keep_a_process_from_being_idle() {
        let server = group("threads=2 inactivity-timeout=2");
        let first = answering(&server);
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(700));
            assert_eq!(answering(&server), first);
        }
        let mut waiting = server.connect();
        waiting.request("GET", "/blocked?gate", &[], b"");
        server.wait_for_out("in-gate");
        std::thread::sleep(Duration::from_millis(2500));
        assert!(first.is_alive(), "a request runs");
        server.open_gate("gate");
        waiting.response().ok();
    }

    fn ignored_activity_does_not_keep_a_process() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 inactivity-timeout=2\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/timers.py\n\
             <Location /thread>\nWSGIIgnoreActivity On\n</Location>",
        )
        .start();
        let first = answering(&server);
        poll("the process to end while it is asked for its thread", || {
            server.get("/thread").ok();
            (!first.is_alive()).then_some(())
        });
    }

    fn an_interrupted_request_is_504_and_the_process_goes_on() {
        let server = group("threads=1 request-timeout=1 interrupt-timeout=20");
        server.allow_log("WSGI1220").expect_traceback("RequestTimeout");
        let first = answering(&server);
        let start = Instant::now();
        let answer = server.get("/busy?gate");
        assert_eq!(answer.status(), 504);
        assert!(start.elapsed() > Duration::from_millis(900), "{:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_millis(3500), "{:?}", start.elapsed());
        assert_eq!(answering(&server), first);
        server.wait_for_log("Request interrupted by RequestTimeout");
    }

    fn timers_hold_whatever_the_others_are_set_to() {
        ours!("nothing watches when deadlock-timeout and inactivity-timeout are 0");
        let server = group("threads=1 deadlock-timeout=0 request-timeout=1 interrupt-timeout=20");
        server.expect_traceback("WSGI1220");
        assert_eq!(server.get("/busy?gate").status(), 504);
    }

    fn a_process_that_was_looked_at_ends_as_every_other() {
        let server = group("threads=1 request-timeout=1 interrupt-timeout=20");
        server.allow_log("WSGI1220").expect_traceback("RequestTimeout");
        let process = answering(&server);
        server.get("/note_at_exit").ok();
        assert_eq!(server.get("/busy?gate").status(), 504);
        process.signal(libc::SIGTERM);
        let elapsed = process.wait_for_end();
        assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
        assert_eq!(server.out("at-exit"), "x");
    }

    fn an_interrupted_response_is_visibly_cut() {
        ours!("it ends the body as if it were complete");
        let server = group("threads=1 request-timeout=1 interrupt-timeout=20");
        server.expect_traceback("WSGI1220");
        let mut connection = server.connect();
        connection.request("GET", "/stream", &[], b"");
        assert_eq!(connection.final_head().status, 200);
        assert_eq!(connection.piece().unwrap().unwrap(), b"first");
        while connection.piece().unwrap().is_some() {}
        assert!(!connection.is_complete());
    }

    fn the_next_request_of_the_thread_is_not_interrupted() {
        let server = group("threads=1 request-timeout=1 interrupt-timeout=20");
        server.allow_log("WSGI1220").allow_log("File ").allow_log("    ");
        let mut waiting = server.connect();
        waiting.request("GET", "/blocked?gate", &[], b"");
        server.wait_for_out("in-gate");
        std::thread::sleep(Duration::from_millis(2500));
        // The exception is raised when the lock is released, at the end of the request or never.
        server.open_gate("gate");
        waiting.response();
        for _ in 0..20 {
            server.get("/pid").ok();
        }
    }

    fn more_threads_give_a_request_more_time() {
        let server = group("threads=5 request-timeout=1 interrupt-timeout=20");
        server.allow_log("WSGI1220").allow_log("File ").allow_log("    ");
        let start = Instant::now();
        assert_eq!(server.get("/busy?gate").status(), 504);
        // 1 + ln(5)
        assert!(start.elapsed() > Duration::from_millis(2500), "{:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_millis(5500), "{:?}", start.elapsed());
    }

    fn a_stuck_request_costs_its_process() {
        let server = group("threads=1 request-timeout=1 graceful-timeout=1 shutdown-timeout=1");
        server.allow_log("WSGI").allow_log("File ").allow_log("    ");
        let first = answering(&server);
        let mut stuck = server.connect();
        stuck.request("GET", "/blocked?gate", &[], b"");
        server.wait_for_out("in-gate");
        first.wait_for_end();
        assert_eq!(stuck.response().status(), 502);
        assert_ne!(answering(&server), first);
    }

    fn an_overdue_request_is_logged_with_its_stack() {
        ours!("it logs stacks only when the process ends");
        let server = group("threads=1 request-timeout=1 graceful-timeout=1 shutdown-timeout=1");
        server.expect_log("WSGI1221").allow_log("WSGI0146").expect_traceback("WSGI1220");
        let mut stuck = server.connect();
        stuck.request("GET", "/blocked?gate", &[], b"");
        let line = server.wait_for_log("WSGI1220").line;
        for text in ["'GET /blocked?gate'", "thread 1", "'app'", "has run for 1."] {
            assert!(line.contains(text), "{text} in {line}");
        }
        server.wait_for_log("in blocked");
        server.wait_for_log("    lock.acquire()");
        assert_eq!(stuck.response().status(), 502);
    }

    fn another_thread_takes_the_place_of_a_stuck_one() {
        ours!("its threads stay stuck until the process ends");
        let server = group("threads=1 request-timeout=1 graceful-timeout=20");
        server.expect_log("WSGI1221").expect_traceback("WSGI1220");
        let first = answering(&server);
        let mut stuck = server.connect();
        stuck.request("GET", "/blocked?gate", &[], b"");
        server.wait_for_out("in-gate");
        // The only thread is stuck: another one of the same process answers.
        assert!(["1", "2"].contains(&server.get("/thread").ok().as_str()));
        server.wait_for_log("another thread takes its place");
        // What nobody waits for does not hold up the replacement.
        let elapsed = first.wait_for_end();
        assert!(elapsed < Duration::from_secs(8), "{elapsed:?}");
        server.allow_log("WSGI0146");
        assert_eq!(stuck.response().status(), 502);
    }

    fn a_request_is_overdue_while_the_interpreter_is_held() {
        ours!("it knows nothing then");
        let server = group("threads=1 request-timeout=1 shutdown-timeout=1");
        server.allow_log("WSGI0146").expect_log("WSGI1220").expect_log("WSGI1221");
        let mut stuck = server.connect();
        stuck.request("GET", "/holds_the_interpreter", &[], b"");
        let line = server.wait_for_log("WSGI1220").line;
        assert!(line.contains("the interpreter lock is not free"), "{line}");
        assert_eq!(stuck.response().status(), 502);
        answering(&server);
    }

    fn a_process_whose_interpreter_is_held_is_replaced() {
        let server = group("threads=2 deadlock-timeout=1 shutdown-timeout=1");
        server.allow_log("WSGI0146").allow_log("WSGI0147").allow_log("WSGI1222");
        server.allow_log("Request in progress for");
        let first = answering(&server);
        let mut stuck = server.connect();
        stuck.request("GET", "/holds_the_interpreter", &[], b"");
        let elapsed = first.wait_for_end();
        assert!(elapsed < Duration::from_secs(6), "{elapsed:?}");
        assert_eq!(stuck.response().status(), 502);
        assert_ne!(answering(&server), first);
    }

    fn a_request_that_computes_is_no_deadlock() {
        ours!("threads of different interpreters do not let each other in before CPython 3.13");
        let server = group("threads=2 deadlock-timeout=1");
        let first = answering(&server);
        let mut computing = server.connect();
        computing.request("GET", "/computes", &[], b"");
        assert!(computing.response().ok().starts_with("computed"));
        assert!(first.is_alive() && server.log_count("deadlock_timeout") == 0);
    }

    fn who_holds_the_interpreter_is_in_the_log() {
        ours!("it says nothing about the cause");
        let server = group("threads=2 deadlock-timeout=1 shutdown-timeout=1");
        server.allow_log("WSGI0146").expect_log("WSGI1222").expect_log("Request in progress for");
        server.get("/pid").ok();
        assert_eq!(server.get("/holds_the_interpreter").status(), 502);
        server.wait_for_log("GET /holds_the_interpreter");
        server.wait_for_log("in holds_the_interpreter");
    }

    fn an_application_that_does_not_load_in_time_costs_its_process() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 startup-timeout=1 shutdown-timeout=1\n\
             WSGIProcessGroup app\nWSGIScriptAlias / @root@/slow.py",
        )
        .file(
            "slow.py",
            "import os, time\n\
             with open('@root@/out/loads', 'a') as loads: loads.write('x')\n\
             while os.stat('@root@/out/loads').st_size < 2: time.sleep(0.05)\n\
             def application(environ, start_response):\n\
             \x20   start_response('200 OK', [])\n\
             \x20   return [b'loaded']\n",
        )
        .start();
        server.allow_log("WSGI0146").allow_log("WSGI0147").allow_log("WSGI1223");
        assert_eq!(server.get("/").status(), 502);
        assert_eq!(server.get("/").ok(), "loaded");
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(server.get("/").ok(), "loaded");
        assert_eq!(server.out("loads"), "xx", "loaded is loaded");
    }

    fn an_application_that_fails_to_load_gets_a_fresh_process() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 startup-timeout=1\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/fails.py",
        )
        .file("fails.py", "import os\nraise ValueError(os.getpid())\n")
        .start();
        server.expect_traceback("ValueError").allow_log("WSGI0109").allow_log("WSGI1223");
        poll("another process", || {
            assert_eq!(server.get("/").status(), 500);
            let records = server.log();
            let raised = records.iter().filter_map(|record| record.line.split("ValueError: ").nth(1));
            let pids: std::collections::BTreeSet<&str> = raised.collect();
            (pids.len() > 1).then_some(())
        });
    }

    fn scripts_loaded_at_start_have_a_time_limit() {
        ours!("its timer does not run yet");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 startup-timeout=1 shutdown-timeout=1\n\
             WSGIProcessGroup app\nWSGIScriptAlias / @apps@/timers.py\n\
             WSGIImportScript @root@/hangs.py process-group=app application-group=%{GLOBAL}",
        )
        .file(
            "hangs.py",
            "import os, time\n\
             with open('@root@/out/loads', 'a') as loads: loads.write('x')\n\
             while os.stat('@root@/out/loads').st_size < 2: time.sleep(0.05)\n",
        )
        .start();
        server.expect_log("WSGI1223");
        server.get("/pid").ok();
        assert_eq!(server.out("loads"), "xx");
    }

    fn a_busy_group_says_so_once() {
        ours!("it says nothing");
        let server = group("threads=2");
        server.expect_log("WSGI1225");
        let mut waiting: Vec<_> = ["a", "b", "c"].iter().map(|_| server.connect()).collect();
        for (connection, gate) in waiting.iter_mut().zip(["a", "b", "c"]) {
            connection.request("GET", &format!("/blocked?{gate}"), &[], b"");
            if gate != "c" {
                server.wait_for_out(&format!("in-{gate}"));
            }
        }
        let line = server.wait_for_log("WSGI1225").line;
        for text in ["2 of 2 threads busy", "'GET /blocked?a' for ", " s, 1 queued"] {
            assert!(line.contains(text), "{text} in {line}");
        }
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(server.log_count("WSGI1225"), 1);
        ["a", "b", "c"].iter().for_each(|gate| server.open_gate(gate));
        waiting.iter_mut().for_each(|connection| assert_eq!(connection.response().status(), 200));
    }

    fn the_end_of_python_has_its_time_and_no_more() {
        for path in ["/hang_at_exit", "/endless_thread"] {
            let server = group("threads=2 shutdown-timeout=1");
            let pid = server.get(path).ok().parse().unwrap();
            let process = Process::of(pid).unwrap();
            process.signal(libc::SIGTERM);
            let elapsed = process.wait_for_end();
            assert!(elapsed < Duration::from_secs(3), "{path}: {elapsed:?}");
        }
    }

    fn an_idle_process_ends_at_once() {
        let server = group("threads=5 shutdown-timeout=10");
        let process = answering(&server);
        process.signal(libc::SIGTERM);
        let elapsed = process.wait_for_end();
        assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    }
}
