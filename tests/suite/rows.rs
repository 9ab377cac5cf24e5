//! What the client sees when something fails between httpd and a daemon, and what becomes of requests
//! in flight and in the queue when a process ends. Each row is a test, here or where its matter is
//! tested:
//!
//! | failure | test |
//! |---|---|
//! | group not in WSGIRestrictProcess | `restrict` |
//! | unknown group | `mapping::an_unknown_process_group_is_500` |
//! | group of another virtual host | `mapping::a_group_of_another_virtual_host_is_500` |
//! | script-user, script-group | `ownership` |
//! | no socket | `a_child_without_descriptors_answers_503` |
//! | queue full for connect-timeout | `a_full_queue_is_503_after_connect_timeout` |
//! | request cannot be sent; told to go elsewhere | `reload`, `regression::a_large_head_waits_…` |
//! | queue-timeout | `a_request_that_waits_too_long_is_504` |
//! | client stops sending | `input::a_stalled_upload_ends_at_the_read_timeout` |
//! | daemon stops reading | `input::an_application_may_answer_before_it_reads` |
//! | daemon dies while it reads | `a_daemon_that_dies_during_an_upload_is_502` |
//! | no headers within socket-timeout | `silence_for_socket_timeout_is_504` |
//! | daemon ends before the headers | `deaths::the_request_in_flight_of_a_killed_daemon_is_502` |
//! | header too long | `a_header_longer_than_its_buffer_is_500` |
//! | application fails before the headers | `faults` |
//! | RequestTimeout before the headers, after them | `timers::an_interrupted_…` |
//! | daemon dies in the body | `deaths::a_body_cut_by_a_dying_daemon_…` |
//! | client leaves | `output::an_abort_while_iterating_ends_the_loop_and_closes` |
//! | client does not read | `a_client_that_does_not_read_is_given_up` |
//! | WSGIErrorOverride | `start_response::error_override_shows_httpds_error_page` |
//!
//! | end of the process | in flight | queued |
//! |---|---|---|
//! | SIGTERM | `a_process_asked_to_end_finishes_its_requests`, `…_cuts_what_is_late` | `the_queue_of_a_process_asked_to_end_…` |
//! | script reload | `reload::a_request_in_flight_survives_…` | `storm::thirty_changes_…` |
//! | SIGUSR1 | `signals::an_evicted_process_finishes_its_requests` | `the_queue_of_a_process_asked_to_end_…` |
//! | maximum-requests | `a_process_that_is_recycled_finishes_its_requests` | `timers::no_request_fails_…` |
//! | graceful restart | `storm::graceful_restarts_under_load_cut_no_request` | `the_queue_survives_a_graceful_restart` |
//! | restart | `storm::restart_and_stop_end_…` | `a_restart_cuts_requests_and_goes_on` |
//! | crash | `deaths::the_request_in_flight_…` | `deaths::requests_not_yet_taken_…` |

use std::thread;
use std::time::{Duration, Instant};

use crate::support::daemon::{self, answering};
use crate::support::http::Connection;
use crate::support::{Httpd, load, poll};

/// A server with the process application in a group `app` with these options.
fn group(options: &str) -> Httpd {
    daemon::serving("process.py", options)
}

/// A request that a thread has begun and that ends when `gate` opens.
#[track_caller]
fn in_flight(server: &Httpd, gate: &str) -> Connection {
    let mut connection = server.connect();
    connection.request("GET", &format!("/wait?{gate}"), &[], b"");
    server.wait_for_out(&format!("in-{gate}"));
    connection
}

/// Requests that no thread is free for.
fn queued(server: &Httpd, count: usize) -> Vec<Connection> {
    let mut all: Vec<_> = (0..count).map(|_| server.connect()).collect();
    all.iter_mut().for_each(|connection| connection.request("GET", "/pid", &[], b""));
    // httpd says nothing when it has passed them on.
    thread::sleep(Duration::from_millis(150));
    all
}

/// The process that answers each of them.
#[track_caller]
fn pids(requests: Vec<Connection>) -> Vec<i32> {
    requests.into_iter().map(|mut one| one.response().ok().parse().expect("a number")).collect()
}

