//! From a group's definition to a running process: fork, the change of identity, exec.
//!
//! Everything the child needs is made before the fork, so that between fork and exec it makes
//! system calls only.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
    ptr,
    sync::OnceLock,
};

use rustix::{
    pipe::PipeFlags,
    thread::{CapabilitySet, CapabilitySets},
};
use wsgi_core::control::{GroupSpec, Identity, descriptor};
use wsgi_ipc::room::{self, Rlimit};

use crate::environment;

/// A child that was started. It has not necessarily become a daemon yet.
#[derive(Debug)]
pub(crate) struct Launched {
    /// Its process id.
    pub(crate) pid: u32,
    /// Our end of its control socket.
    pub(crate) control: OwnedFd,
    /// Tells a [`SetupFailure`], or ends when the daemon's program runs.
    pub(crate) setup: OwnedFd,
}

/// What the child was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    Descriptors = 1,
    Group = 2,
    Groups = 3,
    User = 4,
    Directory = 5,
    ParentDeath = 6,
    Program = 7,
    Root = 8,
}

/// Why a child could not become a daemon.
#[derive(Debug)]
pub(crate) struct SetupFailure {
    step: Option<Step>,
    error: io::Error,
}

impl SetupFailure {
    /// Bytes of a report.
    const LENGTH: usize = 5;

    /// Reads the report of a child; `None` when there is none (yet).
    pub(crate) fn read(setup: &OwnedFd) -> Option<Self> {
        let mut report = [0u8; Self::LENGTH];
        let length = rustix::io::read(setup, &mut report).ok()?;
        let [step, errno @ ..] = report;
        const STEPS: [Step; 8] = [
            Step::Descriptors,
            Step::Group,
            Step::Groups,
            Step::User,
            Step::Directory,
            Step::ParentDeath,
            Step::Program,
            Step::Root,
        ];
        (length == Self::LENGTH).then(|| Self {
            step: STEPS.into_iter().find(|known| *known as u8 == step),
            error: io::Error::from_raw_os_error(i32::from_ne_bytes(errno)),
        })
    }

    /// The tag of the log line and its text.
    pub(crate) fn describe(&self, spec: &GroupSpec) -> (&'static str, String) {
        let error = &self.error;
        let (uid, gid) = spec.identity.as_ref().map_or((0, 0), |who| (who.uid, who.gid));
        match self.step {
            Some(Step::Group) => ("WSGI0004", format!("cannot set group id {gid}: {error}")),
            Some(Step::Groups) => ("WSGI0005", format!("cannot set supplementary groups: {error}")),
            Some(Step::User) => ("WSGI0007", format!("cannot change to user id {uid}: {error}")),
            Some(Step::Root) => {
                let root = spec.chroot.as_deref().unwrap_or_default();
                ("WSGI0003", format!("cannot change root directory to '{root}': {error}"))
            }
            Some(Step::Directory) => spec.describe_directory_failure(error),
            Some(Step::Program) => ("WSGI0025", format!("cannot run '{}': {error}", spec.program)),
            Some(Step::Descriptors | Step::ParentDeath) | None => {
                ("WSGI0025", format!("cannot set up the process: {error}"))
            }
        }
    }
}

/// What is passed to the daemon besides its control socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed<'a> {
    /// The group's listener.
    pub(crate) listener: BorrowedFd<'a>,
    /// The group's slots.
    pub(crate) slots: BorrowedFd<'a>,
    /// The group's error log.
    pub(crate) error_log: BorrowedFd<'a>,
    /// Where the group may ask httpd's children.
    pub(crate) questions: Option<BorrowedFd<'a>>,
}

/// The limit of open files that daemons get: the one of httpd.
static FILE_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// Makes room for the descriptors of many groups. Applications find httpd's limit: some close
/// every number up to it, or pass descriptors to select(2). Where the system forbids it, few groups
/// need no more room.
pub(crate) fn make_room() {
    if let Ok(limit) = room::make_all() {
        FILE_LIMIT.set(limit).ok();
    }
}

