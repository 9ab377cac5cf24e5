//! Tests of the worker with a host that is no Python.

use super::*;
use crate::{startup::Descriptors, state::Drain};
use std::{
    io::IoSlice,
    os::fd::OwnedFd,
    sync::atomic::{AtomicU32, Ordering},
};
use wsgi_core::{
    control::{EngineSpec, FromDaemon, GroupSpec, decode},
    exchange::{Exchange, Outcome, Pace},
    frame::{HEADER, Header, Kind, LAST},
    head::{RequestHead, RequestHeadBuilder, ResponseHead, flag},
    reason::Reason,
};
use wsgi_ipc::{
    scoreboard::{Slots, Started},
    socket::{self, Listener, connect, receive_exact, receive_packet, send_vectored},
};

const SLOTS: u32 = 6;

/// Does what the script path says.
#[derive(Debug, Default)]
struct Fake {
    served: AtomicU32,
    ended: AtomicU32,
}

impl Host for Fake {
    fn serve(
        &self,
        head: &RequestHead<'_>,
        exchange: &dyn Exchange,
        thread: u32,
        _taken: i64,
    ) -> Outcome {
        self.served.fetch_add(1, Ordering::Relaxed);
        let script = String::from_utf8_lossy(head.script).into_owned();
        if script == "stale" {
            return Outcome::Stale;
        }
        exchange.begin();
        if script == "stale in a new interpreter" {
            return Outcome::Stale;
        }
        if script == "fail" {
            return Outcome::Failed(503);
        }
        if script == "panic" {
            panic!("the test wants it");
        }
        let response = ResponseHead { status: 200, ..ResponseHead::default() };
        exchange.send_head(&response).unwrap();
        if script == "truncate" {
            exchange.write(b"some", Pace::More).unwrap();
            return Outcome::Truncated;
        }
        let mut buffer = [0u8; 5];
        loop {
            match exchange.read_body(&mut buffer).unwrap() {
                0 => break,
                length => exchange.write(&buffer[..length], Pace::More).unwrap(),
            }
        }
        exchange.log(Level::INFO, "note", None);
        exchange.write(format!("thread {thread}").as_bytes(), Pace::More).unwrap();
        Outcome::Completed
    }

    fn thread_end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

struct Setup {
    daemon: Daemon,
    address: OwnedFd,
    supervisor: OwnedFd,
    httpd: Slots,
    host: Fake,
}

fn spec() -> GroupSpec {
    GroupSpec {
        engine: EngineSpec { process_group: "tested".into(), ..EngineSpec::default() },
        processes: 1,
        threads: 2,
        shutdown_timeout: 5,
        socket_timeout: 2,
        slots: SLOTS,
        ..GroupSpec::default()
    }
}

fn setup(spec: GroupSpec) -> Setup {
    let listener = Listener::create(10).unwrap();
    let (supervisor, control) = socket::pair().unwrap();
    let slots = Slots::create(SLOTS).unwrap();
    let httpd = Slots::map(slots.as_fd(), SLOTS).unwrap();
    let listening = listener.socket;
    let descriptors = Descriptors { listener: listening, control, slots, questions: None };
    let daemon = Daemon::new(spec, 9, 2, descriptors).unwrap();
    Setup { daemon, address: listener.address, supervisor, httpd, host: Fake::default() }
}

impl Setup {
    fn request(&self, id: u64, script: &str, body: Option<&[u8]>) -> OwnedFd {
        let flags = if body.is_some() { flag::BODY } else { 0 };
        let mut head = RequestHead::empty();
        head.request_id = id;
        head.flags = flags;
        head.script = script.as_bytes();
        head.queue_start = 1;
        let bytes = RequestHeadBuilder::new().finish(&head);
        let header = Header::new(Kind::Request, id, bytes.len()).encode();
        let body = body.unwrap_or_default();
        let body_header = Header::new(Kind::Body, id, body.len()).with_flags(LAST).encode();
        let body_header = if flags == 0 { &[] } else { body_header.as_slice() };
        let parts = [header.as_slice(), &bytes, body_header, body].map(IoSlice::new);
        let connection = connect(self.address.as_fd()).unwrap();
        send_vectored(connection.as_fd(), &parts).unwrap();
        connection
    }

