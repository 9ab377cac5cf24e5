//! From exec to a configured process: the descriptors, the first message, the locale.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use rustix::{fs::FileType, io::FdFlags};
use wsgi_core::{
    check::Candidate,
    control::{GroupSpec, ImportScript, ToDaemon, decode, descriptor},
};
use wsgi_ipc::socket;

/// Longest control message.
pub(crate) const LONGEST_MESSAGE: usize = 256 << 10;

/// What the supervisor has left open for the process.
#[derive(Debug)]
pub(crate) struct Descriptors {
    /// The group's listener.
    pub(crate) listener: OwnedFd,
    /// The control socket.
    pub(crate) control: OwnedFd,
    /// The group's slots.
    pub(crate) slots: OwnedFd,
    /// Where to ask httpd's children, if the group may.
    pub(crate) questions: Option<OwnedFd>,
}

/// Why a process cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartupError {
    /// It was not started by the supervisor.
    #[error("descriptor {0} is not what the supervisor of mod_wsgi_rs leaves there: {1}")]
    Descriptor(i32, io::Error),
    /// The first message did not come or is not understood.
    #[error("cannot read the configuration from the supervisor: {0}")]
    Configure(String),
    /// The kernel refuses something.
    #[error("cannot {0}: {1}")]
    System(&'static str, io::Error),
}

impl Descriptors {
    /// Takes the descriptors over. Called once, before anything else is opened.
    pub(crate) fn take() -> Result<Self, StartupError> {
        let listener = take(descriptor::LISTENER, FileType::Socket)?;
        let control = take(descriptor::CONTROL, FileType::Socket)?;
        let slots = take(descriptor::SLOTS, FileType::RegularFile)?;
        let questions = take(descriptor::QUESTIONS, FileType::Socket).ok();
        Ok(Self { listener, control, slots, questions })
    }
}

fn take(number: i32, expected: FileType) -> Result<OwnedFd, StartupError> {
    let failed = |error| StartupError::Descriptor(number, error);
    // SAFETY: only looked at; fstat of a number that is not open is an error and nothing else.
    let probe = unsafe { BorrowedFd::borrow_raw(number) };
    let stat = rustix::fs::fstat(probe).map_err(|error| failed(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != expected {
        return Err(failed(io::Error::from(io::ErrorKind::InvalidInput)));
    }
    // SAFETY: it is open (fstat above), left by exec for this process, and each number is taken
    // once, by the only call of `Descriptors::take`.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    // exec needed it open; programs that the application starts must not get it.
    rustix::io::fcntl_setfd(&owned, FdFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
    Ok(owned)
}

/// What the supervisor wants of the process.
#[derive(Debug)]
pub(crate) struct Assignment {
    /// The group.
    pub(crate) spec: GroupSpec,
    /// Number of this process in its group.
    pub(crate) epoch: u64,
    /// First of its slots.
    pub(crate) first_slot: u32,
    /// What to load before it is ready.
    pub(crate) preload: Vec<ImportScript>,
    /// It is of no use when one of them cannot be loaded.
    pub(crate) is_trial: bool,
}

/// What the process is for.
#[derive(Debug)]
pub(crate) enum Task {
    /// To serve.
    Serve(Assignment),
    /// To try these and end.
    Check(GroupSpec, Vec<Candidate>),
}

/// Waits for the first message.
pub(crate) fn configure(control: &OwnedFd) -> Result<Task, StartupError> {
    let failed = |text: &str| StartupError::Configure(text.to_owned());
    let packet = socket::receive_packet(control.as_fd(), LONGEST_MESSAGE)
        .map_err(|error| failed(&error.to_string()))?;
    let (bytes, _) = packet.ok_or_else(|| failed("it is gone"))?;
    match decode(&bytes).map_err(|error| failed(&error.to_string()))? {
        ToDaemon::Configure { group, epoch, first_slot, preload, is_trial } => {
            let spec = *group;
            Ok(Task::Serve(Assignment { spec, epoch, first_slot, preload, is_trial }))
        }
        ToDaemon::Check { group, candidates } => Ok(Task::Check(*group, candidates)),
        _ => Err(failed("unexpected message")),
    }
}

/// Puts another error log in the place of standard output and error.
pub(crate) fn replace_error_log(log: &OwnedFd) {
    for number in [1, 2] {
        // SAFETY: dup2 of an open descriptor onto the standard ones, which stay open; failing
        // leaves the log that was there.
        unsafe { libc::dup2(log.as_raw_fd(), number) };
    }
}

/// Sets the locale of the C library; `false` when the system does not have it.
pub(crate) fn set_locale(locale: &str) -> bool {
    let Ok(locale) = CString::new(locale) else { return false };
    // SAFETY: a live C string, and the process has one thread: nobody uses the locale meanwhile.
    !unsafe { libc::setlocale(libc::LC_ALL, locale.as_ptr()) }.is_null()
}

/// The stack of a worker thread: as configured, or what pthread gives threads by default, which
/// std does not.
pub(crate) fn stack_size(configured: u64) -> usize {
    if let Some(size) = usize::try_from(configured).ok().filter(|size| *size > 0) {
        return size;
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
    let size = limit.and_then(|size| usize::try_from(size).ok()).unwrap_or(8 << 20);
    size.clamp(256 << 10, 1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_another_kind_are_refused() {
        let error = take(i32::MAX, FileType::Socket).unwrap_err();
        assert!(matches!(error, StartupError::Descriptor(..)));
    }

    #[test]
    fn an_unknown_locale_is_told() {
        assert!(set_locale("C"));
        assert!(!set_locale("xx_XX.nowhere"));
        assert!(!set_locale("with\0nul"));
    }
}
