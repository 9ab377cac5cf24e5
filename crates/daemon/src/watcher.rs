//! The watcher thread: hears the supervisor and the signals, wakes idle workers when the process
//! drains, and ends it by force when its time is over.

use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec};
use wsgi_core::{
    control::{ToDaemon, decode},
    level::Level,
    reason::Reason,
};
use wsgi_ipc::socket;

use crate::{
    signals,
    startup::LONGEST_MESSAGE,
    state::{Daemon, Drain},
};

/// How often idle workers are woken until they have gone.
const KICK: Duration = Duration::from_millis(5);

/// Watches over one process.
pub(crate) struct Watcher<'a> {
    daemon: &'a Daemon,
    /// The supervisor has closed its end.
    is_alone: bool,
    /// When a graceful drain becomes a stop.
    drain_end: Option<Instant>,
    /// When the process ends by force.
    deadline: Option<Instant>,
}

impl<'a> Watcher<'a> {
    /// A watcher that has seen nothing yet.
    pub(crate) fn new(daemon: &'a Daemon) -> Self {
        Self { daemon, is_alone: false, drain_end: None, deadline: None }
    }

    /// Watches until the process ends.
    pub(crate) fn run(&mut self) {
        loop {
            let has_idle = self.kick_idle();
            self.enforce_deadline();
            if let Err(error) = self.wait(has_idle) {
                // Only a lack of memory makes poll fail; go on after a pause.
                self.daemon.log.log(Level::ERROR, &format!("WSGI1203: Poll failed: {error}."));
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }

    /// Wakes the workers that wait for a connection although the process drains.
    fn kick_idle(&self) -> bool {
        if !self.daemon.is_draining() {
            return false;
        }
        let mut has_idle = false;
        for thread in self.daemon.workers.iter().filter_map(|worker| worker.waiting()) {
            signals::kick(thread);
            has_idle = true;
        }
        has_idle
    }

    fn enforce_deadline(&mut self) {
        if self.drain_end.is_some_and(|end| Instant::now() >= end) {
            self.drain_end = None;
            let reason = self.daemon.reason().unwrap_or(Reason::ShutdownSignal);
            self.daemon.begin_drain(Drain::Stop, reason);
        }
        let is_limited = self.daemon.drain() == Drain::Stop || self.daemon.is_finalizing();
        let timeout = self.daemon.spec.shutdown_timeout;
        if !is_limited || timeout == 0 {
            return;
        }
        let limit = Duration::from_secs(u64::from(timeout));
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + limit);
        if Instant::now() >= deadline {
            self.daemon.log.log(
                Level::INFO,
                &format!(
                    "Aborting daemon process '{}' after its shutdown timeout of {timeout} seconds.",
                    self.daemon.group()
                ),
            );
            // SAFETY: ends the process as it stands; what still runs has had its time.
            unsafe { libc::_exit(1) };
        }
    }

    fn wait(&mut self, has_idle: bool) -> io::Result<()> {
        let next = self.deadline.into_iter().chain(self.drain_end).min();
        let rest = next.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = if has_idle { Some(rest.unwrap_or(KICK).min(KICK)) } else { rest };
        let timeout = timeout.map(|rest| Timespec {
            tv_sec: i64::try_from(rest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(rest.subsec_nanos()),
        });
        let wake = PollFd::new(&self.daemon.wake, PollFlags::IN);
        let control = PollFd::new(&self.daemon.control, PollFlags::IN);
        let mut sources = [wake, control];
        // Without a supervisor the control socket is readable for ever.
        let watched = if self.is_alone { 1 } else { 2 };
        let sources = sources.get_mut(..watched).unwrap_or_default();
        match rustix::event::poll(sources, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready =
            |index: usize| sources.get(index).is_some_and(|source| !source.revents().is_empty());
        let (is_woken, has_message) = (ready(0), ready(1));
        if is_woken {
            self.hear_wake();
        }
        if has_message {
            self.hear_supervisor();
        }
        Ok(())
    }

    fn hear_wake(&self) {
        // Its count does not matter; reading makes it quiet.
        rustix::io::read(&self.daemon.wake, &mut [0u8; 8]).ok();
        if signals::is_end_asked() && self.daemon.drain() != Drain::Stop {
            self.daemon.begin_drain(Drain::Stop, Reason::ShutdownSignal);
        }
    }

    fn hear_supervisor(&mut self) {
        let packet = socket::receive_packet(self.daemon.control.as_fd(), LONGEST_MESSAGE);
        let message = packet.ok().flatten().map(|(bytes, _)| decode::<ToDaemon>(&bytes));
        match message {
            Some(Ok(ToDaemon::Drain { reason, limit })) => {
                self.daemon.begin_drain(Drain::Graceful, reason);
                if limit > 0 {
                    let end = Instant::now() + Duration::from_secs(u64::from(limit));
                    self.drain_end = Some(self.drain_end.map_or(end, |sooner| sooner.min(end)));
                }
            }
            Some(Ok(ToDaemon::Stop)) => {
                self.daemon.begin_drain(Drain::Stop, Reason::ShutdownSignal);
            }
            // It is configured once, before there is a watcher.
            Some(Ok(ToDaemon::Configure { .. }) | Err(_)) => {}
            None => {
                // The supervisor is dead, and httpd starts another one, which starts another
                // process of this group.
                self.is_alone = true;
                self.daemon.begin_drain(Drain::Graceful, Reason::ShutdownSignal);
            }
        }
    }
}
