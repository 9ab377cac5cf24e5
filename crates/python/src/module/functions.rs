//! The functions of the module `mod_wsgi`.

use pyo3_ffi as ffi;
use wsgi_core::level::Level;

use super::{
    active,
    events::{Events, Topic},
    events_of, log_handler,
};
use crate::{
    guard::guard,
    log,
    object::{Class, Object, Py, PyResult, Ref},
    types::{Table, borrowed, documented, method, receive_one},
    wsgi::measure,
};

/// The method table of the module.
pub(super) static METHODS: Table<[ffi::PyMethodDef; 7]> = Table::new([
    documented(
        method(c"request_data", request_data, ffi::METH_NOARGS),
        c"request_data()
--

The dictionary of the request that this thread serves.",
    ),
    documented(
        method(c"subscribe_events", subscribe_events, ffi::METH_O),
        c"subscribe_events(callback, /)
--

Calls callback(name, **event) for every event.",
    ),
    documented(
        method(c"subscribe_shutdown", subscribe_shutdown, ffi::METH_O),
        c"subscribe_shutdown(callback, /)
--

Calls callback(name, **event) when the process ends.",
    ),
    documented(
        method(c"subscribe_signals", subscribe_signals, ffi::METH_O),
        c"subscribe_signals(callback, /)
--

Calls callback(name, **event) for SIGHUP and SIGUSR2.",
    ),
    method(c"__getattr__", get_attribute, ffi::METH_O),
    method(c"__dir__", names, ffi::METH_NOARGS),
    ffi::PyMethodDef::zeroed(),
]);

/// What is not there yet (PEP 562).
unsafe extern "C" fn get_attribute(
    module: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("__getattr__", |py| {
        // SAFETY: CPython passes the module and one argument.
        let (module, name) = unsafe { receive_one(module, name) };
        let name = name.to_text()?;
        if name == log_handler::NAME {
            return log_handler::make(&module);
        }
        if name == active::NAME
            && let Some(events) = events_of(&module)
        {
            let shown = events.active.show(py)?;
            module.set_attribute(active::NAME, &shown)?;
            return Ok(shown);
        }
        let text = format!("module 'mod_wsgi' has no attribute '{name}'");
        Err(py.raise(Class::Attribute, &text))
    })
}

/// The names that the module has, and those that it would make.
unsafe extern "C" fn names(
    module: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("__dir__", |py| {
        // SAFETY: CPython passes the module.
        let module = unsafe { borrowed(module) };
        let names =
            py.import("builtins")?.call_method("set", &[&*module.attribute("__dict__")?])?;
        for made in [log_handler::NAME, active::NAME] {
            names.call_method("add", &[&*py.text(made)?])?;
        }
        for own in ["__getattr__", "__dir__"] {
            names.call_method("discard", &[&*py.text(own)?])?;
        }
        py.import("builtins")?.call_method("sorted", &[&names])
    })
}

unsafe extern "C" fn request_data(
    _module: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("request_data", |py| {
        log::current_data(py)?
            .ok_or_else(|| py.raise(Class::Runtime, "no active request for thread"))
    })
}

unsafe extern "C" fn subscribe_events(
    module: *mut ffi::PyObject,
    callback: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("subscribe_events", |_py| {
        // SAFETY: CPython passes the module and one argument.
        let (module, callback) = unsafe { receive_one(module, callback) };
        // The events of requests say what the requests have cost.
        measure::switch_on();
        subscribe(&module, Topic::Everything, &callback)
    })
}

unsafe extern "C" fn subscribe_shutdown(
    module: *mut ffi::PyObject,
    callback: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("subscribe_shutdown", |_py| {
        // SAFETY: CPython passes the module and one argument.
        let (module, callback) = unsafe { receive_one(module, callback) };
        subscribe(&module, Topic::Shutdown, &callback)
    })
}

unsafe extern "C" fn subscribe_signals(
    module: *mut ffi::PyObject,
    callback: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("subscribe_signals", |py| {
        // SAFETY: CPython passes the module and one argument.
        let (module, callback) = unsafe { receive_one(module, callback) };
        if events_of(&module).is_some_and(Events::hears_signals) {
            return subscribe(&module, Topic::Signals, &callback);
        }
        log_unheard(py)?;
        Ok(callback.to_object())
    })
}

/// Adds a subscriber, and gives it back, so that the functions serve as decorators.
fn subscribe<'py>(module: &Ref<'py>, topic: Topic, callback: &Ref<'py>) -> PyResult<Object<'py>> {
    let Some(events) = events_of(module) else {
        return Err(module.py().raise(Class::Runtime, "not the module of this interpreter"));
    };
    events.list(module.py(), topic).append(callback)?;
    Ok(callback.to_object())
}

/// Says that no signal will come, and who has waited for one.
fn log_unheard(py: Py<'_>) -> PyResult<()> {
    let stack = py.import("traceback")?.call_method("format_stack", &[])?;
    let mut text = String::from(
        "mod_wsgi.subscribe_signals() has no effect in httpd's own processes: signals are \
         delivered to the applications of daemon processes only.\n",
    );
    for entry in stack.items()? {
        text.push_str(&entry.to_text()?);
    }
    py.detached(|| {
        text.lines().for_each(|line| log::current(Level::INFO, &log::record(line.as_bytes())));
    });
    Ok(())
}
