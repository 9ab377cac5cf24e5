//! The functions of `mod_wsgi` that tell what requests cost.

use std::time::Duration;

use pyo3_ffi as ffi;
use wsgi_core::metrics::{Done, Phase, Report, Times, Usage};

use super::{
    entries::{Entries, int, wide},
    server_metrics,
};

use crate::{
    guard::guard,
    metrics::{Cumulative, Sample},
    object::{Object, Py, PyResult},
    runtime::Runtime,
    types::{Table, documented, method},
};

/// The functions.
pub(super) static METHODS: Table<[ffi::PyMethodDef; 5]> = Table::new([
    documented(
        method(c"start_recording_metrics", start_recording_metrics, ffi::METH_NOARGS),
        c"start_recording_metrics()\n--\n\nCounts what requests cost from now on.",
    ),
    documented(
        method(c"request_metrics", request_metrics, ffi::METH_NOARGS),
        c"request_metrics()\n--\n\nWhat requests have cost since the last call, or None.",
    ),
    documented(
        method(c"process_metrics", process_metrics, ffi::METH_NOARGS),
        c"process_metrics()\n--\n\nWhat the process has done since it began, or None.",
    ),
    documented(
        method(c"server_metrics", server_metrics::server_metrics, ffi::METH_NOARGS),
        c"server_metrics()\n--\n\nWhat httpd's children are doing, or None.",
    ),
    ffi::PyMethodDef::zeroed(),
]);

unsafe extern "C" fn start_recording_metrics(
    _module: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("start_recording_metrics", |py| {
        if let Some(runtime) = Runtime::current() {
            runtime.metrics().record();
        }
        Ok(py.none())
    })
}

unsafe extern "C" fn request_metrics(
    _module: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("request_metrics", |py| {
        match Runtime::current().and_then(|runtime| runtime.metrics().sample()) {
            Some(sample) => interval(py, &sample),
            None => Ok(py.none()),
        }
    })
}

unsafe extern "C" fn process_metrics(
    _module: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("process_metrics", |py| {
        match Runtime::current().and_then(|runtime| runtime.metrics().cumulative()) {
            Some(cumulative) => since_the_beginning(py, &cumulative),
            None => Ok(py.none()),
        }
    })
}

/// What `request_metrics()` returns.
fn interval<'py>(py: Py<'py>, sample: &Sample) -> PyResult<Object<'py>> {
    let (entries, report) = (Entries::new(py)?, &sample.report);
    entries.int("pid", std::process::id().into())?;
    entries.stamp("start_time", sample.start)?;
    entries.stamp("stop_time", sample.stop)?;
    entries.float("sample_period", report.period.as_secs_f64())?;
    add_memory(&entries, &sample.usage)?;
    add_rates(&entries, report)?;
    for (class, count) in (1..).zip(report.statuses) {
        entries.int(&format!("status_{class}xx"), count)?;
    }
    for (name, flow) in [("input", &report.input), ("output", &report.output)] {
        entries.int(&format!("{name}_bytes"), flow.bytes)?;
    }
    entries.int("input_reads", report.input.count)?;
    entries.int("output_writes", report.output.count)?;
    let is_daemon = Runtime::current().is_some_and(|runtime| runtime.spec().is_daemon);
    for (phase, times) in Phase::ALL.into_iter().zip(&report.phases) {
        let is_there = is_daemon || !matches!(phase, Phase::Queue | Phase::Daemon);
        add_phase(&entries, phase.name(), times, is_there)?;
    }
    entries.int("gil_wait_count", report.lock_waits)?;
    add_slots(&entries, &report.slots)?;
    Ok(entries.finish())
}

fn add_rates(entries: &Entries<'_>, report: &Report) -> PyResult<()> {
    let [user, system] = report.cpu_rates;
    for (mode, rate) in [("cpu_user", user), ("cpu_system", system), ("cpu", user + system)] {
        entries.float(&format!("{mode}_utilization"), rate)?;
        // An old name, which says less.
        entries.float(&format!("{mode}_time"), rate)?;
    }
    entries.int("request_threads_maximum", wide(report.threads))?;
    entries.int("request_threads_started", wide(report.started))?;
    entries.int("request_threads_active", wide(report.active))?;
    entries.float("capacity_utilization", report.capacity)?;
    entries.int("request_count", report.count)?;
    entries.float("request_throughput", report.throughput)
}

fn add_memory(entries: &Entries<'_>, usage: &Usage) -> PyResult<()> {
    entries.int("memory_rss", usage.memory)?;
    entries.int("memory_max_rss", usage.memory_peak)
}

fn add_phase(entries: &Entries<'_>, name: &str, times: &Times, is_there: bool) -> PyResult<()> {
    let py = entries.py();
    match is_there {
        true => entries.float(name, times.mean().as_secs_f64())?,
        false => entries.object(name, &py.none())?,
    }
    let (least, most) = times.range().unzip();
    for (end, time) in [("min", least), ("max", most)] {
        let name = format!("{name}_{end}_us");
        match time {
            Some(time) => {
                entries.int(&name, u64::try_from(time.as_micros()).unwrap_or(u64::MAX))?;
            }
            None => entries.object(&name, &py.none())?,
        }
    }
    let counts = times.histogram().counts().iter();
    entries.list(&format!("{name}_buckets"), counts.map(|count| py.int((*count).into())))
}

fn add_slots(entries: &Entries<'_>, slots: &[Done]) -> PyResult<()> {
    let py = entries.py();
    // The second is an old name.
    for name in ["request_threads_completed", "request_threads_buckets"] {
        entries.list(name, slots.iter().map(|done| int(py, done.completed)))?;
    }
    type Time = fn(&Done) -> Duration;
    let times: [(&str, Time); 4] = [
        ("busy_time", |done| done.busy),
        ("cpu_time", |done| done.cpu.total()),
        ("current_elapsed", |done| done.elapsed),
        ("max_duration", |done| done.longest),
    ];
    for (name, time) in times {
        let values = slots.iter().map(|done| py.float(time(done).as_secs_f64()));
        entries.list(&format!("request_threads_{name}"), values)?;
    }
    Ok(())
}

/// What `process_metrics()` returns.
fn since_the_beginning<'py>(py: Py<'py>, cumulative: &Cumulative) -> PyResult<Object<'py>> {
    let Cumulative { start, now, age, totals, usage } = cumulative;
    let entries = Entries::new(py)?;
    entries.int("pid", std::process::id().into())?;
    entries.int("request_count", totals.count)?;
    entries.float("request_busy_time", totals.busy.as_secs_f64())?;
    add_memory(&entries, usage)?;
    let (user, system) = (usage.cpu.user, usage.cpu.system);
    for (name, time) in
        [("cpu_user_time", user), ("cpu_system_time", system), ("cpu_time", user + system)]
    {
        entries.float(name, time.as_secs_f64())?;
    }
    entries.stamp("restart_time", *start)?;
    entries.stamp("current_time", *now)?;
    entries.int("running_time", age.as_secs())?;
    entries.int("request_threads", wide(totals.slots.len()))?;
    entries.int("active_requests", wide(totals.active))?;
    let thread = |(place, count): &(usize, u64)| -> PyResult<Object<'py>> {
        let thread = Entries::new(py)?;
        thread.int("thread_id", wide(place + 1))?;
        thread.int("request_count", *count)?;
        Ok(thread.finish())
    };
    entries.list("threads", totals.slots.iter().map(thread))?;
    Ok(entries.finish())
}
