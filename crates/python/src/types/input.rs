//! `mod_wsgi.Input`: the request body as a file of bytes (`wsgi.input`).

use std::{ffi::c_void, sync::Arc};

use pyo3_ffi as ffi;

use super::{
    Table, bind,
    body::{BUFFER, after_request},
    borrowed, create, deallocate, fast_method, make_type, method, receive, seeking, slot, value,
};
use crate::{
    guard::guard,
    lease::Lease,
    object::{BytesBuilder, Class, Object, Py, PyResult, Ref},
};

/// The largest block that is allocated before its bytes are there.
const STEP: usize = 256 * 1024;

/// What an instance holds.
#[derive(Debug)]
struct Input {
    lease: Arc<Lease>,
}

/// What inputs can do: those whose body is kept everything, others what follows [`SEEKING`].
static METHODS: Table<[ffi::PyMethodDef; 8]> = Table::new([
    fast_method(c"seek", seeking::seek),
    method(c"tell", seeking::tell, ffi::METH_NOARGS),
    method(c"seekable", seeking::seekable, ffi::METH_NOARGS),
    fast_method(c"read", read),
    fast_method(c"readline", readline),
    fast_method(c"readlines", readlines),
    method(c"close", close, ffi::METH_NOARGS),
    ffi::PyMethodDef::zeroed(),
]);

/// How many of the methods need a body that is kept.
const SEEKING: usize = 3;

/// Makes the type of bodies that are read once.
pub(crate) fn make<'py>(module: &Ref<'py>) -> PyResult<Object<'py>> {
    let all = METHODS.pointer().cast::<ffi::PyMethodDef>();
    make_with(module, all.wrapping_add(SEEKING).cast())
}

/// Makes the type of bodies that can be read in any order; it has the same name.
pub(crate) fn make_seekable<'py>(module: &Ref<'py>) -> PyResult<Object<'py>> {
    make_with(module, METHODS.pointer())
}

fn make_with<'py>(module: &Ref<'py>, methods: *mut c_void) -> PyResult<Object<'py>> {
    let mut slots = vec![
        slot(ffi::Py_tp_dealloc, deallocate::<Input> as *mut _),
        slot(ffi::Py_tp_iter, iterate as *mut _),
        slot(ffi::Py_tp_iternext, next as *mut _),
        slot(ffi::Py_tp_methods, methods),
    ];
    let flags = ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    make_type::<Input>(module, c"mod_wsgi.Input", flags, &mut slots)
}

/// Makes an instance for one request.
pub(crate) fn new<'py>(py: Py<'py>, class: &Ref<'_>, lease: Arc<Lease>) -> PyResult<Object<'py>> {
    // SAFETY: `class` is the type of `make` or `make_seekable`.
    unsafe { create(py, class, Input { lease }) }
}

unsafe extern "C" fn read(
    this: *mut ffi::PyObject,
    items: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    guard("Input.read", |py| {
        // SAFETY: CPython passes an instance of this type and its arguments.
        let (this, items) = unsafe { receive(this, items, count) };
        let limit = size(py, "read", items)?;
        let lease = open(py, &this, "read()")?;
        read_bytes(py, lease, limit)
    })
}

/// The optional size argument; `None` for all.
fn size(py: Py<'_>, method: &str, items: &[Ref<'_>]) -> PyResult<Option<usize>> {
    match items {
        [] => Ok(None),
        // A negative number means all.
        [size] => Ok(usize::try_from(size.to_int()?).ok()),
        _ => {
            let text = format!("{method}() takes at most 1 argument ({} given)", items.len());
            Err(py.raise(Class::Type, &text))
        }
    }
}

/// The lease of an instance, while the request lasts.
pub(super) fn open<'a>(py: Py<'_>, this: &'a Ref<'_>, method: &str) -> PyResult<&'a Arc<Lease>> {
    // SAFETY: the methods of this file are called with instances of its type.
    let Input { lease } = unsafe { value(this) };
    match lease.enter() {
        Some(_) => Ok(lease),
        None => Err(after_request(py, method)),
    }
}

