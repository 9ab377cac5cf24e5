//! Signals to a daemon process.

use crate::support::daemon::{self, answering};
use crate::support::{Httpd, original, poll};

fn group(options: &str) -> Httpd {
    daemon::serving("timers.py", options)
}

one! {
    fn a_process_asked_to_end_is_replaced() {
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGUSR1, libc::SIGXCPU] {
            let server = group("threads=2");
            let first = answering(&server);
            first.signal(signal);
            first.wait_for_end();
            assert_ne!(answering(&server), first, "signal {signal}");
        }
    }

    fn the_log_names_the_reason_of_the_signal() {
        ours!("its words differ");
        let server = group("threads=2");
        for (signal, reason) in [
            (libc::SIGUSR1, "eviction_signal"),
            (libc::SIGXCPU, "cpu_time_limit"),
            (libc::SIGTERM, "shutdown_signal"),
        ] {
            let process = answering(&server);
            process.signal(signal);
            process.wait_for_end();
            server.wait_for_log(&format!("Exiting daemon process 'app' ({reason})"));
        }
    }

    fn what_is_for_applications_does_not_end_the_process() {
        let server = group("threads=2");
        let first = answering(&server);
        for signal in [libc::SIGHUP, libc::SIGUSR2] {
            first.signal(signal);
            assert_eq!(answering(&server), first, "signal {signal}");
        }
    }

    fn an_evicted_process_finishes_its_requests() {
        let server = group("threads=2 eviction-timeout=10");
        let first = answering(&server);
        let mut waiting = server.connect();
        waiting.request("GET", "/blocked?gate", &[], b"");
        server.wait_for_out("in-gate");
        first.signal(libc::SIGUSR1);
        poll("the signal to be heard", || (server.log_count("eviction") > 0
            || server.log_count("Shutdown requested") > 0
            || original::is_original()).then_some(()));
        server.open_gate("gate");
        assert_eq!(waiting.response().ok(), "let through");
        first.wait_for_end();
    }

    fn eviction_has_a_time_limit_of_its_own() {
        let server = group("threads=2 eviction-timeout=1 shutdown-timeout=1 graceful-timeout=60");
        server.allow_log("WSGI0146").allow_log("WSGI0147");
        let first = answering(&server);
        let mut waiting = server.connect();
        waiting.request("GET", "/blocked?gate", &[], b"");
        server.wait_for_out("in-gate");
        first.signal(libc::SIGUSR1);
        first.wait_for_end();
        assert_eq!(waiting.response().status(), 502);
    }

    fn a_fatal_signal_leaves_stacks_and_urls() {
        ours!("it dies without a word");
        let server = group("threads=3");
        server.allow_log("WSGI0146");
        let mut waiting = server.connect();
        waiting.request("GET", "/blocked?gate", &[], b"");
        server.wait_for_out("in-gate");
        assert_eq!(server.get("/crash?now").status(), 502);
        server.wait_for_log("WSGI1224: Fatal signal 11 in daemon process 'app'");
        for text in ["GET /blocked?gate", "GET /crash?now", "in crash", "terminated by signal 11"] {
            server.wait_for_log(text);
        }
        // CPython 3.14 stops at a thread that ends while it shows them all.
        if server.log_count("<freed thread state>") == 0 {
            server.wait_for_log("in blocked");
        }
        assert_eq!(waiting.response().status(), 502);
    }

    fn an_exhausted_stack_leaves_them_too() {
        ours!("it dies without a word");
        let server = group("threads=1");
        server.allow_log("WSGI0146");
        let status = server.get("/overflow").status();
        if status == 500 {
            server.expect_traceback("RecursionError");
            original::skipped("this CPython counts recursion in C, as all do since 3.12");
            return;
        }
        assert_eq!(status, 502);
        server.wait_for_log("WSGI1224: Fatal signal 11 in daemon process 'app'");
        server.wait_for_log("GET /overflow");
        server.wait_for_log("in overflow");
    }
}
