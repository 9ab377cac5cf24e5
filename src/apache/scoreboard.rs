//! A copy of httpd's scoreboard.
//!
//! Every child writes there without a lock, at any moment: what is read is copied first, numbers
//! are taken as they come, texts end where their field does.

use std::ffi::{c_char, c_int};

use wsgi_core::server_metrics::{Process, ServerMetrics, Worker};

use super::mpm;
use crate::ffi;

/// Process ids of httpd's children, also of those that a restart has asked to end; none where
/// there is no scoreboard yet.
pub(crate) fn children() -> Vec<c_int> {
    if !exists() {
        return Vec::new();
    }
    let (servers, _) = mpm::limits();
    let places = (0..servers).map_while(place);
    places.map(|place| place.pid).filter(|pid| *pid != 0).collect()
}

fn exists() -> bool {
    // SAFETY: no memory involved.
    unsafe { ffi::ap_exists_scoreboard_image() != 0 }
}

/// The scoreboard; `None` where there is none yet.
pub(crate) fn read() -> Option<ServerMetrics> {
    if !exists() {
        return None;
    }
    // SAFETY: there is a scoreboard; it stays until httpd ends.
    let global = unsafe { ffi::ap_get_scoreboard_global() };
    // SAFETY: null or a record of the scoreboard, copied at once.
    let global = unsafe { (!global.is_null()).then(|| global.read_volatile()) }?;
    let (servers, threads) = mpm::limits();
    Some(ServerMetrics {
        server_limit: servers.cast_unsigned(),
        thread_limit: threads.cast_unsigned(),
        running_generation: global.running_generation,
        restart_time: global.restart_time,
        // SAFETY: no memory involved.
        current_time: unsafe { ffi::apr_time_now() },
        processes: (0..servers).map_while(|server| process(server, threads)).collect(),
    })
}

/// The place of a child.
fn place(server: c_int) -> Option<ffi::process_score> {
    // SAFETY: httpd checks the number and answers null beyond its limit.
    let place = unsafe { ffi::ap_get_scoreboard_process(server) };
    // SAFETY: null or a record of the scoreboard, copied at once.
    unsafe { (!place.is_null()).then(|| place.read_volatile()) }
}

fn process(server: c_int, threads: c_int) -> Option<Process> {
    let place = place(server)?;
    Some(Process {
        pid: place.pid,
        generation: place.generation,
        is_quiescing: place.quiescing != 0,
        workers: (0..threads).map_while(|thread| worker(server, thread)).collect(),
    })
}

/// The place of a thread.
fn worker(server: c_int, thread: c_int) -> Option<Worker> {
    // SAFETY: httpd checks the numbers and answers null beyond its limits.
    let place = unsafe { ffi::ap_get_scoreboard_worker_from_indexes(server, thread) };
    // SAFETY: null or a record of the scoreboard, copied at once; any bytes are a valid one.
    let place = unsafe { (!place.is_null()).then(|| place.read_volatile()) }?;
    let client = match text(&place.client64) {
        client if client.is_empty() => text(&place.client),
        client => client,
    };
    Some(Worker {
        generation: place.generation,
        status: place.status,
        access_count: place.access_count,
        bytes_served: u64::try_from(place.bytes_served).unwrap_or(0),
        start_time: place.start_time,
        stop_time: place.stop_time,
        last_used: place.last_used,
        client,
        request: text(&place.request),
        vhost: text(&place.vhost),
    })
}

/// A text in its field: up to the first NUL, or all of it.
fn text(field: &[c_char]) -> Vec<u8> {
    #[allow(clippy::unnecessary_cast, reason = "c_char is unsigned on some machines")]
    field.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect()
}
