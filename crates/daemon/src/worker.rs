//! A worker thread: rests, leads, and serves connections. A connection has one request, or several
//! one after the other when httpd and this process keep it.

use std::{
    io, mem,
    os::fd::{AsFd, OwnedFd},
    thread,
    time::Duration,
};

use wsgi_core::level::Level;
use wsgi_ipc::{
    room,
    socket::{self, TimedStream},
};

use crate::{
    forked,
    host::Host,
    kept::{Connection, Next},
    leader::Member,
    progress::WorkerState,
    serving::Serving,
    state::Daemon,
};

/// How long to wait when the process has no descriptor left for a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// One worker thread of a daemon process.
pub(crate) struct Worker<'a> {
    daemon: &'a Daemon,
    host: &'a dyn Host,
    state: &'a WorkerState,
    serving: Serving<'a>,
    /// Counts from 0 in the process.
    index: u32,
    /// The process has got in line for new connections since this thread leads.
    is_queued: bool,
    /// More new connections may wait: there was one the last time.
    may_accept: bool,
    /// It is the listener's turn.
    is_listeners_turn: bool,
    /// How often in a row no connection could be accepted.
    failures: u32,
}

impl<'a> Worker<'a> {
    /// The worker with this index, if there is a place for it.
    pub(crate) fn new(daemon: &'a Daemon, host: &'a dyn Host, index: u32) -> Option<Self> {
        let state = daemon.workers.get(index as usize)?;
        let serving = Serving::new(daemon, host, state, index);
        Some(Self {
            daemon,
            host,
            state,
            serving,
            index,
            is_queued: false,
            may_accept: false,
            is_listeners_turn: false,
            failures: 0,
        })
    }

    /// Serves until the process drains.
    pub(crate) fn run(&mut self) {
        self.state.adopt_thread();
        let daemon = self.daemon;
        let member = daemon.leader.member(self.index, daemon);
        while !self.is_leaving() && member.rest() {
            self.is_queued = false;
            while !self.is_leaving() && self.lead(&member) {}
        }
        let is_last = daemon.is_draining() || !member.is_attended();
        drop(member);
        if is_last {
            // Nobody waits for what was kept meanwhile.
            self.close_kept();
        }
        self.host.thread_end();
    }

    fn is_leaving(&self) -> bool {
        self.state.is_written_off() || self.daemon.is_draining()
    }

    /// Waits for a request and serves it; whether this thread waits for the next one as well.
    fn lead(&mut self, member: &Member<'_>) -> bool {
        let connection = match self.await_connection() {
            Ok(connection) => {
                self.failures = 0;
                connection
            }
            Err(error) => return self.judge_error(&error),
        };
        if !member.begin() {
            // Nobody would notice the next requests of the others while this one runs.
            self.close_kept();
        }
        let place = self.serve(connection, member);
        let leads = member.end();
        if let Some(place) = place.filter(|_| !leads) {
            self.daemon.kept.look_again(place);
        }
        leads
    }

    /// Waits for a connection with a request. Where there are kept and new ones they take turns; epoll
    /// would give the listener one turn after those of all kept connections.
    fn await_connection(&mut self) -> io::Result<Connection> {
        if !self.is_queued {
            self.daemon.kept.queue_up(self.daemon.listener.as_fd())?;
            self.is_queued = true;
        } else if mem::take(&mut self.is_listeners_turn) && self.may_accept {
            return self.accept();
        }
        // Before the check: a drain that begins after it finds this thread waiting and wakes it,
        // again and again until it has gone.
        self.state.begin_wait();
        let next = match self.daemon.is_draining() {
            true => Err(io::Error::from(io::ErrorKind::Interrupted)),
            false => self.daemon.kept.wait(),
        };
        self.state.end_wait();
        match next? {
            Next::Serve(connection) => {
                self.is_listeners_turn = true;
                Ok(connection)
            }
            Next::Accept => self.accept(),
        }
    }

    fn accept(&mut self) -> io::Result<Connection> {
        let listener = self.daemon.listener.as_fd();
        let accepted = socket::accept(listener);
        self.may_accept = accepted.is_ok();
        let connection = match accepted {
            Err(error) if socket::is_out_of_descriptors(&error) => {
                self.daemon.kept.use_reserve(listener)?;
                self.is_queued = false;
                socket::accept(listener)?
            }
            accepted => accepted?,
        };
        self.size_buffers(&connection);
        let stream = TimedStream::new(connection, self.daemon.spec.socket_timeout);
        Ok(Connection::new(stream, self.index))
    }

    /// No connection could be had; whether this thread goes on waiting.
    fn judge_error(&mut self, error: &io::Error) -> bool {
        let is_passing = matches!(
            error.kind(),
            // The second one is that of another process that was quicker.
            io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock
                | io::ErrorKind::ConnectionAborted
        );
        if is_passing {
            return true;
        }
        self.failures = self.failures.saturating_add(1);
        // Ever more rarely: what lasts must not fill the log.
        if self.failures.is_power_of_two() {
            let text = format!("WSGI1201: Unable to accept a connection of httpd: {error}.");
            self.daemon.log.log(Level::CRIT, &text);
        }
        // It also gives descriptors back.
        self.close_kept();
        thread::sleep(PAUSE);
        true
    }

    fn close_kept(&self) {
        for _ in 0..self.daemon.kept.close_waiting() {
            self.daemon.slots.remove_kept(self.daemon.first_slot);
        }
    }

    /// Accepted sockets do not take these over from their listener. Sizes that the system does not
    /// allow were logged when httpd set them there.
    fn size_buffers(&self, connection: &OwnedFd) {
        let buffers = self.daemon.spec.buffers;
        if buffers.send > 0 {
            socket::set_send_buffer(connection.as_fd(), buffers.send).ok();
        }
        if buffers.receive > 0 {
            socket::set_receive_buffer(connection.as_fd(), buffers.receive).ok();
        }
    }

    /// Serves a request of a connection; where that is kept for the next one, if it is.
    fn serve(&mut self, connection: Connection, member: &Member<'_>) -> Option<usize> {
        let (daemon, is_kept) = (self.daemon, connection.is_kept());
        let state = self.state;
        let socket = connection.stream.socket();
        let may_keep = || {
            let is_leaving = daemon.is_draining() || state.is_written_off();
            let is_welcome = || daemon.has_share_left() && !room::is_scarce(socket);
            !is_leaving && member.is_attended() && (is_kept || is_welcome())
        };
        let keeps = self.serving.serve(&connection, &may_keep);
        if forked::is_forked() {
            // A copy of this thread came back from the application: it has nothing to serve.
            // SAFETY: ends the process without running anything of its parent's.
            unsafe { libc::_exit(0) };
        }
        if keeps && !is_kept {
            daemon.slots.add_kept(daemon.first_slot);
        }
        let kept = if keeps { daemon.kept.keep(connection) } else { Err(connection) };
        let place = kept.map_err(|connection| daemon.kept.close(connection)).ok();
        if place.is_none() && (keeps || is_kept) {
            daemon.slots.remove_kept(daemon.first_slot);
        }
        place
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