one! {
    fn a_child_without_descriptors_answers_503() {
        needs_threads!("a child has one client");
        ours!("it answers 500");
        let server = daemon::configured("process.py", "threads=1").one_child().start();
        server.expect_log("WSGI0117");
        server.get("/pid").ok();
        let children = server.processes_named("httpd.conf");
        let child = children.iter().find(|one| one.parent() == server.pid()).expect("a child");
        let mut first = server.connect();
        let mut second = server.connect();
        first.request("GET", "/pid", &[], b"");
        second.request("GET", "/pid", &[], b"");
        first.response().ok();
        second.response().ok();
        // Their connections are accepted: what lacks a descriptor is the way to the daemon.
        child.set_limit("nofile", "3:");
        first.request("GET", "/pid", &[], b"");
        let refused = first.response();
        child.set_limit("nofile", "1024:");
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.header("retry-after"), Some("1"));
        second.request("GET", "/pid", &[], b"");
        second.response().ok();
    }

    fn a_full_queue_is_503_after_connect_timeout() {
        let server = group("threads=1 listen-backlog=1 connect-timeout=1");
        server.expect_log("WSGI0116");
        server.get("/pid").ok();
        let mut running = in_flight(&server, "gate");
        let start = Instant::now();
        let (port, more) = (server.port(), 6);
        let answers: Vec<_> = thread::scope(|scope| {
            let asked: Vec<_> =
                (0..more).map(|_| scope.spawn(move || load::ask(port, "/pid"))).collect();
            server.wait_for_log("WSGI0116");
            assert!(start.elapsed() > Duration::from_millis(900), "{:?}", start.elapsed());
            thread::sleep(Duration::from_millis(300));
            server.open_gate("gate");
            asked.into_iter().map(|one| one.join().unwrap()).collect()
        });
        running.response().ok();
        let refused = answers.iter().filter(|one| **one == Some(503)).count();
        let served = answers.iter().filter(|one| **one == Some(200)).count();
        assert!(refused >= 1 && served >= 1 && refused + served == more, "{answers:?}");
    }

    fn a_request_that_waits_too_long_is_504() {
        let server = group("threads=1 queue-timeout=1");
        server.expect_log("WSGI0084");
        server.get("/pid").ok();
        let mut running = in_flight(&server, "gate");
        let mut waiting = queued(&server, 2);
        thread::sleep(Duration::from_millis(1900));
        server.open_gate("gate");
        running.response().ok();
        for one in &mut waiting {
            assert_eq!(one.response().status(), 504);
        }
        server.get("/pid").ok();
    }

    fn silence_for_socket_timeout_is_504() {
        let server = group("threads=2 socket-timeout=1");
        server.expect_log("WSGI0145").allow_log("WSGI");
        let mut running = in_flight(&server, "gate");
        let start = Instant::now();
        assert_eq!(running.response().status(), 504);
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        server.open_gate("gate");
        server.get("/pid").ok();
    }

    fn a_daemon_that_dies_during_an_upload_is_502() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2\nWSGIProcessGroup app\nWSGIScriptAlias / @root@/app.py",
        )
        .file("app.py", "import os\n\ndef application(environ, start_response):\n    \
                         environ['wsgi.input'].read(5)\n    \
                         if environ['PATH_INFO'] == '/dies':\n        os.kill(os.getpid(), 9)\n    \
                         start_response('200 OK', [])\n    return [b'read']\n")
        .start();
        server.allow_log("WSGI0146").allow_log("WSGI0147").allow_log("WSGI0127");
        server.allow_log("WSGI0129");
        assert_eq!(server.post("/", b"hello").ok(), "read");
        // More than all buffers on the way hold.
        assert_eq!(server.post("/dies", &vec![b'x'; 5_000_000]).status(), 502);
        assert_eq!(server.post("/", b"hello").ok(), "read");
    }

    fn a_header_longer_than_its_buffer_is_500() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 header-buffer-size=8192\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/app.py",
        )
        .file("app.py", "def application(environ, start_response):\n    \
                         size = int(environ['QUERY_STRING'])\n    \
                         start_response('200 OK', [('X-Long', 'x' * size)])\n    return [b'sent']\n")
        .start();
        server.expect_log("WSGI0144").allow_log("WSGI0198");
        assert_eq!(server.get("/?8000").ok(), "sent");
        for _ in 0..3 {
            assert_eq!(server.get("/?9000").status(), 500);
        }
        assert_eq!(server.get("/?8000").ok(), "sent");
    }

    fn a_client_that_does_not_read_is_given_up() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1 response-socket-timeout=1\nWSGIProcessGroup app\n\
             SendBufferSize 16384\nWSGIScriptAlias / @apps@/output.py",
        )
        .start();
        server.allow_log("AH").allow_log("WSGI0118").allow_log("WSGI0120").allow_log("OSError");
        server.allow_log("WSGI0174").allow_log("WSGI0119");
        let mut deaf = server.connect();
        deaf.request("GET", "/large_blocks?200", &[], b"");
        deaf.final_head();
        // The only thread of the group serves again.
        let start = Instant::now();
        server.get("/one_block").ok();
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        poll("the record of the access log", || {
            let lines = server.access_log();
            lines.iter().any(|line| line.starts_with("GET /large_blocks 200")).then_some(())
        });
        deaf.reset();
    }

    fn a_process_asked_to_end_finishes_its_requests() {
        let server = group("threads=2 shutdown-timeout=10");
        let first = answering(&server);
        let mut running = in_flight(&server, "gate");
        first.signal(libc::SIGTERM);
        server.wait_for_log("Shutdown requested");
        server.open_gate("gate");
        assert_eq!(running.response().ok(), format!("waited in {}", first.pid));
        assert_ne!(answering(&server), first);
    }

    fn a_process_asked_to_end_cuts_what_is_late() {
        let server = group("threads=2 shutdown-timeout=1");
        server.allow_log("WSGI0146").allow_log("WSGI0147");
        let first = answering(&server);
        let mut running = in_flight(&server, "gate");
        first.signal(libc::SIGTERM);
        let start = Instant::now();
        assert_eq!(running.response().status(), 502);
        assert!(start.elapsed() > Duration::from_millis(900), "{:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        assert_ne!(answering(&server), first);
    }

    fn the_queue_of_a_process_asked_to_end_is_served_by_the_next() {
        for signal in [libc::SIGTERM, libc::SIGUSR1] {
            let server = group("threads=1 shutdown-timeout=10 eviction-timeout=10");
            let first = answering(&server);
            let mut running = in_flight(&server, "gate");
            let waiting = queued(&server, 4);
            first.signal(signal);
            if signal == libc::SIGTERM {
                server.wait_for_log("Shutdown requested");
            } else {
                thread::sleep(Duration::from_millis(200));
            }
            server.open_gate("gate");
            running.response().ok();
            let pids = pids(waiting);
            if signal == libc::SIGTERM {
                assert!(!pids.contains(&first.pid), "{pids:?} of {}", first.pid);
            }
            first.wait_for_end();
            assert_ne!(answering(&server), first);
        }
    }

    fn a_process_that_is_recycled_finishes_its_requests() {
        let server = group("threads=2 maximum-requests=4 graceful-timeout=10");
        let first = answering(&server);
        let mut running = in_flight(&server, "gate");
        for _ in 0..6 {
            server.get("/pid").ok();
        }
        server.open_gate("gate");
        assert_eq!(running.response().ok(), format!("waited in {}", first.pid));
        poll("the process to be replaced", || (answering(&server) != first).then_some(()));
    }

    fn the_queue_survives_a_graceful_restart() {
        ours!("it kills daemons and unlinks their socket");
        let server = group("threads=1");
        server.allow_log("AH00045");
        let first = answering(&server);
        let mut running = in_flight(&server, "gate");
        let waiting = queued(&server, 4);
        server.graceful();
        // Served by the new process, although the first one is still busy.
        let pids = pids(waiting);
        assert!(!pids.contains(&first.pid), "{pids:?} of {}", first.pid);
        server.open_gate("gate");
        assert_eq!(running.response().ok(), format!("waited in {}", first.pid));
    }

    fn a_restart_cuts_requests_and_goes_on() {
        needs_threads!("a client may not have been accepted");
        ours!("httpd waits ten seconds for the child that relays");
        let server = group("threads=1 shutdown-timeout=1");
        server.allow_log("WSGI0146").allow_log("WSGI0119").allow_log("AH00045");
        let mut running = in_flight(&server, "gate");
        let mut waiting = queued(&server, 2);
        let before = server.log_count("resuming normal");
        let start = Instant::now();
        server.signal(libc::SIGHUP);
        for one in waiting.iter_mut().chain([&mut running]) {
            assert!(one.try_response().unwrap().is_none(), "answered by a child that was ended");
        }
        poll("the restart", || (server.log_count("resuming normal") > before).then_some(()));
        server.get("/pid").ok();
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}
