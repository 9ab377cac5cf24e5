//! `mod_ssl.is_https` and `mod_ssl.var_lookup` of deciding scripts: what httpd knows of the
//! connection's encryption.

use std::sync::Arc;

use pyo3_ffi as ffi;

use super::{Table, create, deallocate, make_type, method, receive_one, slot, value};
use crate::{
    guard::guard,
    lease::Lease,
    object::{Class, Object, Py, PyResult, Ref},
};

/// What an instance holds.
#[derive(Debug)]
struct Tls {
    lease: Arc<Lease>,
}

/// Makes the type. Its instances are never seen by scripts, only its bound methods.
pub(crate) fn make<'py>(module: &Ref<'py>) -> PyResult<Object<'py>> {
    static METHODS: Table<[ffi::PyMethodDef; 3]> = Table::new([
        method(c"is_https", is_https, ffi::METH_NOARGS),
        method(c"var_lookup", var_lookup, ffi::METH_O),
        ffi::PyMethodDef::zeroed(),
    ]);
    let mut slots = vec![
        slot(ffi::Py_tp_dealloc, deallocate::<Tls> as *mut _),
        slot(ffi::Py_tp_methods, METHODS.pointer()),
    ];
    let flags = ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    make_type::<Tls>(module, c"mod_wsgi.Tls", flags, &mut slots)
}

/// The object whose methods ask about the request of `lease`.
pub(crate) fn new<'py>(py: Py<'py>, class: &Ref<'_>, lease: Arc<Lease>) -> PyResult<Object<'py>> {
    // SAFETY: `class` is the type of `make`.
    unsafe { create(py, class, Tls { lease }) }
}

fn variable(py: Py<'_>, this: &Ref<'_>, name: &[u8]) -> PyResult<Option<Vec<u8>>> {
    // SAFETY: the functions of this file are called with instances of its type.
    let Tls { lease } = unsafe { value(this) };
    let Some(exchange) = lease.enter() else {
        return Err(py.raise(Class::Runtime, "request object has expired"));
    };
    let exchange = &*exchange;
    Ok(py.detached(|| exchange.tls_variable(name)))
}

unsafe extern "C" fn is_https(
    this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("is_https", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { super::borrowed(this) };
        py.boolean(variable(py, &this, b"HTTPS")?.is_some_and(|value| value == b"on"))
    })
}

unsafe extern "C" fn var_lookup(
    this: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("var_lookup", |py| {
        // SAFETY: CPython passes an instance of this type and one argument.
        let (this, name) = unsafe { receive_one(this, name) };
        let found = match name.as_bytes() {
            Some(name) => variable(py, &this, name)?,
            None if name.is_text() => variable(py, &this, &name.to_latin1()?)?,
            None => {
                let text = format!("variable name must be str or bytes, not {}", name.type_name());
                return Err(py.raise(Class::Type, &text));
            }
        };
        match found {
            Some(value) => py.latin1(&value),
            None => Ok(py.none()),
        }
    })
}
