//! CPython for httpd's children: the library that the httpd module loads in embedded placement.
//!
//! It exports one symbol, `wsgi_embedded_entry`, and speaks the table of
//! [`wsgi_core::embedded`]; `exchange.rs` turns the host's half of it into an
//! [`wsgi_core::exchange::Exchange`]. All the rest is `wsgi-python`.

mod exchange;
mod guard;

use std::ffi::c_void;
use std::sync::OnceLock;

use wsgi_core::{
    activity::Activity,
    control::{self, EngineSpec},
    decide::Verdict,
    embedded::{ABI, Answer, EmbeddedTable, HostTable, Reason, served},
    exchange::{Exchange, Outcome, Source},
    head::RequestHead,
    level::Level,
};
use wsgi_python::{Notices, Runtime};

use exchange::{HostExchange, log_to_host, server_metrics, slice, tell};
use guard::guard;

/// What [`start`] leaves for the requests.
struct Started {
    host: HostTable,
    runtime: &'static Runtime,
}

static STARTED: OnceLock<Started> = OnceLock::new();

static TABLE: EmbeddedTable = EmbeddedTable { start, serve, decide, stop };

/// The library's table for a host of the same build; null for any other.
#[unsafe(no_mangle)]
pub extern "C" fn wsgi_embedded_entry(abi: u32) -> *const EmbeddedTable {
    guard(
        "entry",
        std::ptr::null(),
        || if abi == ABI { &raw const TABLE } else { std::ptr::null() },
    )
}

unsafe extern "C" fn start(
    host: *const HostTable,
    spec: *const u8,
    length: usize,
    reason: *mut Reason,
) -> i32 {
    guard("start", -1, || {
        // SAFETY: the host passes its table, which is copied, or null.
        let Some(host) = (unsafe { host.as_ref() }) else { return -1 };
        // SAFETY: the host passes the bytes of the configuration.
        let spec = unsafe { slice(spec, length) };
        match start_runtime(*host, spec) {
            Ok(()) => 0,
            Err(text) => {
                // SAFETY: the host passes a place for the reason, or null.
                unsafe { tell(reason, &text) };
                -1
            }
        }
    })
}

fn start_runtime(host: HostTable, spec: &[u8]) -> Result<(), String> {
    let spec: EngineSpec =
        control::decode(spec).map_err(|error| format!("bad engine configuration: {error}"))?;
    let log = Box::new(HostLog { host, level: spec.log_level });
    let runtime = Runtime::start(spec, log).map_err(|error| error.to_string())?;
    // Called once: Runtime::start refuses a second time.
    STARTED.set(Started { host, runtime }).ok();
    runtime.run_import_scripts(&|| false);
    Ok(())
}

unsafe extern "C" fn serve(
    exchange: *mut c_void,
    activity: *const Activity,
    thread: u32,
    head: *const u8,
    length: usize,
) -> i32 {
    guard("serve", 500, || {
        let Some(started) = STARTED.get() else { return 500 };
        // SAFETY: the host passes the bytes of the head, valid during this call.
        let head = unsafe { slice(head, length) };
        // SAFETY: the host keeps both valid during this call.
        let exchange = unsafe { HostExchange::new(started.host, exchange, activity) };
        let outcome = match RequestHead::decode(head) {
            Ok(head) => started.runtime.serve(&head, &exchange, thread, 0),
            Err(error) => {
                let text = format!("WSGI0080: cannot read the request: {error}");
                exchange.log(Level::ERROR, &text, None);
                Outcome::Failed(500)
            }
        };
        match outcome {
            Outcome::Completed => served::COMPLETED,
            Outcome::Truncated => served::TRUNCATED,
            Outcome::Failed(status) => status.into(),
            // Only daemon processes are replaced.
            Outcome::Stale => 500,
        }
    })
}

unsafe extern "C" fn decide(
    exchange: *mut c_void,
    question: *const u8,
    length: usize,
    answer: Answer,
    place: *mut c_void,
) {
    guard("decide", (), || {
        let verdict = match STARTED.get() {
            Some(started) => {
                // SAFETY: the host passes the bytes of the question, valid during this call.
                let question = unsafe { slice(question, length) };
                // SAFETY: the host keeps its exchange valid during this call.
                let exchange =
                    unsafe { HostExchange::new(started.host, exchange, std::ptr::null()) };
                started.runtime.decide(question, &exchange)
            }
            None => Verdict::Failed,
        };
        let bytes = verdict.encode();
        // SAFETY: the host's function with the host's place; bytes with their length.
        unsafe { answer(place, bytes.as_ptr(), bytes.len()) }
    })
}

unsafe extern "C" fn stop() {
    guard("stop", (), || {
        if let Some(started) = STARTED.get() {
            let runtime = started.runtime;
            // httpd does not say why its child ends.
            runtime.application_groups().iter().for_each(|group| runtime.announce_stop(group, ""));
            runtime.stop();
        }
    })
}

/// The server's error log.
struct HostLog {
    host: HostTable,
    /// What of it is written.
    level: Level,
}

impl Notices for HostLog {
    fn log(&self, level: Level, record: &str, source: Option<Source<'_>>) {
        // SAFETY: a null exchange means the server.
        unsafe { log_to_host(&self.host, std::ptr::null_mut(), level, record, source) }
    }

    fn accepts(&self, level: Level) -> bool {
        level <= self.level
    }

    fn server_metrics(&self) -> Option<Vec<u8>> {
        server_metrics(&self.host)
    }
}
