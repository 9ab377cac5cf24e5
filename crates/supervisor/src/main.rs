//! `wsgi-supervisor`: starts, watches, replaces and drains the daemon processes of one httpd.
//!
//! httpd's parent starts it with a control socket on descriptor 3 and runs nothing itself: what
//! can fail as root fails here. One thread, no Python. It never ends with status 15, which httpd
//! takes for a reason to stop the whole server.

mod backoff;
mod blocks;
mod check;
mod desk;
mod embedded;
mod environment;
mod event;
mod group;
mod launch;
mod member;
mod memory;
mod supervisor;
mod terms;
mod watch;

use std::{
    io,
    os::fd::{BorrowedFd, FromRawFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use rustix::{io::FdFlags, process::Signal};
use wsgi_core::{control::SUPERVISOR_CONTROL, level::Level};
use wsgi_ipc::logline::ErrorLog;

use crate::supervisor::Supervisor;

fn main() -> ExitCode {
    let log = ErrorLog::standard_error(Level::INFO);
    std::panic::set_hook(Box::new(|panic| {
        let log = ErrorLog::standard_error(Level::INFO);
        log.log(Level::CRIT, &format!("WSGI1213: Internal error of the supervisor: {panic}"));
    }));
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            log.log(Level::CRIT, &format!("WSGI1214: The supervisor cannot go on: {error}."));
            ExitCode::FAILURE
        }
        // The panic hook has logged it; the daemons end with us and httpd starts us again.
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> io::Result<()> {
    let control = take_control()?;
    // prefork's restart signals its whole process group. Failing means that we lead a session.
    rustix::process::setpgid(None, None).ok();
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    launch::make_room();
    Supervisor::new(control, ErrorLog::standard_error(Level::INFO))?.run()
}

fn take_control() -> io::Result<OwnedFd> {
    // SAFETY: only looked at; a number that is not open is an error and nothing else.
    let probe = unsafe { BorrowedFd::borrow_raw(SUPERVISOR_CONTROL) };
    rustix::net::sockopt::socket_type(probe).map_err(|error| {
        io::Error::other(format!("descriptor {SUPERVISOR_CONTROL} is no control socket: {error}"))
    })?;
    // SAFETY: it is open (above), left by exec for this process, and taken once.
    let control = unsafe { OwnedFd::from_raw_fd(SUPERVISOR_CONTROL) };
    rustix::io::fcntl_setfd(&control, FdFlags::CLOEXEC)?;
    Ok(control)
}
