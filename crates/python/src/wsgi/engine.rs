//! The course of one request: interpreter, script, application, output, end.

use std::sync::Arc;

use wsgi_core::{
    control::ReloadMode,
    exchange::{Exchange, Outcome},
    head::{Key, RequestHead, flag},
    keys,
    level::Level,
};

use super::{
    deliver::{self, Produced},
    environ::{self, Extras},
    errors::ErrorStream,
    measure, observe,
    record::Record,
    report,
};
use crate::{
    interpreter::Interpreter,
    lease::Lease,
    loader::{self, NotLoaded},
    log::{self, Serving},
    object::{Object, Py, PyResult, Raised},
    runtime::Runtime,
    script::{self, Found, Loaded},
    state::{DEFAULT_CALLABLE, State},
    types::{adapter, input, log_stream},
};

/// One request on its way.
pub(crate) struct Request<'a> {
    pub(crate) interpreter: &'static Interpreter,
    pub(crate) head: &'a RequestHead<'a>,
    pub(crate) exchange: &'a dyn Exchange,
    pub(crate) lease: &'a Arc<Lease>,
    pub(crate) thread_id: u32,
    /// When the daemon took the request, µs since the epoch; 0 embedded.
    pub(crate) daemon_start: i64,
}

impl Request<'_> {
    /// The script as log records show it.
    pub(crate) fn script(&self) -> String {
        String::from_utf8_lossy(self.head.script).into_owned()
    }

    /// How a request ends that failed before or after its headers.
    pub(crate) fn failed(&self, status: u16) -> Outcome {
        if self.lease.response().is_committed() {
            Outcome::Truncated
        } else {
            Outcome::Failed(status)
        }
    }
}

/// Answers a request. Called detached.
pub(crate) fn serve(
    runtime: &Runtime,
    head: &RequestHead<'_>,
    exchange: &dyn Exchange,
    lease: &Arc<Lease>,
    thread_id: u32,
    daemon_start: i64,
) -> Outcome {
    let _serving = Serving::begin(lease, exchange.activity());
    let (interpreter, mut has_begun) = match find_interpreter(runtime, head, exchange) {
        Ok(found) => found,
        Err(outcome) => return outcome,
    };
    let mut begin = || {
        if !std::mem::replace(&mut has_begun, true) {
            exchange.begin();
        }
    };
    let found = match current_script(runtime, interpreter, head) {
        Some(found) => found,
        None => return Outcome::Stale,
    };
    begin();
    let Some(attached) = interpreter.attach() else {
        return Outcome::Failed(503);
    };
    let request = Request { interpreter, head, exchange, lease, thread_id, daemon_start };
    let produced = prepare(attached.py(), runtime, &request, found);
    drop(attached);
    finish(&request, produced)
}

/// The interpreter of the request's application group. Making one may go wrong in any way, so
/// the request counts as begun then; the flag says so.
fn find_interpreter(
    runtime: &Runtime,
    head: &RequestHead<'_>,
    exchange: &dyn Exchange,
) -> Result<(&'static Interpreter, bool), Outcome> {
    let (group, interpreters, spec) =
        (head.application_group, runtime.interpreters(), runtime.spec());
    if let Some(interpreter) = interpreters.find(group) {
        return Ok((interpreter, false));
    }
    exchange.begin();
    let made = if spec.first_gets_main && head.has(flag::DEFAULT_GROUP) {
        interpreters.get_default(group, head.script, spec)
    } else {
        interpreters.get(group, spec)
    };
    made.map(|made| (made, true)).map_err(|reason| {
        let name = String::from_utf8_lossy(group);
        let text = format!("WSGI0087: cannot acquire interpreter '{name}': {reason}");
        exchange.log(Level::ERROR, &text, None);
        Outcome::Failed(500)
    })
}

