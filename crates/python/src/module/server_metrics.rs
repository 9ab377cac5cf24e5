//! `mod_wsgi.server_metrics()`: what httpd's children are doing.

use pyo3_ffi as ffi;
use wsgi_core::server_metrics::{ServerMetrics, Worker};

use super::entries::Entries;
use crate::{
    guard::guard,
    log,
    object::{Object, Py, PyResult},
    runtime::Runtime,
};

pub(super) unsafe extern "C" fn server_metrics(
    _module: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("server_metrics", |py| {
        let may_see = Runtime::current().is_some_and(|runtime| runtime.spec().server_metrics);
        match may_see.then(|| py.detached(log::server_metrics)).flatten() {
            Some(metrics) => scoreboard(py, &metrics),
            None => Ok(py.none()),
        }
    })
}

/// What `server_metrics()` returns.
fn scoreboard<'py>(py: Py<'py>, metrics: &ServerMetrics) -> PyResult<Object<'py>> {
    let entries = Entries::new(py)?;
    entries.int("server_limit", metrics.server_limit.into())?;
    entries.int("thread_limit", metrics.thread_limit.into())?;
    entries.signed("running_generation", metrics.running_generation.into())?;
    entries.stamp("restart_time", metrics.restart_time)?;
    entries.stamp("current_time", metrics.current_time)?;
    let age = metrics.current_time.saturating_sub(metrics.restart_time) / 1_000_000;
    entries.signed("running_time", age)?;
    let processes = (0..).zip(&metrics.processes).map(|(number, process)| {
        let entries = Entries::new(py)?;
        entries.int("process_num", number)?;
        entries.signed("pid", process.pid.into())?;
        entries.signed("generation", process.generation.into())?;
        entries.object("quiescing", &*py.boolean(process.is_quiescing)?)?;
        let workers = (0..).zip(&process.workers);
        entries.list("workers", workers.map(|(number, worker)| place(py, number, worker)))?;
        Ok(entries.finish())
    });
    entries.list("processes", processes)?;
    Ok(entries.finish())
}

/// A thread's part of it.
fn place<'py>(py: Py<'py>, number: u64, worker: &Worker) -> PyResult<Object<'py>> {
    let entries = Entries::new(py)?;
    entries.int("thread_num", number)?;
    entries.signed("generation", worker.generation.into())?;
    entries.object("status", &*py.text(worker.sign())?)?;
    entries.int("access_count", worker.access_count)?;
    entries.int("bytes_served", worker.bytes_served)?;
    for (name, time) in [
        ("start_time", worker.start_time),
        ("stop_time", worker.stop_time),
        ("last_used", worker.last_used),
    ] {
        entries.stamp(name, time)?;
    }
    for (name, text) in
        [("client", &worker.client), ("request", &worker.request), ("vhost", &worker.vhost)]
    {
        entries.object(name, &*py.latin1(text)?)?;
    }
    Ok(entries.finish())
}