/// Starts a process of a group. Only the main thread may: the kernel sends the signal of the
/// parent's death when the thread that forked has ended.
pub(crate) fn start(spec: &GroupSpec, passed: Passed<'_>) -> io::Result<Launched> {
    let (control, daemon_end) = wsgi_ipc::socket::pair()?;
    let (setup, report) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let null = rustix::fs::open(
        "/dev/null",
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    let questions = passed.questions.map_or(null.as_raw_fd(), |end| end.as_raw_fd());
    let title = spec.display_name.as_ref().unwrap_or(&spec.program);
    let arguments = [text(title)?];
    let variables = environment::build(spec);
    let child = Child {
        program: text(&spec.program)?,
        arguments: pointers(&arguments),
        variables: pointers(&variables),
        identity: spec.identity.clone(),
        umask: spec.umask,
        root: spec.chroot.as_deref().map(text).transpose()?,
        directory: spec.working_directory.as_deref().map(text).transpose()?,
        supervisor: rustix::process::getpid().as_raw_nonzero().get(),
        descriptors: [
            (null.as_raw_fd(), 0),
            (passed.error_log.as_raw_fd(), 1),
            (passed.error_log.as_raw_fd(), 2),
            (passed.listener.as_raw_fd(), descriptor::LISTENER),
            (daemon_end.as_raw_fd(), descriptor::CONTROL),
            (passed.slots.as_raw_fd(), descriptor::SLOTS),
            (questions, descriptor::QUESTIONS),
        ],
        first_closed: match passed.questions {
            Some(_) => descriptor::END,
            None => descriptor::QUESTIONS,
        },
        report: report.as_raw_fd(),
    };
    // SAFETY: the supervisor has one thread, so the child's copy of the process is whole.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => child.become_daemon(),
        pid => Ok(Launched { pid: pid.cast_unsigned(), control, setup }),
    }
}

/// Gives a process that has one thread its nice value.
pub(crate) fn set_priority(pid: u32, priority: i32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    Ok(rustix::process::setpriority_process(pid, priority)?)
}

fn text(value: &str) -> io::Result<CString> {
    Ok(CString::new(value)?)
}

/// A null-terminated array for exec; valid as long as `strings`.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Numbers from here on are free for the child while it puts descriptors in their places.
const SPARE: RawFd = 64;

struct Child {
    program: CString,
    arguments: Vec<*const libc::c_char>,
    variables: Vec<*const libc::c_char>,
    identity: Option<Identity>,
    umask: Option<u32>,
    root: Option<CString>,
    directory: Option<CString>,
    supervisor: i32,
    descriptors: [(RawFd, RawFd); 7],
    /// From this number on nothing is left open.
    first_closed: RawFd,
    report: RawFd,
}

impl Child {
    /// Runs in the child; does not return.
    fn become_daemon(self) -> ! {
        let mut report = self.report;
        let Err((step, error)) = self.try_become(&mut report);
        let [a, b, c, d] = error.raw_os_error().unwrap_or(0).to_ne_bytes();
        // SAFETY: our own end of the pipe, open until exec.
        let report = unsafe { BorrowedFd::borrow_raw(report) };
        // The exit status tells as much as can be told without the report.
        rustix::io::write(report, &[step as u8, a, b, c, d]).ok();
        // SAFETY: ends the child without running the supervisor's exit handlers.
        unsafe { libc::_exit(1) };
    }

    fn try_become(
        &self,
        report: &mut RawFd,
    ) -> Result<std::convert::Infallible, (Step, io::Error)> {
        // A process group of its own, as prefork signals all of httpd's; no session, which Linux
        // would schedule as a whole beside httpd's (autogroup, sched(7)).
        // SAFETY: takes numbers only; a process that leads no session can always do this.
        unsafe { libc::setpgid(0, 0) };
        *report = spare(self.report).map_err(|error| (Step::Descriptors, error))?;
        self.place_descriptors().map_err(|error| (Step::Descriptors, error))?;
        if let Some(root) = &self.root {
            // Now, because the user of the group may not be allowed to walk there. The daemon
            // makes it its root and goes to its working directory from there.
            change_directory(root).map_err(|error| (Step::Root, error))?;
        }
        self.change_identity()?;
        if let Some(umask) = self.umask {
            // SAFETY: only takes a number.
            unsafe { libc::umask(umask) };
        }
        if let Some(directory) = self.directory.as_ref().filter(|_| self.root.is_none()) {
            change_directory(directory).map_err(|error| (Step::Directory, error))?;
        }
        self.die_with_supervisor()?;
        reset_signals();
        close_on_exec(self.first_closed);
        if let Some(limit) = FILE_LIMIT.get() {
            // Going back to a limit is always allowed.
            room::set(*limit).ok();
        }
        // SAFETY: live C strings and null-terminated arrays of live C strings.
        unsafe {
            libc::execve(self.program.as_ptr(), self.arguments.as_ptr(), self.variables.as_ptr())
        };
        Err((Step::Program, io::Error::last_os_error()))
    }