/// The script as far as it is loaded; `None` when this process must be replaced, because it has
/// changed. In httpd's own children a changed script is forgotten here and loaded again.
pub(crate) fn current_script(
    runtime: &Runtime,
    interpreter: &Interpreter,
    head: &RequestHead<'_>,
) -> Option<Found> {
    let reload = runtime.spec().reload;
    let checks = head.has(flag::SCRIPT_RELOADING) && reload != ReloadMode::Off;
    let mtime = (checks && head.script_mtime != 0).then_some(head.script_mtime);
    loop {
        let outdated = match interpreter.scripts.find(head.script, mtime) {
            Found::Ready(loaded) if checks && loaded.has_reload_required => {
                if !wants_reload(interpreter, head, &loaded) {
                    return Some(Found::Ready(loaded));
                }
                loaded
            }
            Found::Changed(loaded) => loaded,
            found => return Some(found),
        };
        match reload {
            ReloadMode::Rolling => {
                tell_of_change(interpreter, head.script);
                return Some(Found::Ready(outdated));
            }
            _ if runtime.spec().is_daemon => return None,
            _ => {}
        }
        let forgotten = interpreter.scripts.forget(head.script, &outdated);
        let attached = interpreter.attach()?;
        script::release(attached.py(), outdated);
        if let Some(forgotten) = forgotten {
            script::release(attached.py(), forgotten);
        }
    }
}

/// The process goes on with what it has loaded until another one has loaded the change.
fn tell_of_change(interpreter: &Interpreter, path: &[u8]) {
    let mtime = script::modification_time(path);
    if let (Some(script), Some(mtime)) = (interpreter.script(path), mtime) {
        log::changed(&script, mtime);
    }
}

fn wants_reload(interpreter: &Interpreter, head: &RequestHead<'_>, loaded: &Loaded) -> bool {
    let resource = head.entries().filter_map(|(key, value)| {
        let Key::Known(number) = key else { return None };
        (keys::name_of(number) == Some("SCRIPT_FILENAME")).then_some(value).flatten()
    });
    let resource = resource.last().unwrap_or(head.script);
    interpreter.attach().is_some_and(|attached| {
        loader::reload_required(attached.py(), interpreter, loaded, resource)
    })
}

/// Loads the script if need be and runs the application.
fn prepare(py: Py<'_>, runtime: &Runtime, request: &Request<'_>, found: Found) -> Produced {
    match request.interpreter.state.events.active.begin(py, request.lease) {
        Ok(_in_progress) => load_and_run(py, runtime, request, found),
        Err(raised) => Produced::Nothing(report::exception(py, request, raised)),
    }
}

fn load_and_run(py: Py<'_>, runtime: &Runtime, request: &Request<'_>, found: Found) -> Produced {
    if matches!(found, Found::Missing(_)) {
        runtime.startup().note_attempt();
    }
    let (path, ignores_case) = (request.head.script, runtime.spec().ignores_case);
    let tags = loader::IN_REQUEST;
    let loaded = match loader::obtain(py, request.interpreter, path, ignores_case, found, tags) {
        Ok(loaded) => loaded,
        Err(NotLoaded::Failed) => return Produced::Nothing(Outcome::Failed(500)),
        Err(NotLoaded::Interrupted) => return Produced::Nothing(report::interrupted(py, request)),
    };
    runtime.startup().note_loaded();
    let produced = match run(py, request, &loaded) {
        Ok(produced) => produced,
        Err(raised) => Produced::Nothing(report::exception(py, request, raised)),
    };
    script::release(py, loaded);
    produced
}

/// Calls the application and takes what it returns.
fn run(py: Py<'_>, request: &Request<'_>, loaded: &Loaded) -> PyResult<Produced> {
    let name = callable_name(py, &request.interpreter.state, request.head.callable)?;
    let Some(application) = loaded.module.get(py).attribute_if_any(&name)? else {
        let (script, name) = (request.script(), name.describe());
        let text = format!(
            "WSGI0089: [script {script}] Target WSGI script '{script}' does not contain WSGI \
             application '{name}'."
        );
        py.detached(|| request.exchange.log(Level::ERROR, &text, None));
        return Ok(Produced::Nothing(Outcome::Failed(500)));
    };
    let produced = execute(py, request, application)
        .unwrap_or_else(|raised| Produced::Nothing(report::exception(py, request, raised)));
    Ok(end_application(py, request, produced))
}

