//! The border between C and this crate: a panic never crosses it.
//!
//! The body of every `extern "C" fn` here is one call of [`guard`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3_ffi as ffi;
use wsgi_core::level::Level;

use crate::{
    log,
    object::{Class, Object, Py, PyResult},
};

/// What a slot returns, and how it says that an exception is set.
pub(crate) trait SlotReturn<T> {
    /// The value for success.
    fn from_value(value: T) -> Self;
    /// The value for "an exception is set".
    fn raised() -> Self;
}

impl SlotReturn<Object<'_>> for *mut ffi::PyObject {
    fn from_value(value: Object<'_>) -> Self {
        value.into_pointer()
    }

    fn raised() -> Self {
        std::ptr::null_mut()
    }
}

impl SlotReturn<Option<Object<'_>>> for *mut ffi::PyObject {
    fn from_value(value: Option<Object<'_>>) -> Self {
        value.map_or(std::ptr::null_mut(), Object::into_pointer)
    }

    fn raised() -> Self {
        std::ptr::null_mut()
    }
}

impl SlotReturn<i32> for std::ffi::c_int {
    fn from_value(value: i32) -> Self {
        value
    }

    fn raised() -> Self {
        -1
    }
}

impl SlotReturn<()> for () {
    fn from_value((): ()) {}

    fn raised() {}
}

/// Runs the body of a slot; a panic becomes `RuntimeError`.
pub(crate) fn guard<'py, T, R: SlotReturn<T>>(
    name: &str,
    body: impl FnOnce(Py<'py>) -> PyResult<T>,
) -> R {
    // SAFETY: CPython calls slots on attached threads.
    let py = unsafe { Py::assume() };
    match catch_unwind(AssertUnwindSafe(|| body(py))) {
        Ok(Ok(value)) => R::from_value(value),
        Ok(Err(_raised)) => R::raised(),
        Err(payload) => {
            log::current(Level::ERROR, &describe(name, payload.as_ref()));
            // The exception is set; the return value says so.
            drop(py.raise(Class::Runtime, &format!("internal error of mod_wsgi in {name}")));
            R::raised()
        }
    }
}

/// The log record of a caught panic.
pub(crate) fn describe(name: &str, payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text");
    format!("WSGI1020: internal error in {name}: {text}")
}
