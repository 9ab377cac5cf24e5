//! `start_response` and the `write` it returns (PEP 3333): what the application tells the host
//! about its response.

use std::{borrow::Cow, sync::Arc};

use pyo3_ffi as ffi;
use wsgi_core::{exchange::Pace, head::ResponseHead, headers::Headers};

use super::{
    Table, bind, create, deallocate, fast_method, make_type, method, receive, receive_one, slot,
    value,
};
use crate::{
    guard::guard,
    interpreter::Interpreter,
    lease::Lease,
    object::{Class, Object, Py, PyResult, Raised, Ref},
    wsgi::{
        observe,
        output::{self, Failure},
        rules,
    },
};

/// What an instance holds.
#[derive(Debug)]
struct Adapter {
    lease: Arc<Lease>,
    interpreter: &'static Interpreter,
}

static START_RESPONSE: Table<ffi::PyMethodDef> =
    Table::new(fast_method(c"start_response", start_response));
static WRITE: Table<ffi::PyMethodDef> = Table::new(method(c"write", write, ffi::METH_O));

/// Makes the type. Its instances are never seen by applications, only its bound functions.
pub(crate) fn make<'py>(module: &Ref<'py>) -> PyResult<Object<'py>> {
    let mut slots = vec![slot(ffi::Py_tp_dealloc, deallocate::<Adapter> as *mut _)];
    let flags = ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    make_type::<Adapter>(module, c"mod_wsgi.Adapter", flags, &mut slots)
}

/// The `start_response` of one request.
pub(crate) fn new<'py>(
    py: Py<'py>,
    interpreter: &'static Interpreter,
    lease: Arc<Lease>,
) -> PyResult<Object<'py>> {
    let class = interpreter.state.adapter.get(py);
    // SAFETY: `class` is the type of `make`.
    let adapter = unsafe { create(py, class, Adapter { lease, interpreter })? };
    bind(&adapter, &START_RESPONSE)
}

unsafe extern "C" fn start_response(
    this: *mut ffi::PyObject,
    items: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    guard("start_response", |py| {
        // SAFETY: CPython passes the adapter of `bind` and the arguments.
        let (this, items) = unsafe { receive(this, items, count) };
        // SAFETY: bound to an instance of this file's type.
        let adapter = unsafe { value(&this) };
        start(py, adapter, items)?;
        bind(&this, &WRITE)
    })
}

/// The checks in the order of the contract, then the head.
fn start(py: Py<'_>, adapter: &Adapter, items: &[Ref<'_>]) -> PyResult<()> {
    let Adapter { lease, interpreter } = adapter;
    if lease.enter().is_none() {
        let text = "start_response() called after request completed";
        return Err(py.raise(Class::Runtime, text));
    }
    let (status, headers, exc_info) = match items {
        [status, headers] => (status, headers, None),
        [status, headers, exc_info] => (status, headers, Some(exc_info)),
        _ => return Err(wrong_count(py, items.len())),
    };
    if !headers.is_list() {
        let text = format!("start_response() argument 2 must be list, not {}", headers.type_name());
        return Err(py.raise(Class::Type, &text));
    }
    check_exc_info(py, lease, exc_info.filter(|exc_info| !exc_info.is_none()))?;
    observe::response_started(py, interpreter, lease, status, headers, exc_info)?;
    let head = read_head(py, status, headers)?;
    lease.response().start(head);
    Ok(())
}

fn wrong_count(py: Py<'_>, count: usize) -> Raised {
    let wanted = if count < 2 { "at least 2" } else { "at most 3" };
    let text = format!("start_response() takes {wanted} arguments ({count} given)");
    py.raise(Class::Type, &text)
}

fn check_exc_info(py: Py<'_>, lease: &Lease, exc_info: Option<&Ref<'_>>) -> PyResult<()> {
    let is_committed = lease.response().is_committed();
    let Some(exc_info) = exc_info else {
        if is_committed {
            let text = "start_response() called more than once without exc_info";
            return Err(py.raise(Class::Runtime, text));
        }
        return Ok(());
    };
    let text = "start_response() argument 'exc_info' must be a 3-tuple or None";
    if !exc_info.is_tuple() {
        return Err(py.raise(Class::Runtime, text));
    }
    match exc_info.items()?.as_slice() {
        [class, exception, trace] if is_committed => Err(py.raise_parts(class, exception, trace)),
        [_, _, _] => Ok(()),
        _ => Err(py.raise(Class::Runtime, text)),
    }
}

fn read_head(py: Py<'_>, status: &Ref<'_>, headers: &Ref<'_>) -> PyResult<ResponseHead<'static>> {
    if !status.is_text() {
        let text = format!("status line must be str, not {}", status.type_name());
        return Err(py.raise(Class::Type, &text));
    }
    let line = status.to_latin1()?;
    let (number, reason) = rules::status(&line).map_err(|text| py.raise(Class::Value, &text))?;
    let mut head =
        ResponseHead { status: number, reason: reason.to_vec().into(), ..ResponseHead::default() };
    for header in headers.each_item() {
        read_header(py, &*header?, &mut head.headers)?;
    }
    Ok(head)
}

fn read_header(py: Py<'_>, header: &Ref<'_>, headers: &mut Headers<'_>) -> PyResult<()> {
    if !header.is_tuple() {
        let text = format!("each header must be a 2-tuple, not {}", header.type_name());
        return Err(py.raise(Class::Type, &text));
    }
    let parts = header.tuple_items();
    let [name, content] = parts else {
        let text = format!("each header must be a 2-tuple, got length {}", parts.len());
        return Err(py.raise(Class::Value, &text));
    };
    let name = header_part(py, name, "name")?;
    let content = header_part(py, content, "value")?;
    rules::header_name(&name).map_err(|text| py.raise(Class::Value, &text))?;
    rules::header_value(&content).map_err(|text| py.raise(Class::Value, &text))?;
    headers.push(&name, &content);
    Ok(())
}

fn header_part<'a>(py: Py<'_>, part: &'a Ref<'_>, what: &str) -> PyResult<Cow<'a, [u8]>> {
    if !part.is_text() {
        let text = format!("header {what} must be str, not {}", part.type_name());
        return Err(py.raise(Class::Type, &text));
    }
    part.to_latin1()
}

unsafe extern "C" fn write(
    this: *mut ffi::PyObject,
    data: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("write", |py| {
        // SAFETY: CPython passes the adapter of `bind` and one argument.
        let (this, data) = unsafe { receive_one(this, data) };
        // SAFETY: bound to an instance of this file's type.
        let Adapter { lease, .. } = unsafe { value(&this) };
        let Some(exchange) = lease.enter() else {
            let text = "write() called after request completed";
            return Err(py.raise(Class::Runtime, text));
        };
        let Some(block) = data.as_bytes() else {
            let text = format!("write() argument must be bytes, not {}", data.type_name());
            return Err(py.raise(Class::Type, &text));
        };
        match output::send_block(py, lease, &*exchange, block, Pace::Unknown) {
            Ok(()) => Ok(py.none()),
            Err(Failure::Raised(raised)) => Err(raised),
            Err(Failure::Send(error)) => Err(output::raise_send_error(py, &error)),
        }
    })
}
