//! Room for descriptors: how many a process may have open (`RLIMIT_NOFILE`), which for services is
//! 1,024 as a rule, of a far higher limit that the system sets.

use std::{
    fs, io,
    os::fd::{AsRawFd, BorrowedFd},
};

pub use rustix::process::Rlimit;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Where a process finds its descriptors.
const OPEN: &str = "/proc/self/fd";

/// Makes room for so many descriptors beyond those that are open, as far as the system allows. It
/// only ever grows.
pub fn make(more: u64) -> io::Result<()> {
    // Without /proc the usual limit is a good guess.
    let open = fs::read_dir(OPEN).map_or(1024, |entries| entries.count() as u64);
    let limit = getrlimit(Resource::Nofile);
    let wanted = open.saturating_add(more);
    let most = limit.maximum.unwrap_or(u64::MAX);
    match limit.current {
        Some(current) if current < wanted => {
            set(Rlimit { current: Some(wanted.min(most)), ..limit })
        }
        Some(_) | None => Ok(()),
    }
}

/// Makes all the room that the system allows; how much it was.
pub fn make_all() -> io::Result<Rlimit> {
    let limit = getrlimit(Resource::Nofile);
    set(Rlimit { current: limit.maximum, ..limit })?;
    Ok(limit)
}

/// Whether a descriptor that was just opened is of the upper half of all that this process may have:
/// what is not needed should be closed then. The kernel gives the lowest free number.
pub fn is_scarce(newest: BorrowedFd<'_>) -> bool {
    let number = u64::from(newest.as_raw_fd().cast_unsigned());
    getrlimit(Resource::Nofile).current.is_some_and(|most| number >= most / 2)
}

/// Sets the limit. Descriptors beyond it stay open.
pub fn set(limit: Rlimit) -> io::Result<()> {
    Ok(setrlimit(Resource::Nofile, limit)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn the_upper_half_is_scarce() {
        let low = crate::socket::stream_pair().unwrap().0;
        assert!(!is_scarce(low.as_fd()));
        let half = getrlimit(Resource::Nofile).current.unwrap() / 2;
        let half = i32::try_from(half).unwrap();
        let high = rustix::io::fcntl_dupfd_cloexec(&low, half).unwrap();
        assert!(is_scarce(high.as_fd()));
    }

    #[test]
    fn room_grows_as_far_as_the_system_allows() {
        let before = getrlimit(Resource::Nofile);
        let current = before.current.unwrap();
        make(0).unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, Some(current));
        make(current).unwrap();
        let after = getrlimit(Resource::Nofile).current.unwrap();
        assert!(after > current || Some(current) == before.maximum);
        make(u64::MAX).unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
        set(before).unwrap();
        assert_eq!(make_all().unwrap().current, before.current);
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
        set(before).unwrap();
    }
}
