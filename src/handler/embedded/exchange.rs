//! What the engine sees of a request that runs here.

use std::{ffi::c_void, os::fd::BorrowedFd};

use wsgi_core::{
    activity::{Activity, Doing},
    exchange::{BodyError, Exchange, Pace, SendError, Source},
    head::ResponseHead,
    level::Level,
};
use wsgi_ipc::clock::nanoseconds;

use super::side::Side;
use crate::{
    apache::{
        exclusive::{Exclusive, Shared},
        log,
    },
    handler::flusher::{self, DELAY, Flush},
};

/// A request served in this child.
pub(super) struct ApacheExchange<'r> {
    side: Exclusive<'r, Side<'static>>,
    /// What its thread does.
    activity: Option<&'r Activity>,
}

/// What the flusher gets.
struct Pending(Shared<Side<'static>>);

impl Flush for Pending {
    fn flush(&self) {
        let mut side = self.0.lock();
        let Some(side) = side.as_mut() else { return };
        side.is_scheduled = false;
        if side.responder.is_unflushed() {
            // A client that has gone shows at the application's next write.
            side.flush().ok();
        }
    }
}

impl<'r> ApacheExchange<'r> {
    /// Of a request, and of what its thread does if somebody looks on.
    pub(super) fn new(side: Exclusive<'r, Side<'static>>, activity: Option<&'r Activity>) -> Self {
        Self { side, activity }
    }

    /// The engine has done with it.
    pub(super) fn end(&self) -> Option<Side<'static>> {
        self.side.take()
    }

    fn with<T>(&self, action: impl FnOnce(&mut Side<'static>) -> T) -> Result<T, SendError> {
        self.side.lock().as_mut().map(action).ok_or(SendError::ClientGone)
    }

    /// The same for what is sent.
    fn send<T>(&self, action: impl FnOnce(&mut Side<'static>) -> T) -> Result<T, SendError> {
        self.with(|side| sending(self.activity, || action(side)))
    }
}

impl Exchange for ApacheExchange<'_> {
    fn begin(&self) {}

    fn read_body(&self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        let mut read = || self.with(|side| side.read(buffer));
        let result = match self.activity {
            Some(activity) => activity.during(Doing::Reading, read),
            None => read(),
        };
        result.map_err(|error| BodyError { reason: error.to_string() })?
    }

    fn seek_body(&self, position: u64) -> Result<(), BodyError> {
        self.with(|side| side.seek(position))
            .map_err(|error| BodyError { reason: error.to_string() })?
    }

    fn is_aborted(&self) -> bool {
        self.with(|side| side.request.client_has_gone()).unwrap_or(true)
    }

    fn send_head(&self, head: &ResponseHead<'_>) -> Result<(), SendError> {
        self.with(|side| {
            side.status = head.status;
            side.responder.head(head);
        })
    }

    fn write(&self, block: &[u8], pace: Pace) -> Result<(), SendError> {
        // What is only put by takes no time worth looking at a clock for.
        if pace == Pace::More
            && let Some(held) = self.with(|side| side.hold(block))?
        {
            return held;
        }
        self.send(|side| {
            if pace == Pace::More || side.is_scheduled {
                return side.write(block, Pace::More);
            }
            let is_burst = side.flushed.is_some_and(|last| last.elapsed() < DELAY);
            if is_burst && flusher::schedule(Box::new(Pending(self.side.share()))) {
                side.is_scheduled = true;
                return side.write(block, Pace::More);
            }
            side.write(block, pace)?;
            side.flush()
        })?
    }

    fn send_file(&self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), SendError> {
        self.send(|side| side.responder.write_file(file, offset, length))?
    }

    fn activity(&self) -> Option<&Activity> {
        self.activity
    }

    fn request_record(&self) -> *mut c_void {
        self.with(|side| side.request.untyped()).unwrap_or(std::ptr::null_mut())
    }

    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>) {
        // Once the request is over the engine logs to the process's log.
        self.with(|side| log::application(Some(side.request), level, record, source)).ok();
    }
}

/// Sends, as those who look on see it.
pub(super) fn sending<T>(activity: Option<&Activity>, send: impl FnOnce() -> T) -> T {
    match activity {
        Some(activity) => activity.sending(nanoseconds, send),
        None => send(),
    }
}