    /// Serves a request of a connection; where that is kept, if it is.
    fn serve(&self, connection: impl FnOnce(&mut Worker<'_>) -> Connection) -> Option<usize> {
        let member = self.daemon.leader.member(1, &self.daemon);
        let mut worker = Worker::new(&self.daemon, &self.host, 1).unwrap();
        let connection = connection(&mut worker);
        worker.serve(connection, &member)
    }

    fn serve_one(&self) {
        assert!(socket::poll_readable(self.daemon.listener.as_fd(), 10_000).unwrap());
        self.serve(|worker| worker.accept().unwrap());
    }

    fn answer(&self, id: u64, script: &str, body: Option<&[u8]>) -> Vec<(Kind, u16, Vec<u8>)> {
        let connection = self.request(id, script, body);
        self.serve_one();
        frames(&connection)
    }
}

fn frames(connection: &OwnedFd) -> Vec<(Kind, u16, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut bytes = [0u8; HEADER];
    while receive_exact(connection.as_fd(), &mut bytes).is_ok() {
        let header = Header::decode(&bytes).unwrap();
        let mut payload = vec![0u8; header.length as usize];
        receive_exact(connection.as_fd(), &mut payload).unwrap();
        frames.push((header.kind, header.value, payload));
    }
    frames
}

#[test]
fn a_request_with_a_small_body_is_answered_in_full() {
    let setup = setup(spec());
    let frames = setup.answer(77, "echo", Some(b"hello world, "));
    let kinds: Vec<Kind> = frames.iter().map(|frame| frame.0).collect();
    assert_eq!(kinds, [Kind::Log, Kind::Head, Kind::Data, Kind::End]);
    assert_eq!(frames[2].2, b"hello world, thread 2");
    assert_eq!(setup.httpd.find(77), Some(Started { epoch: 9, is_active: false }));
}

#[test]
fn every_other_end_of_a_request_has_its_frame() {
    let setup = setup(spec());
    let last = |script: &str| {
        let frames = setup.answer(5, script, None);
        frames.last().map(|frame| (frame.0, frame.1)).unwrap()
    };
    assert_eq!(last("fail"), (Kind::Fail, 503));
    assert_eq!(last("panic"), (Kind::Fail, 500));
    assert_eq!(last("truncate"), (Kind::Abort, 0));
    assert_eq!(last("echo"), (Kind::End, 0), "the thread goes on after all of them");
}

#[test]
fn repeated_internal_errors_replace_the_process() {
    let setup = setup(spec());
    for _ in 0..5 {
        setup.answer(5, "panic", None);
    }
    let (bytes, _) = receive_packet(setup.supervisor.as_fd(), 1000).unwrap().unwrap();
    let message = decode::<FromDaemon>(&bytes).unwrap();
    assert_eq!(message, FromDaemon::Retire(Reason::InternalErrors));
    assert!(!socket::poll_readable(setup.supervisor.as_fd(), 0).unwrap(), "told once");
    assert!(!setup.daemon.is_draining(), "it serves until another one is ready");
}

#[test]
fn a_stale_script_replaces_the_process_and_runs_nothing() {
    let setup = setup(spec());
    assert_eq!(setup.answer(6, "stale", None)[0].0, Kind::Requeue);
    assert_eq!(setup.httpd.find(6), None);
    assert_eq!(setup.daemon.drain(), Drain::Graceful);
    let (bytes, _) = receive_packet(setup.supervisor.as_fd(), 1000).unwrap().unwrap();
    assert_eq!(decode::<FromDaemon>(&bytes).unwrap(), FromDaemon::Stale);
    let served = setup.host.served.load(Ordering::Relaxed);
    assert_eq!(setup.answer(7, "echo", None)[0].0, Kind::Requeue, "a draining process");
    assert_eq!(setup.host.served.load(Ordering::Relaxed), served);
}

#[test]
fn a_request_that_only_got_its_interpreter_may_run_elsewhere() {
    let setup = setup(spec());
    assert_eq!(setup.answer(6, "stale in a new interpreter", None)[0].0, Kind::Requeue);
    assert_eq!(setup.httpd.find(6), None, "it counts as begun no more");
}

#[test]
fn a_request_that_has_waited_too_long_is_not_run() {
    let setup = setup(GroupSpec { queue_timeout: 1, ..spec() });
    let frames = setup.answer(8, "echo", None);
    assert_eq!(frames.last().map(|frame| (frame.0, frame.1)), Some((Kind::Fail, 504)));
    assert!(String::from_utf8_lossy(&frames[0].2).starts_with("WSGI0084: "));
    assert_eq!(setup.httpd.find(8), None);
}

#[test]
fn malformed_requests_close_the_connection() {
    let setup = setup(spec());
    let too_small = Header::new(Kind::Request, 1, 3).encode();
    let cases: [&[u8]; 4] = [
        &[0xff; HEADER],
        &Header::new(Kind::Body, 1, 0).encode(),
        &[too_small.as_slice(), b"abc"].concat(),
        &Header::new(Kind::Request, 1, 100).encode(),
    ];
    for bytes in cases {
        let connection = connect(setup.address.as_fd()).unwrap();
        send_vectored(connection.as_fd(), &[IoSlice::new(bytes)]).unwrap();
        rustix::net::shutdown(&connection, rustix::net::Shutdown::Write).unwrap();
        setup.serve_one();
        assert!(frames(&connection).is_empty());
    }
    assert_eq!(setup.host.served.load(Ordering::Relaxed), 0);
}

#[test]
fn a_head_beyond_the_buffer_arrives_whole() {
    let setup = setup(spec());
    let script = "x".repeat(300_000);
    let frames = std::thread::scope(|scope| {
        let client = scope.spawn(|| frames(&setup.request(3, &script, None)));
        setup.serve_one();
        client.join().unwrap()
    });
    assert_eq!(frames.last().unwrap().0, Kind::End);
}

#[test]
fn idle_workers_leave_when_the_process_drains() {
    let setup = setup(spec());
    crate::signals::install(setup.daemon.wake.as_fd()).unwrap();
    std::thread::scope(|scope| {
        for index in 0..2 {
            let (daemon, host) = (&setup.daemon, &setup.host);
            scope.spawn(move || Worker::new(daemon, host, index).unwrap().run());
        }
        let connection = setup.request(4, "echo", None);
        assert_eq!(frames(&connection).last().unwrap().0, Kind::End);
        setup.daemon.begin_drain(Drain::Graceful, Reason::GracefulSignal);
        while setup.host.ended.load(Ordering::Relaxed) < 2 {
            setup.daemon.workers.iter().filter_map(|worker| worker.waiting()).for_each(|thread| {
                crate::signals::kick(thread);
            });
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// A kept connection of which something has been reported, and httpd's end.
fn reported(setup: &Setup) -> (Connection, OwnedFd) {
    let (ours, httpd) = socket::stream_pair().unwrap();
    let connection = Connection::new(TimedStream::new(ours, 60), 1);
    setup.daemon.kept.keep(connection).unwrap();
    send_vectored(httpd.as_fd(), &[IoSlice::new(b"x")]).unwrap();
    let Next::Serve(connection) = setup.daemon.kept.wait().unwrap() else { unreachable!() };
    assert_eq!(connection.stream.receive(&mut [0; 9]).unwrap(), 1);
    (connection, httpd)
}

#[test]
fn a_kept_connection_without_a_request_stays() {
    let setup = setup(spec());
    let (connection, _httpd) = reported(&setup);
    assert!(setup.serve(|_| connection).is_some(), "what was reported was the last request's");
}

#[test]
fn a_kept_connection_may_end_with_an_answer_that_nobody_reads() {
    let setup = setup(spec());
    let (connection, httpd) = reported(&setup);
    connection.stream.send(&[IoSlice::new(b"answer")]).unwrap();
    drop(httpd);
    let mut buffer = vec![0; 9];
    let received = crate::serving::receive_request(&connection, &mut buffer).unwrap();
    assert!(matches!(received, crate::serving::Received::End));
    assert!(setup.serve(|_| connection).is_none());
}

#[test]
fn new_connections_and_kept_ones_take_turns() {
    let setup = setup(spec());
    let kept = &setup.daemon.kept;
    let mut worker = Worker::new(&setup.daemon, &setup.host, 1).unwrap();
    let httpd = [0; 3].map(|_| {
        let (ours, httpd) = socket::stream_pair().unwrap();
        kept.keep(Connection::new(TimedStream::new(ours, 60), 1)).unwrap();
        httpd
    });
    let _new = [0; 9].map(|_| connect(setup.address.as_fd()).unwrap());
    let accepted = (0..12).filter(|_| {
        // All of them have a request, all the time.
        for end in &httpd {
            send_vectored(end.as_fd(), &[IoSlice::new(b"x")]).unwrap();
        }
        let connection = worker.await_connection().unwrap();
        if connection.is_kept() {
            connection.stream.receive(&mut [0; 99]).unwrap();
            kept.keep(connection).unwrap();
            return false;
        }
        kept.close(connection);
        true
    });
    assert!((5..=7).contains(&accepted.count()));
}