fn execute<'py>(
    py: Py<'py>,
    request: &Request<'_>,
    application: Object<'py>,
) -> PyResult<Produced> {
    let state = &request.interpreter.state;
    let errors = ErrorStream::open(py, state, request.lease)?;
    let record = Record::lend(py, request.head, request.exchange)?;
    let result = {
        let start = measure::now();
        let environ = make_environ(py, request, &errors, start)?;
        if let Some(record) = &record {
            record.add_to(&environ)?;
        }
        let application = observe::started(py, request, application, &environ, start)?;
        let lease = Arc::clone(request.lease);
        let start_response = adapter::new(py, request.interpreter, lease)?;
        if let Some(measure) = request.lease.measure() {
            measure.begin_application(start);
        }
        if let Some(activity) = log::activity() {
            activity.begin_application(start);
        }
        application.call(&[&environ, &start_response])?
    };
    let produced = deliver::deliver(py, request, &result);
    deliver::close(py, request, &result);
    drop(result);
    errors.close(state);
    Ok(produced)
}

/// Everything of the application has run: tells those who want to know.
fn end_application(py: Py<'_>, request: &Request<'_>, produced: Produced) -> Produced {
    let is_observed = observe::is_observed(py, request.interpreter);
    // They are told how the response was sent, so all of it is sent before that.
    let produced = match produced {
        Produced::Kept { head, body } if is_observed => {
            Produced::Nothing(py.detached(|| deliver::send_kept(request, head.as_ref(), &body)))
        }
        produced => produced,
    };
    measure::finish_application(request.lease.measure());
    if let Produced::Nothing(outcome) = produced
        && is_observed
    {
        observe::finished(py, request, outcome);
    }
    produced
}

fn callable_name<'py>(py: Py<'py>, state: &State, name: &[u8]) -> PyResult<Object<'py>> {
    if name == DEFAULT_CALLABLE.as_bytes() {
        // The interned one is looked up faster.
        return Ok(state.default_callable.get(py).to_object());
    }
    py.utf8(name).or_else(|raised: Raised| {
        raised.clear(py);
        py.latin1(name)
    })
}

fn make_environ<'py>(
    py: Py<'py>,
    request: &Request<'_>,
    errors: &ErrorStream<'py>,
    application_start: i64,
) -> PyResult<Object<'py>> {
    let state = &request.interpreter.state;
    let class =
        if request.head.body_length.is_some() { &state.seekable_input } else { &state.input };
    let input = input::new(py, class.get(py), Arc::clone(request.lease))?;
    let extras = Extras {
        input: &input,
        is_aborted: &*input::new_is_aborted(&input)?,
        errors: errors.text(),
        thread_id: request.thread_id,
        daemon_start: request.daemon_start,
        application_start,
    };
    environ::build(py, state, request.head, &extras)
}

/// Ends the request for Python's objects and sends what was kept until now. Called detached.
fn finish(request: &Request<'_>, produced: Produced) -> Outcome {
    end(request.lease);
    match produced {
        Produced::Nothing(outcome) => outcome,
        Produced::Kept { head, body } => deliver::send_kept(request, head.as_ref(), &body),
    }
}

/// Ends a request for Python's objects, with what they have written last. Called detached.
pub(crate) fn end(lease: &Lease) {
    let partial = std::mem::take(&mut *lease.partial_line());
    let mut lines = log_stream::finish_thread_lines();
    if !partial.is_empty() {
        lines.insert(0, log::record(&partial));
    }
    lines.iter().for_each(|line| log::current_line(line));
    lease.end();
}
