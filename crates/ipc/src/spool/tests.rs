//! A tap between a sender and an owner that is slow.

use std::{fs::File, io::IoSlice, sync::mpsc, thread};

use super::*;
use crate::socket::{receive_with_descriptors, send_vectored, send_with_descriptor, stream_pair};

const LIMITS: Limits =
    Limits { memory: 64 << 10, file: 1 << 30, make_file: TemporaryFile::in_memory };

fn pair() -> (Arc<OwnedFd>, OwnedFd) {
    let (own, peer) = stream_pair().unwrap();
    (Arc::new(own), peer)
}

/// Reads everything as an owner does.
fn read_all(tap: &Tap, socket: &OwnedFd) -> (Vec<u8>, Vec<OwnedFd>) {
    let (mut all, mut descriptors, mut buffer) = (Vec::new(), Vec::new(), vec![0; 10_000]);
    loop {
        let length = match tap.receive(&mut buffer, &mut descriptors) {
            Some(length) => length.unwrap(),
            None => {
                receive_with_descriptors(socket.as_fd(), &mut buffer, &mut descriptors).unwrap()
            }
        };
        if length == 0 {
            return (all, descriptors);
        }
        all.extend_from_slice(&buffer[..length]);
    }
}

#[test]
fn a_sender_does_not_wait_for_an_owner_that_waits() {
    let (own, peer) = pair();
    let tap = Tap::new(Arc::clone(&own), LIMITS);
    let body: Vec<u8> = (0..5_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
    let expected = body.clone();
    let (done, is_done) = mpsc::channel();
    let sender = thread::spawn(move || {
        send_vectored(peer.as_fd(), &[IoSlice::new(&body)]).unwrap();
        done.send(()).unwrap();
    });
    tap.wait(|| is_done.recv_timeout(Duration::from_secs(20)).unwrap());
    sender.join().unwrap();
    assert!(tap.is_ready());
    assert!(read_all(&tap, &own).0 == expected);
    assert!(tap.take_trouble().is_none());
}

#[test]
fn a_sender_waits_when_no_more_may_be_stored() {
    let (own, peer) = pair();
    let tap = Tap::new(Arc::clone(&own), Limits { file: 100_000, ..LIMITS });
    let sender = thread::spawn(move || {
        send_vectored(peer.as_fd(), &[IoSlice::new(&vec![7; 5_000_000])]).unwrap();
    });
    tap.wait(|| thread::sleep(Duration::from_millis(300)));
    assert!(!sender.is_finished(), "more than the limit was stored");
    assert_eq!(read_all(&tap, &own).0.len(), 5_000_000);
    sender.join().unwrap();
}

#[test]
fn without_room_for_a_file_nothing_is_lost_and_it_is_told() {
    let (own, peer) = pair();
    let no_file = || Err(io::Error::from(io::ErrorKind::StorageFull));
    let tap = Tap::new(Arc::clone(&own), Limits { make_file: no_file, ..LIMITS });
    let sender = thread::spawn(move || {
        send_vectored(peer.as_fd(), &[IoSlice::new(&vec![7; 2_000_000])]).unwrap();
    });
    tap.wait(|| thread::sleep(Duration::from_millis(250)));
    assert_eq!(tap.take_trouble().unwrap().kind(), io::ErrorKind::StorageFull);
    assert_eq!(read_all(&tap, &own).0.len(), 2_000_000);
    sender.join().unwrap();
}

#[test]
fn descriptors_come_through() {
    let (own, peer) = pair();
    let tap = Tap::new(Arc::clone(&own), LIMITS);
    let file = File::open("/dev/null").unwrap();
    tap.wait(|| {
        send_vectored(peer.as_fd(), &[IoSlice::new(b"before")]).unwrap();
        send_with_descriptor(peer.as_fd(), b"with", file.as_fd()).unwrap();
        drop(peer);
        thread::sleep(Duration::from_millis(200));
    });
    let (bytes, descriptors) = read_all(&tap, &own);
    assert_eq!((bytes.as_slice(), descriptors.len()), (b"beforewith".as_slice(), 1));
}

#[test]
fn a_sender_of_many_descriptors_is_not_heard_any_more() {
    let (own, peer) = pair();
    let tap = Tap::new(Arc::clone(&own), LIMITS);
    let file = File::open("/dev/null").unwrap();
    for _ in 0..20 {
        send_with_descriptor(peer.as_fd(), b"x", file.as_fd()).unwrap();
    }
    tap.wait(|| {
        let end = Instant::now() + Duration::from_secs(10);
        while tap.shared.lock().ended.is_none() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let (mut bytes, mut descriptors) = ([0; 64], Vec::new());
    let outcome = loop {
        match tap.receive(&mut bytes, &mut descriptors) {
            Some(Ok(length)) if length > 0 => {}
            outcome => break outcome,
        }
    };
    assert!(matches!(outcome, Some(Err(_))), "{outcome:?}");
    assert!(descriptors.is_empty(), "{}", descriptors.len());
}

#[test]
fn an_owner_that_gives_up_is_seen_at_once() {
    let (own, peer) = pair();
    let tap = Tap::new(Arc::clone(&own), LIMITS);
    drop(own);
    tap.wait(|| thread::sleep(Duration::from_millis(150)));
    drop(tap);
    assert_eq!(socket::receive_some(peer.as_fd(), &mut [0], false).unwrap(), 0);
}

#[test]
fn a_released_connection_stays_open() {
    let (own, peer) = pair();
    let tap = Tap::new(Arc::clone(&own), LIMITS);
    tap.wait(|| thread::sleep(Duration::from_millis(150)));
    tap.release();
    send_vectored(peer.as_fd(), &[IoSlice::new(b"next")]).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(socket::receive_some(own.as_fd(), &mut buffer, false).unwrap(), 4);
}
