//! Tests of kept connections.

use super::*;
use std::{fs, io::IoSlice, os::fd::OwnedFd, sync::mpsc, thread, time::Duration};
use wsgi_ipc::{
    process,
    socket::{Listener, connect, poll_readable, receive_exact, send_vectored, stream_pair},
};

struct Rig {
    kept: Kept,
    listener: Listener,
}

fn rig(count: usize) -> Rig {
    let listener = Listener::create(4).unwrap();
    let kept = Kept::new(count, 0).unwrap();
    kept.queue_up(listener.socket.as_fd()).unwrap();
    Rig { kept, listener }
}

fn connection() -> (Connection, OwnedFd) {
    let (left, right) = stream_pair().unwrap();
    (Connection::new(TimedStream::new(left, 1), 0), right)
}

fn write(httpd: &OwnedFd) {
    send_vectored(httpd.as_fd(), &[IoSlice::new(b"x")]).unwrap();
}

fn read(connection: &Connection) -> usize {
    connection.stream.receive(&mut [0; 9]).unwrap()
}

fn served(next: Next) -> Connection {
    match next {
        Next::Serve(connection) => connection,
        Next::Accept => panic!("no kept connection"),
    }
}

fn is_ready(kept: &Kept) -> bool {
    poll_readable(kept.descriptor(), 0).unwrap()
}

#[test]
fn new_connections_and_requests_on_kept_ones_end_the_wait() {
    let Rig { kept, listener } = rig(1);
    let _client = connect(listener.address.as_fd()).unwrap();
    assert!(matches!(kept.wait().unwrap(), Next::Accept));
    socket::accept(listener.socket.as_fd()).unwrap();
    let (connection, httpd) = connection();
    assert!(!connection.is_kept());
    kept.keep(connection).unwrap();
    assert!(!is_ready(&kept));
    for _ in 0..2 {
        write(&httpd);
        let connection = served(kept.wait().unwrap());
        assert!(connection.is_kept());
        assert_eq!(read(&connection), 1);
        write(&httpd);
        assert_eq!(read(&connection), 1);
        kept.keep(connection).unwrap();
    }
    drop(httpd);
    let connection = served(kept.wait().unwrap());
    assert_eq!(read(&connection), 0);
    kept.close(connection);
}

/// Which of two processes takes a connection if the one of that number was the last to queue up.
fn taken_by(last: usize) -> usize {
    let listener = Listener::create(4).unwrap();
    let both = [0, 1].map(|_| Kept::new(0, 0).unwrap());
    for index in [0, 1, last] {
        both[index].queue_up(listener.socket.as_fd()).unwrap();
    }
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for (index, kept) in both.iter().enumerate() {
            let (tell, listener) = (tell.clone(), &listener);
            scope.spawn(move || {
                let thread = rustix::thread::gettid().as_raw_nonzero().get();
                tell.send(usize::try_from(thread).unwrap()).unwrap();
                assert!(matches!(kept.wait().unwrap(), Next::Accept));
                socket::accept(listener.socket.as_fd()).unwrap();
                tell.send(index).unwrap();
            });
        }
        for thread in [told.recv().unwrap(), told.recv().unwrap()] {
            while !process::sleeps(i32::try_from(thread).unwrap()) {
                thread::yield_now();
            }
        }
        let [first, second] = [0, 1].map(|_| {
            let client = connect(listener.address.as_fd()).unwrap();
            let taken_by = told.recv().unwrap();
            drop(client);
            taken_by
        });
        assert_ne!(first, second);
        first
    })
}

#[test]
fn who_has_queued_up_last_takes_a_connection_last() {
    assert_eq!([taken_by(0), taken_by(1)], [1, 0]);
}

#[test]
fn what_comes_while_another_thread_waits_is_not_lost() {
    let Rig { kept, .. } = rig(2);
    let (first, httpd) = connection();
    let (second, other) = connection();
    kept.keep(first).unwrap();
    kept.keep(second).unwrap();
    write(&httpd);
    let first = served(kept.wait().unwrap());
    assert_eq!(read(&first), 1);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| served(kept.wait().unwrap()));
        // It is reported to a thread that can do nothing with it.
        write(&httpd);
        while is_ready(&kept) {
            thread::yield_now();
        }
        let place = kept.keep(first).unwrap();
        kept.look_again(place);
        assert_eq!(waiting.join().unwrap().place, Some(place));
    });
    drop(other);
}

/// How often a thread of this process has gone to sleep.
fn naps(thread: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
    let mut lines = status.lines();
    lines
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn the_thread_that_waits_sleeps_on_when_httpd_takes_an_answer() {
    let Rig { kept, .. } = rig(1);
    let (connection, httpd) = connection();
    connection.stream.send(&[IoSlice::new(b"an answer")]).unwrap();
    kept.keep(connection).unwrap();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            served(kept.wait().unwrap())
        });
        let thread = told.recv().unwrap();
        while !process::sleeps(thread) {
            std::thread::yield_now();
        }
        let before = naps(thread);
        receive_exact(httpd.as_fd(), &mut [0; 9]).unwrap();
        // Long enough for a thread that is woken to look and to sleep again.
        std::thread::sleep(Duration::from_millis(20));
        assert!(process::sleeps(thread));
        assert_eq!(naps(thread), before);
        write(&httpd);
        assert_eq!(read(&waiting.join().unwrap()), 1);
    });
}

#[test]
fn connections_beyond_the_room_are_closed() {
    let Rig { kept, .. } = rig(1);
    let (first, httpd) = connection();
    let (second, other) = connection();
    kept.keep(first).unwrap();
    kept.close(kept.keep(second).unwrap_err());
    assert!(poll_readable(other.as_fd(), 0).unwrap(), "its end");
    assert_eq!(kept.close_waiting(), 1);
    assert!(poll_readable(httpd.as_fd(), 0).unwrap(), "its end");
    assert_eq!(kept.close_waiting(), 0);
    assert_eq!(kept.keep(connection().0).unwrap(), 0, "the place is free again");
}

#[test]
fn a_process_without_descriptors_has_one_for_a_connection_that_waits() {
    let Rig { kept, listener } = rig(0);
    let _client = connect(listener.address.as_fd()).unwrap();
    assert!(is_ready(&kept));
    kept.use_reserve(listener.socket.as_fd()).unwrap();
    assert!(kept.reserve().is_none() && !is_ready(&kept), "others are woken for the next ones");
    kept.queue_up(listener.socket.as_fd()).unwrap();
    assert!(kept.reserve().is_some() && is_ready(&kept));
}
