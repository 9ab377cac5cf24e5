//! `seek`, `tell` and `seekable` of a `wsgi.input` whose body httpd has read to its end.

use pyo3_ffi as ffi;

use super::{borrowed, input::open, receive};
use crate::{
    guard::guard,
    object::{Class, Py, PyResult, Ref},
};

pub(super) unsafe extern "C" fn seek(
    this: *mut ffi::PyObject,
    items: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    guard("Input.seek", |py| {
        // SAFETY: CPython passes an instance of this type and its arguments.
        let (this, items) = unsafe { receive(this, items, count) };
        let (offset, whence) = arguments(py, items)?;
        let lease = open(py, &this, "seek()")?;
        let mut body = lease.body(py);
        let position = target(py, (body.position(), body.length()), offset, whence)?;
        body.seek(py, lease, position)?;
        drop(body);
        py.int(i64::try_from(position).unwrap_or(i64::MAX))
    })
}

fn arguments(py: Py<'_>, items: &[Ref<'_>]) -> PyResult<(i64, i64)> {
    match items {
        [offset] => Ok((offset.to_int()?, 0)),
        [offset, whence] => Ok((offset.to_int()?, whence.to_int()?)),
        _ => {
            let text = format!("seek() takes 1 or 2 arguments ({} given)", items.len());
            Err(py.raise(Class::Type, &text))
        }
    }
}

/// The position that is meant, as `io.BytesIO` understands it.
fn target(py: Py<'_>, (current, length): (u64, u64), offset: i64, whence: i64) -> PyResult<u64> {
    let base = match whence {
        0 if offset < 0 => {
            return Err(py.raise(Class::Value, &format!("negative seek value {offset}")));
        }
        0 => 0,
        1 => current,
        2 => length,
        _ => {
            let text = format!("invalid whence ({whence}, should be 0, 1 or 2)");
            return Err(py.raise(Class::Value, &text));
        }
    };
    Ok(base.saturating_add_signed(offset))
}

pub(super) unsafe extern "C" fn tell(
    this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Input.tell", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        let position = open(py, &this, "tell()")?.body(py).position();
        py.int(i64::try_from(position).unwrap_or(i64::MAX))
    })
}

pub(super) unsafe extern "C" fn seekable(
    this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("Input.seekable", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        open(py, &this, "seekable()")?;
        py.boolean(true)
    })
}
