//! A supervisor for a check only: it has one process of a group try applications, and ends.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use wsgi_core::{
    check::{Candidate, Finding, Report},
    control::{self, GroupSpec, ToSupervisor},
};
use wsgi_ipc::{
    scoreboard::Slots,
    socket::{self, Listener},
};

use crate::{apache::process, resolved::Installation};

/// How long beyond its own limit the supervisor may take, and how long to end.
const GRACE: Duration = Duration::from_secs(5);

/// Longest message of the supervisor.
const LONGEST_MESSAGE: usize = 256 << 10;

/// Tries the candidates in a process of the group; gives what was found, in their order, and why
/// there is no more, if so.
pub(crate) fn try_out(
    spec: &GroupSpec,
    candidates: Vec<Candidate>,
    limit: u32,
) -> io::Result<(Vec<Finding>, Option<String>)> {
    let program: PathBuf = Installation::find().map_err(io::Error::other)?.supervisor();
    let (ours, theirs) = socket::pair()?;
    let pid = process::start(&program, theirs.as_fd())?;
    drop(theirs);
    let done = ask(&ours, spec, candidates, limit);
    // It ends with its socket.
    drop(ours);
    if !process::wait(pid, GRACE) {
        process::kill(pid);
        process::wait(pid, GRACE);
    }
    done
}

fn ask(
    socket: &OwnedFd,
    spec: &GroupSpec,
    candidates: Vec<Candidate>,
    limit: u32,
) -> io::Result<(Vec<Finding>, Option<String>)> {
    let listener = Listener::create(1)?;
    let slots = Slots::create(spec.slots_per_process().max(1))?;
    let stderr = io::stderr();
    let descriptors = [listener.socket.as_fd(), slots.as_fd(), stderr.as_fd()];
    let group = Box::new(spec.clone());
    let message = control::encode(&ToSupervisor::Check { group, candidates, limit })?;
    socket::send_packet(socket.as_fd(), &message, &descriptors)?;
    let mut findings = Vec::new();
    let patience = Duration::from_secs(limit.into()) + GRACE;
    let patience = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    loop {
        let packet = match socket::poll_readable(socket.as_fd(), patience)? {
            true => socket::receive_packet(socket.as_fd(), LONGEST_MESSAGE)?,
            false => None,
        };
        let Some((bytes, _)) = packet else {
            return Ok((findings, Some("the supervisor says nothing".to_owned())));
        };
        match control::decode(&bytes)? {
            Report::Tried(finding) => findings.push(finding),
            Report::Ended(reason) => return Ok((findings, reason)),
        }
    }
}
