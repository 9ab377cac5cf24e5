//! The events of a request: what its subscribers are told, and what they may change.
//!
//! Every function here is called only where somebody listens, or asks that first: a request without
//! subscribers pays for one look at a list.

use std::time::Duration;

use wsgi_core::{
    exchange::Outcome,
    keys::number,
    metrics::{Cpu, Figures},
};

use super::{
    engine::Request,
    environ::seconds,
    measure::{self, Measure},
};
use crate::{
    interpreter::Interpreter,
    lease::Lease,
    module::{
        active,
        events::{self, Topic},
    },
    object::{Object, Py, PyResult, Ref},
};

/// Whether anybody listens to the events of a request in this interpreter.
pub(crate) fn is_observed(py: Py<'_>, interpreter: &Interpreter) -> bool {
    interpreter.state.events.has_subscribers(py)
}

/// `request_started`; the application to call, which a subscriber may have replaced.
pub(crate) fn started<'py>(
    py: Py<'py>,
    request: &Request<'_>,
    application: Object<'py>,
    environ: &Ref<'py>,
    application_start: i64,
) -> PyResult<Object<'py>> {
    if !is_observed(py, request.interpreter) {
        return Ok(application);
    }
    // A request that was there before its subscriber is measured from here on.
    measure::switch_on();
    request.lease.set_measure(Measure::begin(request.head, request.daemon_start));
    let Some(event) = about(py, request.lease)? else { return Ok(application) };
    let restarts = i64::from(request.exchange.earlier_attempts());
    let connects = i64::from(request.head.queue_start != 0) + restarts;
    add_origin(py, &event, request)?;
    event.set_item_named("daemon_connects", &*py.int(connects)?)?;
    event.set_item_named("daemon_restarts", &*py.int(restarts)?)?;
    event.set_item_named("application_object", &application)?;
    event.set_item_named("callable_object", &*py.latin1(request.head.callable)?)?;
    event.set_item_named("request_environ", environ)?;
    event.set_item_named("application_start", &*py.float(seconds(application_start))?)?;
    publish(py, request.interpreter, "request_started", &event)?;
    let key = py.text("application_object")?;
    Ok(event.item(&key)?.unwrap_or(application))
}

/// `response_started`, with what the application has passed to `start_response`.
pub(crate) fn response_started(
    py: Py<'_>,
    interpreter: &Interpreter,
    lease: &Lease,
    status: &Ref<'_>,
    headers: &Ref<'_>,
    exc_info: Option<&Ref<'_>>,
) -> PyResult<()> {
    if !is_observed(py, interpreter) {
        return Ok(());
    }
    let Some(event) = about(py, lease)? else { return Ok(()) };
    event.set_item_named("response_status", status)?;
    event.set_item_named("response_headers", headers)?;
    event.set_item_named("exception_info", exc_info.unwrap_or(&py.none()))?;
    publish(py, interpreter, "response_started", &event)
}

/// `request_exception`, before the exception is logged.
pub(crate) fn exception(py: Py<'_>, request: &Request<'_>, exception: &Ref<'_>) {
    let told = || -> PyResult<()> {
        let Some(event) = about(py, request.lease)? else { return Ok(()) };
        let class = exception.class();
        let trace = exception.attribute("__traceback__")?;
        event.set_item_named("exception_info", &*py.tuple(&[&class, exception, &trace])?)?;
        publish(py, request.interpreter, "request_exception", &event)
    };
    if is_observed(py, request.interpreter)
        && let Err(raised) = told()
    {
        // The request ends with an exception already.
        raised.clear(py);
    }
}

/// `request_finished`, after everything of the application has ended.
pub(crate) fn finished(py: Py<'_>, request: &Request<'_>, outcome: Outcome) {
    let told = || -> PyResult<()> {
        let Some(event) = about(py, request.lease)? else { return Ok(()) };
        add_origin(py, &event, request)?;
        let status = match outcome {
            Outcome::Failed(status) => status,
            _ => request.lease.response().status(),
        };
        event.set_item_named("status", &*py.int(status.into())?)?;
        let measure = request.lease.measure();
        add_figures(py, &event, &measure.map(|measure| measure.figures()).unwrap_or_default())?;
        publish(py, request.interpreter, "request_finished", &event)
    };
    if let Err(raised) = told() {
        // An interruption has come too late to be one.
        raised.clear(py);
    }
}

/// An event about a request that is in progress.
fn about<'py>(py: Py<'py>, lease: &Lease) -> PyResult<Option<Object<'py>>> {
    let Some((id, data)) = lease.progress(py)? else { return Ok(None) };
    let event = py.dict()?;
    if let Some(id) = id {
        event.set_item_named("request_id", &id)?;
    }
    event.set_item_named("request_data", &data)?;
    Ok(Some(event))
}

/// Where the request has come from, and when.
fn add_origin(py: Py<'_>, event: &Ref<'_>, request: &Request<'_>) -> PyResult<()> {
    const SERVER_PID: u16 = number("mod_wsgi.server_pid");
    let pid = active::entry(request.head, SERVER_PID);
    let pid = pid.and_then(|pid| std::str::from_utf8(pid).ok()?.parse::<i64>().ok());
    event.set_item_named("thread_id", &*py.int(request.thread_id.into())?)?;
    event.set_item_named("server_pid", &*py.int(pid.unwrap_or(0))?)?;
    for (name, time) in [
        ("request_start", request.head.request_start),
        ("queue_start", request.head.queue_start),
        ("daemon_start", request.daemon_start),
    ] {
        event.set_item_named(name, &*py.float(seconds(time))?)?;
    }
    Ok(())
}

/// What the request has cost.
fn add_figures(py: Py<'_>, event: &Ref<'_>, figures: &Figures) -> PyResult<()> {
    let Figures { input, output, lock, cpu, stamps } = figures;
    let took = stamps.application_finish.saturating_sub(stamps.application_start);
    for (name, count) in [
        ("input_reads", input.count),
        ("input_length", input.bytes),
        ("output_writes", output.count),
        ("output_length", output.bytes),
        ("gil_wait_count", lock.count),
    ] {
        event.set_item_named(name, &*py.int(i64::try_from(count).unwrap_or(i64::MAX))?)?;
    }
    let Cpu { user, system } = *cpu;
    for (name, time) in [
        ("input_time", input.time),
        ("output_time", output.time),
        ("gil_wait_time", lock.time),
        ("cpu_user_time", user),
        ("cpu_system_time", system),
        ("cpu_time", user + system),
        ("application_time", Duration::from_micros(u64::try_from(took).unwrap_or(0))),
    ] {
        event.set_item_named(name, &*py.float(time.as_secs_f64())?)?;
    }
    event.set_item_named("application_finish", &*py.float(seconds(stamps.application_finish))?)
}

fn publish(py: Py<'_>, interpreter: &Interpreter, name: &str, event: &Ref<'_>) -> PyResult<()> {
    events::publish(py, &interpreter.state, Topic::Everything, name, event)
}
