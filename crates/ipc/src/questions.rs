//! A question that any daemon process may ask whichever httpd child comes first.
//!
//! Both ends of one packet socket are shared: by the daemons that ask, by the children that
//! answer. A question is a packet with a socket for its answer; the answer comes as memory, so
//! that a child never waits for a daemon, however long the answer is.

use std::{
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    time::Duration,
};

use rustix::fs::MemfdFlags;

use crate::socket;

/// What a packet consists of besides its descriptor: it cannot be empty.
const MARK: &[u8] = b"?";

/// An answer that is longer is none.
const LONGEST: u64 = 64 << 20;

/// Asks, and waits no longer than `limit` for the answer; `None` when there is none.
pub fn ask(askers: BorrowedFd<'_>, limit: Duration) -> Option<Vec<u8>> {
    let (ours, theirs) = socket::pair().ok()?;
    socket::try_send_packet(askers, MARK, &[theirs.as_fd()]).ok()?;
    // Only who answers has it now: if nobody does, that is seen.
    drop(theirs);
    let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    socket::poll_readable(ours.as_fd(), limit).ok().filter(|is_readable| *is_readable)?;
    let (_, descriptors) = socket::receive_packet(ours.as_fd(), MARK.len()).ok()??;
    read(File::from(descriptors.into_iter().next()?)).ok()
}

fn read(memory: File) -> io::Result<Vec<u8>> {
    let length = memory.metadata()?.len();
    let length = usize::try_from(length.min(LONGEST)).unwrap_or_default();
    let mut bytes = vec![0; length];
    memory.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Waits for a question and answers it; false when no other one can come.
pub fn answer(answerers: BorrowedFd<'_>, make: impl FnOnce() -> Option<Vec<u8>>) -> bool {
    let question = match socket::receive_packet(answerers, MARK.len()) {
        Ok(Some((_, descriptors))) => descriptors.into_iter().next(),
        Ok(None) => return false,
        // A packet that is no question.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
        Err(_) => return false,
    };
    if let Some((asker, answer)) = question.zip(make())
        && let Ok(memory) = write(&answer)
    {
        // Who asked may have gone, or have sent anything for a socket.
        socket::try_send_packet(asker.as_fd(), MARK, &[memory.as_fd()]).ok();
    }
    true
}

fn write(answer: &[u8]) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("wsgi-answer", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(memory);
    file.write_all(answer)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn whoever_comes_first_answers() {
        let (answerers, askers) = socket::pair().unwrap();
        let answers = std::thread::spawn(move || {
            let long = vec![b'x'; 1 << 20];
            assert!(answer(answerers.as_fd(), || Some(b"first".to_vec())));
            assert!(answer(answerers.as_fd(), || Some(long)));
            assert!(answer(answerers.as_fd(), || None));
            assert!(!answer(answerers.as_fd(), || panic!("nobody asks")));
        });
        let limit = Duration::from_secs(5);
        assert_eq!(ask(askers.as_fd(), limit).unwrap(), b"first");
        assert_eq!(ask(askers.as_fd(), limit).unwrap().len(), 1 << 20);
        assert_eq!(ask(askers.as_fd(), limit), None);
        drop(askers);
        answers.join().unwrap();
    }

    #[test]
    fn nobody_answers() {
        let (answerers, askers) = socket::pair().unwrap();
        assert_eq!(ask(askers.as_fd(), SOON), None);
        // It waits until somebody comes, who finds nobody to answer.
        assert!(answer(answerers.as_fd(), || Some(b"late".to_vec())));
        drop(answerers);
        assert_eq!(ask(askers.as_fd(), SOON), None);
    }

    #[test]
    fn nonsense_is_no_question() {
        let (answerers, askers) = socket::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        socket::send_packet(askers.as_fd(), MARK, &[]).unwrap();
        socket::send_packet(askers.as_fd(), MARK, &[file.as_fd()]).unwrap();
        socket::send_packet(askers.as_fd(), b"too long", &[]).unwrap();
        for _ in 0..3 {
            assert!(answer(answerers.as_fd(), || Some(b"answer".to_vec())));
        }
    }
}
