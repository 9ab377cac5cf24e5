//! The C-ABI border to the library that hosts CPython: our table for it, calls of its table.

use std::{
    ffi::c_void,
    os::fd::BorrowedFd,
    path::Path,
    slice,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use wsgi_core::{
    decide::Verdict,
    embedded::{Answer, EmbeddedTable, HostTable, LogSource, Reason, failure, served},
    exchange::{Exchange, Outcome, Pace, SendError, Source},
    head::ResponseHead,
    level::Level,
};

use super::{guard::guard, library, log, scoreboard};

/// CPython in this process.
#[derive(Clone, Copy)]
pub(crate) struct PythonHost(&'static EmbeddedTable);

/// The one of this process; a child starts it once.
static HOST: OnceLock<PythonHost> = OnceLock::new();

impl PythonHost {
    /// Loads the library and starts CPython with the JSON of an
    /// [`wsgi_core::control::EngineSpec`].
    pub(crate) fn start(path: &Path, spec: &[u8]) -> Result<(), String> {
        let table = library::load_python_host(path)?;
        let mut reason = Reason::EMPTY;
        // SAFETY: a table of our ABI; spec and reason are live during the call, the host table
        // for ever.
        let status =
            unsafe { (table.start)(&raw const TABLE, spec.as_ptr(), spec.len(), &raw mut reason) };
        if status != 0 {
            return Err(reason.get());
        }
        // A second start in one process would be refused by the library.
        HOST.set(Self(table)).ok();
        Ok(())
    }

    /// The one that was started in this process.
    pub(crate) fn get() -> Option<Self> {
        HOST.get().copied()
    }

    /// Answers a request in the thread with this number.
    pub(crate) fn serve(self, exchange: &dyn Exchange, thread: u32, head: &[u8]) -> Outcome {
        let _running = Running::enter();
        let activity = exchange.activity().map_or(std::ptr::null(), std::ptr::from_ref);
        let exchange: *const &dyn Exchange = &raw const exchange;
        let (place, start, length) = (exchange.cast_mut().cast(), head.as_ptr(), head.len());
        // SAFETY: a table of our ABI; exchange, what it says it does, and head are live during
        // the call.
        let status = unsafe { (self.0.serve)(place, activity, thread, start, length) };
        match status {
            served::COMPLETED => Outcome::Completed,
            served::TRUNCATED => Outcome::Truncated,
            status => Outcome::Failed(u16::try_from(status).unwrap_or(500)),
        }
    }

    /// Asks a script that decides; `question` is an encoded [`wsgi_core::decide::Question`].
    pub(crate) fn decide(self, exchange: &dyn Exchange, question: &[u8]) -> Verdict {
        let _running = Running::enter();
        let exchange: *const &dyn Exchange = &raw const exchange;
        let mut verdict = Verdict::Failed;
        let (start, length) = (question.as_ptr(), question.len());
        let place = (&raw mut verdict).cast();
        // SAFETY: a table of our ABI; exchange, question and verdict are live during the call,
        // and `take_verdict` is given the pointer to a verdict that it expects.
        unsafe {
            (self.0.decide)(exchange.cast_mut().cast(), start, length, take_verdict, place);
        }
        verdict
    }

    /// Ends CPython, best effort: not while httpd's threads still run requests (they are not
    /// ours to wait for). An application may take as long as it likes.
    pub(crate) fn stop(self) {
        if Running::count() == 0 {
            // SAFETY: a table of our ABI; no request runs.
            unsafe { (self.0.stop)() };
        }
    }
}

/// A request inside of the library.
struct Running;

static RUNNING: AtomicUsize = AtomicUsize::new(0);

impl Running {
    fn enter() -> Self {
        RUNNING.fetch_add(1, Ordering::Relaxed);
        Self
    }

    fn count() -> usize {
        RUNNING.load(Ordering::Relaxed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

static TABLE: HostTable = HostTable {
    begin,
    read_body,
    seek_body,
    is_aborted,
    send_head,
    write,
    send_file,
    tls_variable,
    request_record,
    server_metrics,
    log: log_record,
};

/// # Safety
/// `exchange` is null or the pointer that `serve` passed, during that call.
unsafe fn exchange_of<'e>(exchange: *mut c_void) -> Option<&'e dyn Exchange> {
    // SAFETY: `serve` passes a pointer to a reference that lives as long as the call.
    unsafe { exchange.cast::<&dyn Exchange>().as_ref() }.copied()
}

/// # Safety
/// A non-null `reason` is room for a reason.
unsafe fn fail(reason: *mut Reason, number: isize, text: &str) -> isize {
    // SAFETY: the caller promises room or null.
    if let Some(reason) = unsafe { reason.as_mut() } {
        reason.set(text);
    }
    number
}

/// # Safety
/// A non-null `reason` is room for a reason.
unsafe fn answer(result: Result<(), SendError>, reason: *mut Reason) -> isize {
    match result {
        Ok(()) => 0,
        // SAFETY: the caller promises room or null.
        Err(error @ SendError::ClientGone) => unsafe {
            fail(reason, failure::CLIENT_GONE, &error.to_string())
        },
        // SAFETY: the caller promises room or null.
        Err(SendError::Failed(text)) => unsafe { fail(reason, failure::OTHER, &text) },
    }
}

/// # Safety
/// `data` is null or points to `length` bytes that live for `'d`.
unsafe fn bytes<'d>(data: *const u8, length: usize) -> &'d [u8] {
    if data.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: the caller promises the rest.
    unsafe { slice::from_raw_parts(data, length) }
}

unsafe extern "C" fn take_verdict(place: *mut c_void, verdict: *const u8, length: usize) {
    guard("take_verdict", || {
        // SAFETY: the library passes the bytes of a verdict for the call.
        let decoded = Verdict::decode(unsafe { bytes(verdict, length) });
        // SAFETY: `decide` passes a pointer to its verdict, which nobody uses meanwhile.
        if let Some(place) = unsafe { place.cast::<Verdict>().as_mut() } {
            *place = decoded.unwrap_or(Verdict::Failed);
        }
    })
}

unsafe extern "C" fn tls_variable(
    exchange: *mut c_void,
    name: *const u8,
    length: usize,
    answer: Answer,
    place: *mut c_void,
) {
    guard("tls_variable", || {
        // SAFETY: the library passes the pointer that it was given.
        let Some(exchange) = (unsafe { exchange_of(exchange) }) else { return };
        // SAFETY: the library passes the bytes of a name for the call.
        if let Some(value) = exchange.tls_variable(unsafe { bytes(name, length) }) {
            // SAFETY: the library's function with its place; bytes with their length.
            unsafe { answer(place, value.as_ptr(), value.len()) };
        }
    })
}

unsafe extern "C" fn request_record(exchange: *mut c_void) -> *mut c_void {
    guard("request_record", || {
        // SAFETY: the library passes the pointer that it was given.
        let exchange = unsafe { exchange_of(exchange) };
        exchange.map_or(std::ptr::null_mut(), Exchange::request_record)
    })
}

unsafe extern "C" fn server_metrics(answer: Answer, place: *mut c_void) {
    guard("server_metrics", || {
        if let Some(metrics) = scoreboard::read() {
            let bytes = metrics.encode();
            // SAFETY: the library's function with its place; bytes with their length.
            unsafe { answer(place, bytes.as_ptr(), bytes.len()) };
        }
    })
}

unsafe extern "C" fn begin(exchange: *mut c_void) {
    guard("begin", || {
        // SAFETY: the library passes the pointer that it was given.
        if let Some(exchange) = unsafe { exchange_of(exchange) } {
            exchange.begin();
        }
    })
}

unsafe extern "C" fn read_body(
    exchange: *mut c_void,
    buffer: *mut u8,
    capacity: usize,
    reason: *mut Reason,
) -> isize {
    guard("read_body", || {
        // SAFETY: the library passes the pointer that it was given.
        let Some(exchange) = (unsafe { exchange_of(exchange) }) else { return failure::OTHER };
        // SAFETY: the library passes a buffer of this capacity (initialised) for the call.
        let buffer = unsafe { slice::from_raw_parts_mut(buffer, capacity) };
        match exchange.read_body(buffer) {
            Ok(length) => isize::try_from(length).unwrap_or(failure::OTHER),
            // SAFETY: the library passes room for a reason.
            Err(error) => unsafe { fail(reason, failure::OTHER, &error.reason) },
        }
    })
}

unsafe extern "C" fn seek_body(exchange: *mut c_void, position: u64, reason: *mut Reason) -> isize {
    guard("seek_body", || {
        // SAFETY: the library passes the pointer that it was given.
        let Some(exchange) = (unsafe { exchange_of(exchange) }) else { return failure::OTHER };
        match exchange.seek_body(position) {
            Ok(()) => 0,
            // SAFETY: the library passes room for a reason.
            Err(error) => unsafe { fail(reason, failure::OTHER, &error.reason) },
        }
    })
}

unsafe extern "C" fn is_aborted(exchange: *mut c_void) -> isize {
    guard("is_aborted", || {
        // SAFETY: the library passes the pointer that it was given.
        let exchange = unsafe { exchange_of(exchange) };
        isize::from(exchange.is_none_or(Exchange::is_aborted))
    })
}

unsafe extern "C" fn send_head(
    exchange: *mut c_void,
    head: *const u8,
    length: usize,
    reason: *mut Reason,
) -> isize {
    guard("send_head", || {
        // SAFETY: the library passes the pointer that it was given.
        let Some(exchange) = (unsafe { exchange_of(exchange) }) else { return failure::OTHER };
        // SAFETY: the library passes the bytes of a head for the call.
        let result = match ResponseHead::decode(unsafe { bytes(head, length) }) {
            Ok(head) => exchange.send_head(&head),
            Err(error) => Err(SendError::Failed(error.to_string())),
        };
        // SAFETY: the library passes room for a reason.
        unsafe { answer(result, reason) }
    })
}

unsafe extern "C" fn write(
    exchange: *mut c_void,
    block: *const u8,
    length: usize,
    more: u8,
    reason: *mut Reason,
) -> isize {
    guard("write", || {
        // SAFETY: the library passes the pointer that it was given.
        let Some(exchange) = (unsafe { exchange_of(exchange) }) else { return failure::OTHER };
        let pace = if more == 1 { Pace::More } else { Pace::Unknown };
        // SAFETY: the library passes the bytes of a block for the call.
        let result = exchange.write(unsafe { bytes(block, length) }, pace);
        // SAFETY: the library passes room for a reason.
        unsafe { answer(result, reason) }
    })
}

unsafe extern "C" fn send_file(
    exchange: *mut c_void,
    file: i32,
    offset: u64,
    length: u64,
    reason: *mut Reason,
) -> isize {
    guard("send_file", || {
        // SAFETY: the library passes the pointer that it was given.
        let Some(exchange) = (unsafe { exchange_of(exchange) }) else { return failure::OTHER };
        if file < 0 {
            return failure::OTHER;
        }
        // SAFETY: the library passes a descriptor that stays open for the call.
        let file = unsafe { BorrowedFd::borrow_raw(file) };
        let result = exchange.send_file(file, offset, length);
        // SAFETY: the library passes room for a reason.
        unsafe { answer(result, reason) }
    })
}

unsafe extern "C" fn log_record(
    exchange: *mut c_void,
    level: u8,
    record: *const u8,
    length: usize,
    source: *const LogSource,
) {
    guard("log", || {
        let level = Level::from_number(level);
        // SAFETY: the library passes the bytes of a record for the call.
        let record = String::from_utf8_lossy(unsafe { bytes(record, length) });
        // SAFETY: the library passes null or a place that lasts for the call.
        let source = unsafe { source.as_ref() };
        let file = source.map(|source| {
            // SAFETY: as above, with the bytes of the file's name.
            String::from_utf8_lossy(unsafe { bytes(source.file, source.length) })
        });
        let line = source.map_or(0, |source| source.line);
        let source = file.as_deref().map(|file| Source { file, line });
        // SAFETY: the library passes null or the pointer that it was given.
        match unsafe { exchange_of(exchange) } {
            Some(exchange) => exchange.log(level, &record, source),
            None => log::application(None, level, &record, source),
        }
    })
}
