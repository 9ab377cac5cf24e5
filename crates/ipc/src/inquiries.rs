//! A question with several answers: one packet with a socket for the answers, which whoever is
//! asked may pass on to others. The answers are memory, so that nobody who answers waits for the
//! one who asks; that everybody has answered is seen by the socket's end.
//!
//! An answer carries the token of whoever was asked, so that nobody answers for somebody else.

use std::{
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    time::{Duration, Instant},
};

use rustix::{
    fs::{MemfdFlags, Mode},
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
        sockopt::socket_peercred,
    },
};

use crate::socket;

/// Bytes of a packet with an answer besides its memory: the token.
const TOKEN: usize = size_of::<u64>();

/// Longest question.
const LONGEST_QUESTION: usize = 8 << 10;

/// An answer that is longer is none.
const LONGEST_ANSWER: u64 = 16 << 20;

/// Answers at most.
const MOST_ANSWERS: usize = 10_000;

/// Bytes of all answers: when there are so many, no more are taken. Memory that is to be an answer
/// costs nothing whoever sends it.
const MOST_BYTES: usize = 64 << 20;

/// Clients that wait to be accepted at a control socket.
const BACKLOG: i32 = 16;

/// What came as answers.
#[derive(Debug, Default)]
pub struct Answers {
    /// Each answer, with the token it came with.
    pub all: Vec<(u64, Vec<u8>)>,
    /// Whether everybody who was asked has answered, or has gone.
    pub is_complete: bool,
}

/// Asks, and takes the answers that come within `limit`.
pub fn ask(whom: BorrowedFd<'_>, question: &[u8], limit: Duration) -> io::Result<Answers> {
    let end = Instant::now() + limit;
    let (ours, theirs) = socket::pair()?;
    socket::try_send_packet(whom, question, &[theirs.as_fd()])?;
    // Only who answers has it now: when nobody has, that is seen.
    drop(theirs);
    let mut answers = Answers::default();
    let mut bytes = 0;
    while answers.all.len() < MOST_ANSWERS && bytes < MOST_BYTES {
        let rest = end.saturating_duration_since(Instant::now());
        let rest = i32::try_from(rest.as_millis()).unwrap_or(i32::MAX);
        if !socket::poll_readable(ours.as_fd(), rest)? {
            break;
        }
        match socket::receive_packet(ours.as_fd(), TOKEN) {
            Ok(Some((token, descriptors))) => {
                let token = token.try_into().map(u64::from_ne_bytes);
                let answer = descriptors.first().and_then(read);
                bytes += answer.as_ref().map_or(0, Vec::len);
                answers.all.extend(token.ok().zip(answer));
            }
            Ok(None) => {
                answers.is_complete = true;
                break;
            }
            // A packet that is no answer.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(error) => return Err(error),
        }
    }
    Ok(answers)
}

/// The content of an answer; only memory is read, which nobody can make us wait for.
fn read(memory: &OwnedFd) -> Option<Vec<u8>> {
    rustix::fs::fcntl_get_seals(memory).ok()?;
    let file = File::from(memory.try_clone().ok()?);
    let length = file.metadata().ok()?.len();
    let mut bytes = vec![0; usize::try_from(length.min(LONGEST_ANSWER)).ok()?];
    file.read_exact_at(&mut bytes, 0).ok()?;
    Some(bytes)
}

/// Answers with the token that came with the question; whoever has asked may be gone.
pub fn answer(asker: BorrowedFd<'_>, token: u64, bytes: &[u8]) -> io::Result<()> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("wsgi-answer", flags)?);
    file.write_all(bytes)?;
    socket::try_send_packet(asker, &token.to_ne_bytes(), &[file.as_fd()])
}

/// A token that nobody guesses.
pub fn new_token() -> io::Result<u64> {
    let mut bytes = [0; TOKEN];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if got == TOKEN {
        Ok(u64::from_ne_bytes(bytes))
    } else {
        Err(io::ErrorKind::Interrupted.into())
    }
}

/// What somebody has asked.
#[derive(Debug)]
pub enum Asked {
    /// A question, and where to answer it.
    Question(Vec<u8>, OwnedFd),
    /// A packet that is no question.
    Nonsense,
    /// Nothing more will come.
    End,
}

/// Takes one question; waits if there is none.
pub fn take(askers: BorrowedFd<'_>) -> Asked {
    match socket::receive_packet(askers, LONGEST_QUESTION) {
        Ok(Some((bytes, descriptors))) => match descriptors.into_iter().next() {
            Some(answers) => Asked::Question(bytes, answers),
            None => Asked::Nonsense,
        },
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Asked::Nonsense,
        Ok(None) | Err(_) => Asked::End,
    }
}

/// Makes a control socket at `path` that only its owner may connect to, in the place of one that
/// nobody listens at any more.
pub fn listen_at(path: &str) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    if connect_to(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there"));
    }
    let is_socket = |mode| rustix::fs::FileType::from_raw_mode(mode).is_socket();
    match rustix::fs::lstat(path) {
        Ok(found) if is_socket(found.st_mode) => rustix::fs::unlink(path)?,
        Ok(_) => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is no socket"));
        }
        Err(_) => {}
    }
    let socket = packet_socket()?;
    // Linux: the file has the mode of the socket, less the umask, from the first moment on.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &address)?;
    rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Connects to a control socket, to [`ask`] there.
