//! Connections to daemons that httpd keeps: used again, given up when nobody would wait for the next
//! request, never a request's loss. And the one thread that waits for them.

use std::{
    collections::BTreeSet,
    fmt::Write,
    thread,
    time::{Duration, Instant},
};

use crate::support::http::Connection;
use crate::support::process::Process;
use crate::support::{Httpd, daemon, poll};

fn group(options: &str) -> Httpd {
    daemon::configured("process.py", options).one_child().start()
}

/// Sends `count` requests of `target` at once, each on its own connection, and gives the time
/// until all have their answer.
#[track_caller]
fn at_once(server: &Httpd, count: usize, target: &str) -> Duration {
    let start = Instant::now();
    let mut connections: Vec<_> = (0..count).map(|_| server.connect()).collect();
    connections.iter_mut().for_each(|connection| connection.request("GET", target, &[], b""));
    connections.into_iter().for_each(|mut connection| drop(connection.response().ok()));
    start.elapsed()
}

/// Leaves as many kept connections as the group allows.
fn warm(server: &Httpd, count: usize) {
    for _ in 0..3 {
        at_once(server, count, "/nap?20");
    }
}

/// How many requests each of `clients` got answered within `time`, one after the other on its
/// connection.
fn closed_loops(port: u16, clients: usize, time: Duration, target: &str) -> Vec<usize> {
    let end = Instant::now() + time;
    let client = || {
        let mut answered = 0;
        let mut connection = Connection::open(port);
        while Instant::now() < end {
            connection.request("GET", target, &[], b"");
            connection.response().ok();
            answered += 1;
        }
        answered
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        running.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

one! {
    fn a_connection_serves_one_request_after_the_other() {
        needs_threads!("children keep no connections");
        ours!("it connects for every request");
        let server = group("threads=3");
        warm(&server, 2);
        let seen: BTreeSet<String> = (0..20).map(|_| server.get("/sockets").ok()).collect();
        assert_eq!(seen.len(), 1, "{seen:?}");
    }

    fn quick_requests_are_served_by_one_thread() {
        needs_threads!("children keep no connections");
        ours!("any thread may take a request");
        let server = group("threads=4");
        let mut connections = [server.connect(), server.connect()];
        // Where the machine has other work, one of them may take long.
        poll("one thread for twenty requests", || {
            let threads = (0..20).map(|number: usize| {
                let connection = &mut connections[number % 2];
                connection.request("GET", "/thread", &[], b"");
                connection.response().ok()
            });
            (threads.collect::<BTreeSet<_>>().len() == 1).then_some(())
        });
    }

    fn a_request_that_waits_holds_up_no_other() {
        needs_threads!("the only child has one request at a time");
        let server = group("threads=3");
        let (mut waiting, mut quick) = (server.connect(), server.connect());
        for _ in 0..3 {
            waiting.request("GET", "/nap?600", &[], b"");
            let start = Instant::now();
            for _ in 0..10 {
                quick.request("GET", "/pid", &[], b"");
                quick.response().ok();
            }
            assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
            waiting.response().ok();
        }
    }

    fn a_single_thread_stays_free_for_everybody() {
        let server = group("threads=1");
        for _ in 0..5 {
            server.get("/pid").ok();
        }
        assert!(at_once(&server, 6, "/nap?30") < Duration::from_secs(2));
    }

    fn idle_threads_with_kept_connections_take_what_is_new() {
        needs_threads!("children keep no connections");
        let server = group("threads=4");
        warm(&server, 4);
        // Only the threads at the listener would take these one after the other.
        let times: Vec<_> = (0..5).map(|_| at_once(&server, 4, "/nap?200")).collect();
        // A busy machine may have other work for some of them.
        let quick = times.iter().filter(|time| **time < Duration::from_millis(390));
        assert!(quick.count() >= 3, "{times:?}");
    }

    fn more_clients_than_threads_all_progress_alike() {
        let group = daemon::configured("process.py", "threads=15");
        let server = group.many_clients().start();
        // All threads are busy for longer than a second.
        server.allow_log("WSGI1225");
        warm(&server, 4);
        let answered = closed_loops(server.port(), 25, Duration::from_secs(3), "/nap?100");
        let (fewest, most) = (answered.iter().min().unwrap(), answered.iter().max().unwrap());
        assert!(*fewest * 2 >= *most, "{answered:?}");
    }

    fn connections_are_spread_over_the_processes() {
        needs_threads!("children keep no connections");
        ours!("it keeps none");
        let server = group("processes=2 threads=8");
        warm(&server, 4);
        // The process that was ready first may have all of them at first, but not for ever.
        poll("answers of both processes at once", || {
            let mut connections: Vec<_> = (0..4).map(|_| server.connect()).collect();
            for connection in &mut connections {
                connection.request("GET", "/nap?50", &[], b"");
            }
            let answers = connections.iter_mut().map(|connection| connection.response().ok());
            (answers.collect::<BTreeSet<_>>().len() == 2).then_some(())
        });
    }

    fn kept_connections_leave_descriptors_for_requests() {
        needs_threads!("children keep no connections");
        let mut lines = String::new();
        for group in 0..40 {
            writeln!(lines, "WSGIDaemonProcess g{group} threads=10").unwrap();
            writeln!(lines, "WSGIScriptAlias /a{group} @apps@/process.py process-group=g{group}")
                .unwrap();
        }
        let server = Httpd::with(&lines).one_child().most_files(120).start();
        for group in 0..40 {
            at_once(&server, 10, &format!("/a{group}/nap?50"));
        }
    }

    fn a_killed_process_loses_no_request_on_its_kept_connections() {
        let server = group("processes=2 threads=4");
        warm(&server, 6);
        for _ in 0..4 {
            let victim = Process::of(server.get("/pid").ok().parse().unwrap()).unwrap();
            victim.signal(libc::SIGKILL);
            victim.wait_for_end();
            for _ in 0..8 {
                server.get("/pid").ok();
            }
        }
    }

    fn a_body_that_is_not_read_ends_the_connection_and_nothing_else() {
        let server = group("threads=3");
        warm(&server, 2);
        for _ in 0..5 {
            let pid = server.post("/pid", &[b'x'; 3000]).ok();
            assert_eq!(server.get("/pid").ok(), pid);
        }
    }
}
