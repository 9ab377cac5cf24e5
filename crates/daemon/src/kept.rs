//! The connections that httpd keeps open for its next requests, and the one place where a thread
//! waits for all of them and for new ones.
//!
//! Connections report changes only (edge-triggered): what arrives on one that is served must not be
//! reported without end, and switching that off and on again would be two system calls for each
//! request. So who gives one back while another thread waits has to [`Kept::look_again`]: the change
//! may have been reported meanwhile, and found the connection in service.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::{
    event::{
        EventfdFlags,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    io::Errno,
};
use wsgi_ipc::socket::{self, TimedStream};

use crate::forked;

/// What the listener's events say.
const LISTENER: u64 = u64::MAX;

/// What a kept connection reports, and how.
const CHANGES: EventFlags = EventFlags::IN.union(EventFlags::ET);

/// A connection of httpd that a thread serves.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The connection.
    pub(crate) stream: TimedStream,
    /// Where it is known, once it has been kept.
    place: Option<usize>,
    /// Where a forked child finds it.
    forked: usize,
}

impl Connection {
    /// One that worker `index` has just accepted.
    pub(crate) fn new(stream: TimedStream, index: u32) -> Self {
        let forked = index as usize;
        forked::set_connection(forked, Some(stream.socket()));
        Self { stream, place: None, forked }
    }

    /// Whether it was kept after an earlier request.
    pub(crate) fn is_kept(&self) -> bool {
        self.place.is_some()
    }
}

/// What there is to do.
#[derive(Debug)]
pub(crate) enum Next {
    /// A new connection waits, unless another process is quicker.
    Accept,
    /// A kept connection has a request, or has ended, or had something when it was served last.
    Serve(Connection),
}

/// Where a kept connection is known.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Free,
    /// A thread serves it.
    Served,
    /// It waits for its next request.
    Waiting(TimedStream),
}

/// All kept connections of a process.
pub(crate) struct Kept {
    epoll: OwnedFd,
    /// Gives way to a new connection when the process has no other descriptor left.
    reserve: Mutex<Option<OwnedFd>>,
    places: Mutex<Vec<Place>>,
    /// The first of their places among those that a forked child closes.
    first_forked: usize,
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Kept").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Kept {
    /// None yet, with room for `count`, known to forked children from `first_forked` on.
    pub(crate) fn new(count: usize, first_forked: usize) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let places = (0..count).map(|_| Place::Free).collect();
        Ok(Self { epoll, reserve: Mutex::default(), places: Mutex::new(places), first_forked })
    }

    /// Waits for new connections behind all other processes that do: the kernel wakes the first of those
    /// that are waiting. Who is woken must have a descriptor for the connection, as nobody else is.
    pub(crate) fn queue_up(&self, listener: BorrowedFd<'_>) -> io::Result<()> {
        let mut reserve = self.reserve();
        if reserve.is_none() {
            *reserve = Some(rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?);
        }
        self.leave_queue(listener)?;
        let flags = EventFlags::IN | EventFlags::EXCLUSIVE;
        Ok(epoll::add(&self.epoll, listener, EventData::new_u64(LISTENER), flags)?)
    }

    fn leave_queue(&self, listener: BorrowedFd<'_>) -> io::Result<()> {
        match epoll::delete(&self.epoll, listener) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes room for the connection that waits at the listener, and waits for no other one until
    /// the process queues up again.
    pub(crate) fn use_reserve(&self, listener: BorrowedFd<'_>) -> io::Result<()> {
        self.leave_queue(listener)?;
        *self.reserve() = None;
        Ok(())
    }

    fn reserve(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.reserve.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there can be.
    pub(crate) fn room(&self) -> usize {
        self.places().len()
    }

    /// Where threads wait.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; a signal ends the wait with `Interrupted`.
    pub(crate) fn wait(&self) -> io::Result<Next> {
        loop {
            let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }];
            epoll::wait(&self.epoll, &mut events, None)?;
            let [Event { data, .. }] = events;
            if data.u64() == LISTENER {
                return Ok(Next::Accept);
            }
            let place = usize::try_from(data.u64()).unwrap_or(usize::MAX);
            if let Some(stream) = self.take(place) {
                let forked = self.first_forked + place;
                return Ok(Next::Serve(Connection { stream, place: Some(place), forked }));
            }
        }
    }

    fn take(&self, place: usize) -> Option<TimedStream> {
        let mut places = self.places();
        let place = places.get_mut(place)?;
        match std::mem::replace(place, Place::Served) {
            Place::Waiting(stream) => Some(stream),
            other => {
                *place = other;
                None
            }
        }
    }

    /// Keeps a connection for its next request and says where, or gives it back if that cannot be.
    pub(crate) fn keep(&self, connection: Connection) -> Result<usize, Connection> {
        let mut places = self.places();
        let is_free = |place: &Place| matches!(place, Place::Free);
        let index = connection.place.or_else(|| places.iter().position(is_free));
        let Some((index, place)) = index.and_then(|index| Some((index, places.get_mut(index)?)))
        else {
            return Err(connection);
        };
        if !connection.is_kept() {
            // Whoever is woken by it waits for the places.
            if self.watch(&connection.stream, index).is_err() {
                return Err(connection);
            }
            forked::set_connection(self.first_forked + index, Some(connection.stream.socket()));
            forked::set_connection(connection.forked, None);
        }
        *place = Place::Waiting(connection.stream);
        Ok(index)
    }

    fn watch(&self, stream: &TimedStream, index: usize) -> rustix::io::Result<()> {
        let data = EventData::new_u64(index as u64);
        epoll::add(&self.epoll, stream.socket(), data, CHANGES)
    }

    /// Reports once more what has happened to a connection, to the thread that waits.
    pub(crate) fn look_again(&self, place: usize) {
        if let Some(Place::Waiting(stream)) = self.places().get(place) {
            let data = EventData::new_u64(place as u64);
            // It was added with the same; there is nothing that could be wrong with it now.
            epoll::modify(&self.epoll, stream.socket(), data, CHANGES).ok();
        }
    }

    /// Closes a connection after its last request.
    pub(crate) fn close(&self, connection: Connection) {
        let Connection { stream, place, forked } = connection;
        if place.is_some() {
            self.unwatch(&stream);
        }
        end(stream, forked);
        if let Some(place) = place
            && let Some(place) = self.places().get_mut(place)
        {
            *place = Place::Free;
        }
    }

    /// Closes all connections that wait, and says how many: httpd sends what it may just have
    /// written there again, by a new connection.
    pub(crate) fn close_waiting(&self) -> usize {
        let mut closed = 0;
        for (index, place) in self.places().iter_mut().enumerate() {
            match std::mem::take(place) {
                Place::Waiting(stream) => {
                    self.unwatch(&stream);
                    end(stream, self.first_forked + index);
                    closed += 1;
                }
                other => *place = other,
            }
        }
        closed
    }

    fn unwatch(&self, stream: &TimedStream) {
        // Closing does not, where a forked child has a copy.
        epoll::delete(&self.epoll, stream.socket()).ok();
    }
}

/// Closes a connection that a forked child finds there.
fn end(stream: TimedStream, forked: usize) {
    forked::set_connection(forked, None);
    if forked::has_forked() {
        socket::shutdown(stream.socket());
    }
    drop(stream);
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
