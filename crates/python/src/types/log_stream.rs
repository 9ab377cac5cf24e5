//! `mod_wsgi.Log`: the binary stream under `wsgi.errors`, `sys.stderr` and `sys.stdout`; every
//! line written becomes a record of the error log.

use std::cell::RefCell;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use pyo3_ffi as ffi;
use wsgi_core::level::Level;

use super::{Table, borrowed, create, deallocate, make_type, method, receive_one, slot, value};
use crate::{
    guard::guard,
    lease::{Lease, lock},
    log,
    object::{Class, Object, Py, PyResult, Raised, Ref},
};

/// Where an instance writes to.
#[derive(Debug)]
pub(crate) enum Target {
    /// `wsgi.errors` of one request.
    Request(RequestLog),
    /// `sys.stderr` or `sys.stdout`: the request the writing thread serves, or the process.
    Process(Standard),
}

/// The request that a log is lent to.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    lease: Mutex<Option<Arc<Lease>>>,
    /// Whether anything was called that could have changed the log or the stream over it.
    is_used: AtomicBool,
}

impl RequestLog {
    /// Serves a request, or none.
    pub(crate) fn lend(&self, lease: Option<Arc<Lease>>) {
        *lock(&self.lease) = lease;
        self.is_used.store(false, Ordering::Relaxed);
    }

    /// Whether the log is as [`Self::lend`] left it.
    pub(crate) fn is_unused(&self) -> bool {
        !self.is_used.load(Ordering::Relaxed)
    }

    fn note_use(&self) -> Option<Arc<Lease>> {
        self.is_used.store(true, Ordering::Relaxed);
        lock(&self.lease).clone()
    }
}

/// The standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standard {
    /// `sys.stderr`
    Error,
    /// `sys.stdout`
    Output,
}

thread_local! {
    /// Unfinished lines of `sys.stderr` and `sys.stdout`, by thread: `print` writes text and
    /// newline separately, and lines of several threads must not mix.
    static PARTIAL: RefCell<[Vec<u8>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

impl Target {
    fn name(&self) -> &'static str {
        match self {
            Self::Request(_) => "<wsgi.errors>",
            Self::Process(Standard::Error) => "<stderr>",
            Self::Process(Standard::Output) => "<stdout>",
        }
    }

    /// Logs the complete lines of `data` and keeps the rest; with `all`, logs the rest too.
    fn write(&self, py: Py<'_>, method: &str, data: &[u8], all: bool) -> PyResult<()> {
        match self {
            Self::Process(standard) => {
                let lines = take_process_lines(*standard, data, all);
                py.detached(|| lines.iter().for_each(|line| log::current_line(line)));
            }
            Self::Request(log) => {
                let Some(lease) = log.note_use() else { return Err(after_request(py, method)) };
                let Some(exchange) = lease.enter() else {
                    return Err(after_request(py, method));
                };
                let lines = take_lines(&mut lease.partial_line(), data, all);
                if !lines.is_empty() {
                    py.detached(|| exchange.log_lines(&lines));
                }
            }
        }
        Ok(())
    }
}

fn take_lines(partial: &mut Vec<u8>, data: &[u8], all: bool) -> Vec<String> {
    let mut lines = log::take_lines(partial, data);
    if all && !partial.is_empty() {
        lines.push(log::record(partial));
        partial.clear();
    }
    lines
}

fn take_process_lines(standard: Standard, data: &[u8], all: bool) -> Vec<String> {
    PARTIAL.with_borrow_mut(|[error, output]| match standard {
        Standard::Error => take_lines(error, data, all),
        Standard::Output => take_lines(output, data, all),
    })
}

/// Unfinished lines that this thread wrote to the standard streams.
pub(crate) fn finish_thread_lines() -> Vec<String> {
    let mut lines = take_process_lines(Standard::Error, b"", true);
    lines.extend(take_process_lines(Standard::Output, b"", true));
    lines
}

fn after_request(py: Py<'_>, method: &str) -> Raised {
    let text = format!("{method}() called on wsgi.errors after request completed");
    py.raise(Class::Runtime, &text)
}

/// Makes the type.
pub(crate) fn make<'py>(module: &Ref<'py>) -> PyResult<Object<'py>> {
    static METHODS: Table<[ffi::PyMethodDef; 11]> = Table::new([
        method(c"write", write, ffi::METH_O),
        method(c"writelines", writelines, ffi::METH_O),
        method(c"flush", flush, ffi::METH_NOARGS),
        method(c"close", flush, ffi::METH_NOARGS),
        method(c"isatty", no, ffi::METH_NOARGS),
        method(c"readable", no, ffi::METH_NOARGS),
        method(c"seekable", seekable, ffi::METH_NOARGS),
        method(c"writable", yes, ffi::METH_NOARGS),
        method(c"fileno", fileno, ffi::METH_NOARGS),
        method(c"_notice", notice, ffi::METH_O),
        ffi::PyMethodDef::zeroed(),
    ]);
    static MEMBERS: Table<[ffi::PyGetSetDef; 4]> = Table::new([
        getter(c"name", name),
        getter(c"mode", mode),
        getter(c"closed", closed),
        getter_end(),
    ]);
    let mut slots = vec![
        slot(ffi::Py_tp_dealloc, deallocate::<Target> as *mut _),
        slot(ffi::Py_tp_methods, METHODS.pointer()),
        slot(ffi::Py_tp_getset, MEMBERS.pointer()),
    ];
    let flags = ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    make_type::<Target>(module, c"mod_wsgi.Log", flags, &mut slots)
}

