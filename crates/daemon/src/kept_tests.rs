//! Tests of kept connections.

use super::*;
use std::{io::IoSlice, os::fd::OwnedFd, sync::mpsc, thread};
use wsgi_ipc::process;
use wsgi_ipc::socket::{Listener, connect, poll_readable, send_vectored, stream_pair};

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
