//! The watcher thread: hears the supervisor and the signals, wakes idle workers when the process
//! drains, and lets the timers act.

use std::{
    io,
    os::fd::AsFd,
    sync::atomic::{Ordering, fence},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec};
use wsgi_core::{
    control::{ToDaemon, decode},
    level::Level,
    reason::Reason,
    timers::unless_zero,
};
use wsgi_ipc::socket;
use wsgi_python::Runtime;

use crate::{
    clock::Moment,
    reports::{self, Asker},
    signals,
    startup::{self, LONGEST_MESSAGE},
    state::{Daemon, Drain},
    timers::Rules,
};

/// How often idle workers are woken until they have gone.
const KICK: Duration = Duration::from_millis(5);

/// Watches over one process.
pub(crate) struct Watcher {
    daemon: &'static Daemon,
    /// The supervisor has closed its end.
    is_alone: bool,
    rules: Rules,
}

impl Watcher {
    /// A watcher that has seen nothing yet.
    pub(crate) fn new(daemon: &'static Daemon) -> Self {
        Self { daemon, is_alone: false, rules: Rules::default() }
    }

    /// Watches until the process ends.
    pub(crate) fn run(&mut self) {
        loop {
            let has_idle = self.kick_idle();
            if let Some(reason) = self.daemon.reason().filter(|_| self.daemon.is_draining()) {
                // It keeps in mind that it was told.
                Runtime::note_stopping(reason.name());
            }
            if self.daemon.drain() == Drain::Stop
                && let Some(announcer) = self.daemon.announcer.get()
            {
                announcer.stop();
            }
            let due = self.rules.check(self.daemon);
            let rest = due.map(|due| due.since(Moment::now()));
            let rest = if has_idle { Some(rest.unwrap_or(KICK).min(KICK)) } else { rest };
            if let Err(error) = self.wait(rest) {
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
        // With the one of `WorkerState::begin_wait`: either this sees that a worker waits, or that
        // sees the drain.
        fence(Ordering::SeqCst);
        let mut has_idle = false;
        for thread in self.daemon.workers.iter().filter_map(|worker| worker.waiting()) {
            signals::kick(thread);
            has_idle = true;
        }
        has_idle
    }

    fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let timeout = limit.map(|rest| Timespec {
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
        for signal in signals::take() {
            match signal {
                libc::SIGUSR1 => self.daemon.retire(Reason::EvictionSignal),
                libc::SIGXCPU => self.daemon.retire(Reason::CpuTimeLimit),
                // Nothing for the process itself.
                libc::SIGHUP => self.announce_signal("SIGHUP", signal),
                libc::SIGUSR2 => self.announce_signal("SIGUSR2", signal),
                _ => self.daemon.end(Reason::ShutdownSignal),
            }
        }
    }

    fn announce_signal(&self, name: &'static str, number: i32) {
        if let Some(announcer) = self.daemon.announcer.get() {
            announcer.signal(name, number);
        }
    }

    fn hear_supervisor(&mut self) {
        let packet = socket::receive_packet(self.daemon.control.as_fd(), LONGEST_MESSAGE);
        let (message, descriptors) = match packet {
            Ok(Some((bytes, descriptors))) => (Some(decode::<ToDaemon>(&bytes)), descriptors),
            // An error log for which the application has left no descriptor: the old one stays.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return,
            Ok(None) | Err(_) => (None, Vec::new()),
        };
        match message {
            Some(Ok(ToDaemon::ErrorLog)) => {
                descriptors.first().into_iter().for_each(startup::replace_error_log);
            }
            Some(Ok(ToDaemon::Drain { reason, limit })) => {
                self.daemon.begin_drain(Drain::Graceful, reason);
                self.stop_service();
                if let Some(limit) = unless_zero(limit) {
                    self.rules.limit_drain(Moment::now().after(limit));
                }
            }
            Some(Ok(ToDaemon::Stop)) => {
                self.daemon.begin_drain(Drain::Stop, Reason::ShutdownSignal);
                self.stop_service();
            }
            Some(Ok(ToDaemon::Report { token })) => {
                if let Some(asker) = Asker::of(descriptors, token) {
                    reports::tell_threads(self.daemon, &asker);
                }
            }
            Some(Ok(ToDaemon::Stack { token, of })) => {
                if let Some(asker) = Asker::of(descriptors, token) {
                    self.tell_stacks(asker, of);
                }
            }
            Some(Ok(ToDaemon::Preload(script))) => {
                if let Some(crew) = self.daemon.crew.get().filter(|_| !self.daemon.is_draining()) {
                    crew.preload(script);
                }
            }
            // It is configured once, before there is a watcher.
            Some(Ok(ToDaemon::Configure { .. } | ToDaemon::Check { .. }) | Err(_)) => {}
            None => {
                // The supervisor is dead, and httpd starts another one, which starts another
                // process of this group.
                self.is_alone = true;
                self.daemon.begin_drain(Drain::Graceful, Reason::ShutdownSignal);
                self.stop_service();
            }
        }
    }

    fn tell_stacks(&self, asker: Asker, of: Option<(u32, u64)>) {
        match of {
            Some((thread, request)) => reports::tell_stack(self.daemon, asker, thread, request),
            None => reports::tell_stacks(self.daemon, asker),
        }
    }

    /// A service script knows nothing of drains: it is asked to end as by an operator.
    fn stop_service(&self) {
        if self.daemon.spec.engine.is_service() {
            signals::terminate_first_thread();
        }
    }
}