    /// First all away from the numbers that will be used, then each into its place.
    fn place_descriptors(&self) -> io::Result<()> {
        let mut moved = self.descriptors;
        for (from, _) in &mut moved {
            *from = spare(*from)?;
        }
        for (from, to) in moved {
            // SAFETY: dup2 replaces `to`, which nothing of the child's own uses: it has no other
            // thread, and its report pipe was moved beyond SPARE.
            check(unsafe { libc::dup2(from, to) })?;
        }
        Ok(())
    }

    /// Groups before the user: afterwards it would not be allowed.
    fn change_identity(&self) -> Result<(), (Step, io::Error)> {
        let Some(who) = &self.identity else { return Ok(()) };
        // SAFETY: only takes a number.
        check(unsafe { libc::setgid(who.gid) }).map_err(|error| (Step::Group, error))?;
        // SAFETY: a live array of as many elements as said.
        check(unsafe { libc::setgroups(who.groups.len(), who.groups.as_ptr()) })
            .map_err(|error| (Step::Groups, error))?;
        let keeps_right = self.root.is_some();
        if keeps_right {
            // What setuid leaves is cut down to one right below.
            rustix::thread::set_keep_capabilities(true)
                .map_err(|error| (Step::Root, error.into()))?;
        }
        // SAFETY: only takes a number.
        check(unsafe { libc::setuid(who.uid) }).map_err(|error| (Step::User, error))?;
        match keeps_right {
            true => keep_chroot_right().map_err(|error| (Step::Root, error)),
            false => Ok(()),
        }
    }

    /// After setuid, which clears the setting; before exec, which keeps it.
    fn die_with_supervisor(&self) -> Result<(), (Step, io::Error)> {
        let signal = libc::SIGTERM;
        // SAFETY: PR_SET_PDEATHSIG takes a signal number.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) })
            .map_err(|error| (Step::ParentDeath, error))?;
        // SAFETY: takes no arguments.
        if unsafe { libc::getppid() } != self.supervisor {
            // The supervisor died before it was asked to send the signal.
            // SAFETY: ends the child.
            unsafe { libc::_exit(1) };
        }
        Ok(())
    }
}

/// Of all that root may, the daemon's program gets the right to change its root directory, and
/// gives it up with that: the program and its libraries come from outside, but nothing of them
/// runs as root.
fn keep_chroot_right() -> io::Result<()> {
    let right = CapabilitySet::SYS_CHROOT;
    let sets = CapabilitySets { effective: right, permitted: right, inheritable: right };
    rustix::thread::set_capabilities(None, sets)?;
    Ok(rustix::thread::configure_capability_in_ambient_set(right, true)?)
}

fn change_directory(path: &CStr) -> io::Result<()> {
    // SAFETY: a live C string.
    check(unsafe { libc::chdir(path.as_ptr()) })
}

/// A copy of a descriptor, beyond SPARE and close-on-exec.
fn spare(descriptor: RawFd) -> io::Result<RawFd> {
    // SAFETY: only makes a copy of a descriptor that the parent had open at the fork.
    let copy = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, SPARE) };
    check(copy)?;
    Ok(copy)
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// exec keeps ignored signals ignored and blocked signals blocked.
fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL runs no code; signals that cannot be changed are an error without
        // effect.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills the set it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set was filled above; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), ptr::null_mut()) };
}

/// Everything is close-on-exec where it is opened; this covers what a library opened otherwise.
fn close_on_exec(first: RawFd) {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: only sets a flag on descriptors of this process. A kernel without it (before 5.11)
    // leaves what the rule above achieves.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) };
}
