//! The listening socket of a process group and its address, which is a descriptor and no path.

use std::{
    fmt::Write as _,
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{Mode, OFlags},
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType,
        sockopt::{Timeout, set_socket_timeout},
    },
};

/// Where the directory that lives for the length of one bind may be made, first success wins.
const DIRECTORIES: [&str; 4] = ["/run", "/tmp", "/dev/shm", "/var/tmp"];

/// A listening socket that no path leads to.
///
/// Only who inherits `address` can connect, whatever its user id; nothing stays on disk.
#[derive(Debug)]
pub struct Listener {
    /// The listening socket, for the supervisor and the daemons.
    pub socket: OwnedFd,
    /// An O_PATH descriptor of the socket file, for [`connect`].
    pub address: OwnedFd,
}

impl Listener {
    /// Binds and listens in a fresh directory that only the caller's user may enter, opens the
    /// socket file with O_PATH and removes both.
    pub fn create(backlog: u32) -> io::Result<Self> {
        let directory = Directory::create()?;
        let path = directory.path.join("s");
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(&path)?)?;
        let address = open_address(&path);
        fs::remove_file(&path)?;
        set_backlog(socket.as_fd(), backlog)?;
        Ok(Self { socket, address: address? })
    }
}

/// Sets how many connections may wait at a listener, from now on.
pub fn set_backlog(listener: BorrowedFd<'_>, backlog: u32) -> io::Result<()> {
    Ok(rustix::net::listen(listener, i32::try_from(backlog).unwrap_or(i32::MAX))?)
}

fn open_address(path: &Path) -> io::Result<OwnedFd> {
    // The umask may have taken bits away; the directory keeps others out until it is gone.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// A directory that is removed when dropped.
struct Directory {
    path: PathBuf,
}

impl Directory {
    fn create() -> io::Result<Self> {
        let name = format!("mod_wsgi_rs.{}", random_name()?);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for parent in DIRECTORIES {
            let path = Path::new(parent).join(&name);
            // mkdir fails when the name exists, so the directory is ours and empty.
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing depends on it being gone: an empty directory that only its owner may enter.
        fs::remove_dir(&self.path).ok();
    }
}

fn random_name() -> io::Result<String> {
    let mut bytes = [0u8; 12];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += rustix::io::retry_on_intr(|| {
            rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty())
        })?;
    }
    let mut name = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(name, "{byte:02x}").map_err(io::Error::other)?;
    }
    Ok(name)
}

/// Connects to the listener of `address`; waits while its queue is full.
pub fn connect(address: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    connect_timed(address, None)
}

/// Connects like [`connect`] but waits no longer than `limit` for room in the listener's queue:
/// then the error is `WouldBlock`. The kernel wakes the caller as soon as there is room. The
/// limit stays on the socket's sends until [`super::set_send_limit`] changes it.
pub fn connect_within(address: BorrowedFd<'_>, limit: Duration) -> io::Result<OwnedFd> {
    // Zero would mean no limit to the kernel.
    connect_timed(address, Some(limit.max(Duration::from_millis(1))))
}

fn connect_timed(address: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    if limit.is_some() {
        set_socket_timeout(&socket, Timeout::Send, limit)?;
    }
    let name = SocketAddrUnix::new(format!("/proc/self/fd/{}", address.as_raw_fd()).as_str())?;
    // An interrupted connect of a unix socket has not connected: repeating it is right.
    rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &name))?;
    Ok(socket)
}

/// The next connection, waited for or not as the listener is set; a signal ends a wait with `Interrupted`.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{receive_exact, send_vectored};
    use std::{io::IoSlice, time::Instant};

    #[test]
    fn only_the_address_descriptor_leads_to_the_listener() {
        let listener = Listener::create(8).unwrap();
        let client = connect(listener.address.as_fd()).unwrap();
        let server = accept(listener.socket.as_fd()).unwrap();
        send_vectored(client.as_fd(), &[IoSlice::new(b"hel"), IoSlice::new(b"lo")]).unwrap();
        let mut bytes = [0u8; 5];
        receive_exact(server.as_fd(), &mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.address.as_raw_fd()));
        assert!(link.unwrap().to_string_lossy().ends_with(" (deleted)"));
    }

    #[test]
    fn a_full_queue_ends_the_wait_at_the_limit() {
        let listener = Listener::create(0).unwrap();
        let _first = connect(listener.address.as_fd()).unwrap();
        let start = Instant::now();
        let limit = Duration::from_millis(50);
        let mut held = Vec::new();
        let error = loop {
            match connect_within(listener.address.as_fd(), limit) {
                Ok(socket) => held.push(socket),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(start.elapsed() >= limit);
    }

    #[test]
    fn a_listener_gets_another_backlog() {
        let listener = Listener::create(0).unwrap();
        let limit = Duration::from_millis(20);
        let _first = connect(listener.address.as_fd()).unwrap();
        assert!(connect_within(listener.address.as_fd(), limit).is_err());
        set_backlog(listener.socket.as_fd(), 8).unwrap();
        let _second = connect_within(listener.address.as_fd(), limit).unwrap();
    }

    #[test]
    fn a_connection_waits_until_somebody_accepts() {
        let listener = Listener::create(8).unwrap();
        let client = connect(listener.address.as_fd()).unwrap();
        send_vectored(client.as_fd(), &[IoSlice::new(b"x")]).unwrap();
        let copy = listener.socket.try_clone().unwrap();
        drop(listener.socket);
        let server = accept(copy.as_fd()).unwrap();
        let mut bytes = [0u8; 1];
        receive_exact(server.as_fd(), &mut bytes).unwrap();
        assert_eq!(&bytes, b"x");
    }
}