pub fn connect_to(path: &str) -> io::Result<OwnedFd> {
    let socket = packet_socket()?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

fn packet_socket() -> io::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC, None)?)
}

/// Takes a client of a control socket if it is one of root or of this process's user.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let client = socket::accept(listener)?;
    let uid = socket_peercred(&client)?.uid;
    if uid.is_root() || uid == rustix::process::geteuid() {
        Ok(client)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("user {}", uid.as_raw())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::fs::PermissionsExt, thread};

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn everybody_who_is_asked_answers() {
        let (askers, asked) = socket::pair().unwrap();
        let answering = thread::spawn(move || {
            let Asked::Question(bytes, answers) = take(asked.as_fd()) else { panic!() };
            assert_eq!(bytes, b"who?");
            let other = answers.try_clone().unwrap();
            let other = thread::spawn(move || answer(other.as_fd(), 8, &vec![b'x'; 1 << 20]));
            answer(answers.as_fd(), 7, b"me").unwrap();
            other.join().unwrap().unwrap();
        });
        let mut answers = ask(askers.as_fd(), b"who?", LONG).unwrap();
        answers.all.sort();
        assert!(answers.is_complete);
        assert_eq!(
            answers.all.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(),
            [2, 1 << 20]
        );
        assert_eq!(answers.all.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [7, 8]);
        answering.join().unwrap();
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for() {
        let (askers, asked) = socket::pair().unwrap();
        let answers = ask(askers.as_fd(), b"who?", Duration::from_millis(20)).unwrap();
        assert!(answers.all.is_empty() && !answers.is_complete);
        drop(asked);
        assert!(ask(askers.as_fd(), b"who?", LONG).is_err());
    }

    #[test]
    fn only_memory_is_an_answer() {
        let (askers, asked) = socket::pair().unwrap();
        let answering = thread::spawn(move || {
            let Asked::Question(_, answers) = take(asked.as_fd()) else { panic!() };
            let (pipe, _writer) = rustix::pipe::pipe().unwrap();
            let token = [0; TOKEN];
            socket::send_packet(answers.as_fd(), &token, &[pipe.as_fd()]).unwrap();
            socket::send_packet(answers.as_fd(), &token, &[]).unwrap();
            socket::send_packet(answers.as_fd(), b"too long for it", &[]).unwrap();
            answer(answers.as_fd(), 5, b"good").unwrap();
        });
        let answers = ask(askers.as_fd(), b"who?", LONG).unwrap();
        assert_eq!(answers.all, [(5, b"good".to_vec())]);
        answering.join().unwrap();
    }

    #[test]
    fn who_answers_cannot_take_all_memory_of_the_one_who_asks() {
        let (askers, asked) = socket::pair().unwrap();
        let answering = thread::spawn(move || {
            let Asked::Question(_, answers) = take(asked.as_fd()) else { panic!() };
            let memory = rustix::fs::memfd_create("sparse", MemfdFlags::CLOEXEC).unwrap();
            rustix::fs::ftruncate(&memory, LONGEST_ANSWER).unwrap();
            (0..20)
                .filter(|_| {
                    socket::send_packet(answers.as_fd(), &[0; TOKEN], &[memory.as_fd()]).is_ok()
                })
                .count()
        });
        let answers = ask(askers.as_fd(), b"who?", LONG).unwrap();
        let bytes: usize = answers.all.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(bytes <= MOST_BYTES && !answers.is_complete, "{bytes}");
        drop(askers);
        answering.join().unwrap();
    }

    #[test]
    fn packets_without_a_socket_are_no_questions() {
        let (askers, asked) = socket::pair().unwrap();
        socket::send_packet(askers.as_fd(), b"x", &[]).unwrap();
        assert!(matches!(take(asked.as_fd()), Asked::Nonsense));
        drop(askers);
        assert!(matches!(take(asked.as_fd()), Asked::End));
    }

    #[test]
    fn a_control_socket_is_its_owners_and_replaces_a_dead_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control").to_str().unwrap().to_owned();
        let first = listen_at(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(listen_at(&path).is_err(), "somebody listens");
        drop(first);
        let second = listen_at(&path).unwrap();
        let client = connect_to(&path).unwrap();
        let server = accept(second.as_fd()).unwrap();
        let answering = thread::spawn(move || {
            let Asked::Question(_, answers) = take(server.as_fd()) else { panic!() };
            answer(answers.as_fd(), 1, b"yes").unwrap();
        });
        assert_eq!(ask(client.as_fd(), b"there?", LONG).unwrap().all, [(1, b"yes".to_vec())]);
        answering.join().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "precious").unwrap();
        assert!(listen_at(file.to_str().unwrap()).is_err());
        assert!(file.exists());
    }
}