const fn getter(name: &'static std::ffi::CStr, get: ffi::getter) -> ffi::PyGetSetDef {
    ffi::PyGetSetDef { name: name.as_ptr(), get: Some(get), ..getter_end() }
}

const fn getter_end() -> ffi::PyGetSetDef {
    ffi::PyGetSetDef {
        name: std::ptr::null(),
        get: None,
        set: None,
        doc: std::ptr::null(),
        closure: std::ptr::null_mut(),
    }
}

/// Makes an instance.
pub(crate) fn new<'py>(py: Py<'py>, class: &Ref<'_>, target: Target) -> PyResult<Object<'py>> {
    // SAFETY: `class` is the type of `make`.
    unsafe { create(py, class, target) }
}

/// The target of an instance.
pub(crate) fn target<'a>(this: &'a Ref<'_>) -> &'a Target {
    // SAFETY: the functions of this file are called with instances of its type.
    unsafe { value(this) }
}

unsafe extern "C" fn write(
    this: *mut ffi::PyObject,
    data: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Log.write", |py| {
        // SAFETY: CPython passes an instance of this type and one argument.
        let (this, data) = unsafe { receive_one(this, data) };
        py.int(write_object(py, target(&this), &data)?)
    })
}

/// Writes bytes or anything with a buffer; text is accepted with a warning.
fn write_object(py: Py<'_>, target: &Target, data: &Ref<'_>) -> PyResult<i64> {
    if let Some(bytes) = data.as_bytes() {
        target.write(py, "write", bytes, false)?;
        return Ok(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    }
    if data.is_text() {
        warn_about_text(py)?;
        let text = data.to_text()?;
        target.write(py, "write", text.as_bytes(), false)?;
        return Ok(i64::try_from(text.len()).unwrap_or(i64::MAX));
    }
    // SAFETY: attached, a live object; raises TypeError for what has no buffer.
    let pointer = unsafe { ffi::PyBytes_FromObject(data.as_ptr()) };
    // SAFETY: a new reference or null.
    let copy = unsafe { Object::from_new(py, pointer)? };
    let bytes = copy.as_bytes().unwrap_or_default();
    target.write(py, "write", bytes, false)?;
    Ok(i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

fn warn_about_text(py: Py<'_>) -> PyResult<()> {
    let text = c"write() of a str to a binary log stream is deprecated";
    // SAFETY: libpython's static variable.
    let category = unsafe { ffi::PyExc_DeprecationWarning };
    // SAFETY: attached; a class and a C string.
    py.check(unsafe { ffi::PyErr_WarnEx(category, text.as_ptr(), 1) })
}

unsafe extern "C" fn writelines(
    this: *mut ffi::PyObject,
    lines: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Log.writelines", |py| {
        // SAFETY: CPython passes an instance of this type and one argument.
        let (this, lines) = unsafe { receive_one(this, lines) };
        let lines = lines.iterate()?;
        while let Some(line) = lines.next()? {
            write_object(py, target(&this), &line)?;
        }
        Ok(py.none())
    })
}

unsafe extern "C" fn flush(
    this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Log.flush", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        // Nothing can be left after the request: a late flush (the garbage collector closing a
        // kept stream) is no error.
        if let Target::Request(log) = target(&this)
            && log.note_use().is_none_or(|lease| lease.enter().is_none())
        {
            return Ok(py.none());
        }
        target(&this).write(py, "flush", b"", true)?;
        Ok(py.none())
    })
}

/// Logs a record at level info; for the Python side of this crate.
unsafe extern "C" fn notice(
    _this: *mut ffi::PyObject,
    text: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Log._notice", |py| {
        // SAFETY: CPython passes one argument.
        let text = unsafe { borrowed(text) }.to_text()?;
        py.detached(|| log::current(Level::INFO, &text));
        Ok(py.none())
    })
}

unsafe extern "C" fn fileno(
    this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Log.fileno", |py| -> PyResult<Object<'_>> {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        let text = format!("{} has no file descriptor", target(&this).name());
        Err(py.raise(Class::Os, &text))
    })
}

/// Called whenever a text stream is set up over the log, also by one that is set up again.
unsafe extern "C" fn seekable(
    this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Log.seekable", |py| {
        // SAFETY: CPython passes an instance of this type.
        if let Target::Request(log) = target(&unsafe { borrowed(this) }) {
            log.note_use();
        }
        py.boolean(false)
    })
}

unsafe extern "C" fn no(
    _this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Log.isatty", |py| py.boolean(false))
}

unsafe extern "C" fn yes(
    _this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Log.writable", |py| py.boolean(true))
}

unsafe extern "C" fn name(
    this: *mut ffi::PyObject,
    _closure: *mut std::ffi::c_void,
) -> *mut ffi::PyObject {
    guard("Log.name", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        py.text(target(&this).name())
    })
}

unsafe extern "C" fn mode(
    _this: *mut ffi::PyObject,
    _closure: *mut std::ffi::c_void,
) -> *mut ffi::PyObject {
    guard("Log.mode", |py| py.text("wb"))
}

unsafe extern "C" fn closed(
    _this: *mut ffi::PyObject,
    _closure: *mut std::ffi::c_void,
) -> *mut ffi::PyObject {
    guard("Log.closed", |py| py.boolean(false))
}