/// Reads up to `limit` bytes, or to the end of the body.
fn read_bytes<'py>(py: Py<'py>, lease: &Lease, limit: Option<usize>) -> PyResult<Object<'py>> {
    let mut body = lease.body(py);
    let buffered = body.buffered().len();
    let (limit, room) = match (body.rest(), limit) {
        // All of it is there: nothing is allocated twice.
        (Some(rest), limit) => {
            let limit = rest.min(limit.unwrap_or(rest));
            (limit, limit)
        }
        (None, Some(limit)) => (limit, limit.min(STEP).max(buffered.min(limit))),
        (None, None) => (usize::MAX, buffered + BUFFER),
    };
    let ready = buffered.min(limit);
    let mut result = BytesBuilder::new(py, room)?;
    result = result.append(body.buffered().get(..ready).unwrap_or_default())?;
    body.consume(ready);
    while result.len() < limit {
        if result.room().is_empty() {
            let wanted = result.len().saturating_mul(2).min(limit);
            result = result.resize(wanted)?;
        }
        let count = body.read(py, lease, "read()", result.room())?;
        if count == 0 {
            break;
        }
        result.advance(count);
    }
    drop(body);
    result.finish()
}

unsafe extern "C" fn readline(
    this: *mut ffi::PyObject,
    items: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    guard("Input.readline", |py| {
        // SAFETY: CPython passes an instance of this type and its arguments.
        let (this, items) = unsafe { receive(this, items, count) };
        let limit = size(py, "readline", items)?.unwrap_or(usize::MAX);
        let lease = open(py, &this, "readline()")?;
        py.bytes(&read_line(py, lease, limit, "readline()")?)
    })
}

/// The next line with its newline, at most `limit` bytes; empty at the end.
fn read_line(py: Py<'_>, lease: &Lease, limit: usize, method: &str) -> PyResult<Vec<u8>> {
    let mut line = Vec::new();
    let mut body = lease.body(py);
    while line.len() < limit {
        if body.buffered().is_empty() && !body.fill(py, lease, method)? {
            break;
        }
        let buffered = body.buffered();
        let window = buffered.get(..limit - line.len()).unwrap_or(buffered);
        let newline = window.iter().position(|byte| *byte == b'\n');
        let taken = newline.map_or(window.len(), |position| position + 1);
        line.extend_from_slice(window.get(..taken).unwrap_or_default());
        body.consume(taken);
        if newline.is_some() {
            break;
        }
    }
    Ok(line)
}

unsafe extern "C" fn readlines(
    this: *mut ffi::PyObject,
    items: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    guard("Input.readlines", |py| {
        // SAFETY: CPython passes an instance of this type and its arguments.
        let (this, items) = unsafe { receive(this, items, count) };
        let hint = size(py, "readlines", items)?.filter(|hint| *hint > 0);
        let lease = open(py, &this, "readlines()")?;
        let (mut lines, mut total) = (Vec::new(), 0);
        while hint.is_none_or(|hint| total < hint) {
            let line = read_line(py, lease, usize::MAX, "readlines()")?;
            if line.is_empty() {
                break;
            }
            total += line.len();
            lines.push(py.bytes(&line)?);
        }
        py.list(lines)
    })
}

unsafe extern "C" fn iterate(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    guard("Input.__iter__", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        open(py, &this, "iteration")?;
        Ok(this.to_object())
    })
}

unsafe extern "C" fn next(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    guard("Input.__next__", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        let lease = open(py, &this, "iteration")?;
        let line = read_line(py, lease, usize::MAX, "iteration")?;
        if line.is_empty() { Ok(None) } else { py.bytes(&line).map(Some) }
    })
}

static IS_ABORTED: Table<ffi::PyMethodDef> =
    Table::new(method(c"is_aborted", is_aborted, ffi::METH_NOARGS));

/// The function that tells whether the client of an input's request has gone away.
pub(crate) fn new_is_aborted<'py>(input: &Ref<'py>) -> PyResult<Object<'py>> {
    bind(input, &IS_ABORTED)
}

unsafe extern "C" fn is_aborted(
    this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("is_aborted", |py| {
        // SAFETY: bound to an instance of this file's types.
        let this = unsafe { borrowed(this) };
        // SAFETY: as above.
        let Input { lease } = unsafe { value(&this) };
        let Some(exchange) = lease.enter() else {
            let text = "is_aborted() called after request completed";
            return Err(py.raise(Class::Runtime, text));
        };
        let is_aborted = py.detached(|| exchange.is_aborted());
        py.boolean(is_aborted)
    })
}

unsafe extern "C" fn close(
    this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Input.close", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        open(py, &this, "close()")?;
        Ok(py.none())
    })
}
