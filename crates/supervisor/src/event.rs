//! What the supervisor waits for: descriptors, signals and the next deadline, in one epoll.

use std::{
    io,
    os::fd::{AsFd, FromRawFd, OwnedFd},
    time::Duration,
};

use rustix::event::{
    Timespec,
    epoll::{self, CreateFlags, Event, EventData, EventFlags},
};

/// What has something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// The control socket to httpd's parent.
    Httpd,
    /// A signal has come.
    Signal,
    /// The control socket of the member with this number.
    Member(u64),
    /// The pipe on which the child of this member reports why it could not become a daemon.
    Setup(u64),
    /// The process handle of a member that is not our child.
    Orphan(u64),
    /// The socket on which httpd's children ask.
    Inquiry,
    /// The control socket.
    Control,
    /// An operator at the control socket.
    Client(u64),
}

const KIND: u32 = 56;

impl Token {
    fn encode(self) -> u64 {
        match self {
            Token::Httpd => 0,
            Token::Signal => 1 << KIND,
            Token::Member(id) => 2 << KIND | id,
            Token::Setup(id) => 3 << KIND | id,
            Token::Orphan(id) => 4 << KIND | id,
            Token::Inquiry => 5 << KIND,
            Token::Control => 6 << KIND,
            Token::Client(id) => 7 << KIND | id,
        }
    }

    fn decode(data: u64) -> Self {
        let id = data & ((1 << KIND) - 1);
        match data >> KIND {
            0 => Token::Httpd,
            1 => Token::Signal,
            2 => Token::Member(id),
            3 => Token::Setup(id),
            4 => Token::Orphan(id),
            5 => Token::Inquiry,
            6 => Token::Control,
            _ => Token::Client(id),
        }
    }
}

/// The signals the supervisor hears. It ignores the rest of what a process group may be sent.
const HEARD: [i32; 3] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT];
const IGNORED: [i32; 4] = [libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGPIPE];

/// The epoll and the descriptor from which signals are read.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    signals: OwnedFd,
}

impl Poller {
    /// Blocks the signals it hears from now on and watches for them.
    pub(crate) fn create() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let poller = Self { epoll, signals: signal_descriptor()? };
        poller.add(&poller.signals, Token::Signal)?;
        Ok(poller)
    }

    /// Watches a descriptor until it is removed or closed.
    pub(crate) fn add(&self, descriptor: impl AsFd, token: Token) -> io::Result<()> {
        let data = EventData::new_u64(token.encode());
        Ok(epoll::add(&self.epoll, descriptor, data, EventFlags::IN)?)
    }

    /// Watches a descriptor no longer.
    pub(crate) fn remove(&self, descriptor: impl AsFd) {
        // Not being watched is what is wanted.
        epoll::delete(&self.epoll, descriptor).ok();
    }

    /// Waits until something happens or the time has passed; `None` waits for ever.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> io::Result<Vec<Token>> {
        // A millisecond more than asked for, so that the deadline has passed on return.
        let limit = limit.map(|limit| limit + Duration::from_millis(1));
        let timeout = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(limit.subsec_nanos()),
        });
        let nothing = Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
        let mut events = [nothing; 64];
        let count = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(events.iter().take(count).map(|event| Token::decode(event.data.u64())).collect())
    }

    /// The next signal that has come, or `None`.
    pub(crate) fn next_signal(&self) -> Option<i32> {
        // struct signalfd_siginfo: 128 bytes that begin with the signal's number.
        let mut record = [0u8; 128];
        let length = rustix::io::read(&self.signals, &mut record).ok()?;
        let number = record.first_chunk::<4>().filter(|_| length == record.len())?;
        i32::try_from(u32::from_ne_bytes(*number)).ok()
    }
}

fn signal_descriptor() -> io::Result<OwnedFd> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills the set it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: filled above.
    let mut set = unsafe { set.assume_init() };
    for signal in HEARD {
        // SAFETY: a live set and a valid signal number.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    for signal in IGNORED {
        // SAFETY: SIG_IGN runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: a live set; the old mask is not asked for.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: a live set; -1 asks for a new descriptor.
    match unsafe { libc::signalfd(-1, &raw const set, flags) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: signalfd has just opened it for us alone.
        number => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        let id = (1 << KIND) - 1;
        for token in
            [Token::Httpd, Token::Signal, Token::Member(id), Token::Setup(1), Token::Orphan(id)]
        {
            assert_eq!(Token::decode(token.encode()), token);
        }
    }

    #[test]
    fn a_readable_descriptor_is_named_by_its_token() {
        let poller = Poller::create().unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        poller.add(&reader, Token::Setup(7)).unwrap();
        assert!(poller.wait(Some(Duration::ZERO)).unwrap().is_empty());
        rustix::io::write(&writer, b"x").unwrap();
        assert_eq!(poller.wait(None).unwrap(), [Token::Setup(7)]);
        poller.remove(&reader);
        assert!(poller.wait(Some(Duration::ZERO)).unwrap().is_empty());
    }
}
