//! Making Python objects.

use std::ffi::CString;

use pyo3_ffi as ffi;

use super::{Object, Py, PyResult, Ref};

impl<'py> Py<'py> {
    /// `None`.
    pub(crate) fn none(self) -> Object<'py> {
        // SAFETY: libpython's static object.
        let pointer = unsafe { ffi::Py_None() };
        // SAFETY: alive for ever, never null.
        unsafe { Ref::from_live(pointer) }.to_object()
    }

    /// `True` or `False`.
    pub(crate) fn boolean(self, value: bool) -> PyResult<Object<'py>> {
        // SAFETY: attached; returns a new reference.
        let pointer = unsafe { ffi::PyBool_FromLong(value.into()) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self, pointer) }
    }

    /// A `str`.
    pub(crate) fn text(self, text: &str) -> PyResult<Object<'py>> {
        self.utf8(text.as_bytes())
    }

    /// A `str` from UTF-8; raises `UnicodeDecodeError`.
    pub(crate) fn utf8(self, text: &[u8]) -> PyResult<Object<'py>> {
        let length = text.len().cast_signed();
        // SAFETY: attached; a buffer with its length.
        let pointer = unsafe { ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), length) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self, pointer) }
    }

    /// An interned `str`.
    pub(crate) fn interned(self, text: &str) -> PyResult<Object<'py>> {
        let mut pointer = self.text(text)?.into_pointer();
        // SAFETY: an owned str, possibly replaced by another owned one.
        unsafe { ffi::PyUnicode_InternInPlace(&raw mut pointer) };
        // SAFETY: an owned reference.
        unsafe { Object::from_new(self, pointer) }
    }

    /// A `str` with one character for each byte.
    pub(crate) fn latin1(self, text: &[u8]) -> PyResult<Object<'py>> {
        let length = text.len().cast_signed();
        // SAFETY: attached; a buffer with its length; null selects the strict handler.
        let pointer =
            unsafe { ffi::PyUnicode_DecodeLatin1(text.as_ptr().cast(), length, std::ptr::null()) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self, pointer) }
    }

    /// A `str` of a file name in the file system's encoding.
    pub(crate) fn file_name(self, name: &[u8]) -> PyResult<Object<'py>> {
        let length = name.len().cast_signed();
        // SAFETY: attached; a buffer with its length.
        let pointer =
            unsafe { ffi::PyUnicode_DecodeFSDefaultAndSize(name.as_ptr().cast(), length) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self, pointer) }
    }

    /// A `bytes` with a copy of `data`.
    pub(crate) fn bytes(self, data: &[u8]) -> PyResult<Object<'py>> {
        let length = data.len().cast_signed();
        // SAFETY: attached; a buffer with its length.
        let pointer = unsafe { ffi::PyBytes_FromStringAndSize(data.as_ptr().cast(), length) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self, pointer) }
    }

    /// An `int`.
    pub(crate) fn int(self, value: i64) -> PyResult<Object<'py>> {
        // SAFETY: attached; a new reference or null.
        let pointer = unsafe { ffi::PyLong_FromLongLong(value) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self, pointer) }
    }

    /// A `float`.
    pub(crate) fn float(self, value: f64) -> PyResult<Object<'py>> {
        // SAFETY: attached; a new reference or null.
        let pointer = unsafe { ffi::PyFloat_FromDouble(value) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self, pointer) }
    }

    /// A `tuple` of the items.
    pub(crate) fn tuple(self, items: &[&Ref<'_>]) -> PyResult<Object<'py>> {
        // SAFETY: attached; a new tuple with empty slots, all filled below.
        let pointer = unsafe { ffi::PyTuple_New(items.len().cast_signed()) };
        // SAFETY: a new reference or null.
        let tuple = unsafe { Object::from_new(self, pointer)? };
        for (item, index) in items.iter().zip(0..) {
            // SAFETY: a new tuple nobody else sees, an index within it, an owned reference.
            self.check(unsafe {
                ffi::PyTuple_SetItem(tuple.as_ptr(), index, item.to_object().into_pointer())
            })?;
        }
        Ok(tuple)
    }

    /// A `tuple` of version numbers.
    pub(crate) fn version(self, (major, minor, patch): (u32, u32, u32)) -> PyResult<Object<'py>> {
        let [major, minor, patch] = [major, minor, patch].map(|number| self.int(number.into()));
        self.tuple(&[&*major?, &*minor?, &*patch?])
    }

    /// An empty `dict`.
    pub(crate) fn dict(self) -> PyResult<Object<'py>> {
        // SAFETY: attached; a new reference or null.
        let pointer = unsafe { ffi::PyDict_New() };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self, pointer) }
    }

    /// A `list` of the items.
    pub(crate) fn list(self, items: Vec<Object<'py>>) -> PyResult<Object<'py>> {
        // SAFETY: attached; a new reference or null.
        let pointer = unsafe { ffi::PyList_New(0) };
        // SAFETY: a new reference or null.
        let list = unsafe { Object::from_new(self, pointer)? };
        for item in items {
            // SAFETY: a list and an object that are alive.
            self.check(unsafe { ffi::PyList_Append(list.as_ptr(), item.as_ptr()) })?;
        }
        Ok(list)
    }

    /// Imports a module.
    pub(crate) fn import(self, name: &str) -> PyResult<Object<'py>> {
        let name = CString::new(name).unwrap_or_default();
        // SAFETY: attached; a C string.
        let pointer = unsafe { ffi::PyImport_ImportModule(name.as_ptr()) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self, pointer) }
    }

    /// `sys.modules`.
    pub(crate) fn modules(self) -> PyResult<Object<'py>> {
        // SAFETY: attached; a borrowed reference.
        let pointer = unsafe { ffi::PyImport_GetModuleDict() };
        // SAFETY: alive as long as the interpreter is.
        let modules = unsafe { Ref::from_pointer(pointer) };
        match modules {
            Some(modules) => Ok(modules.to_object()),
            None => Err(self.raise(super::Class::Runtime, "no sys.modules")),
        }
    }
}
