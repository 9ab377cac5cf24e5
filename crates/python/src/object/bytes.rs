//! Building a `bytes` in place, so that what is read from a request is copied once.

use pyo3_ffi as ffi;

use super::{Object, Py, PyResult};

unsafe extern "C" {
    /// Public but unlisted in PyO3's bindings: resizes an unshared bytes object.
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> std::ffi::c_int;
}

/// A `bytes` object that nobody else sees yet.
#[derive(Debug)]
pub(crate) struct BytesBuilder<'py> {
    object: Object<'py>,
    filled: usize,
    capacity: usize,
}

impl<'py> BytesBuilder<'py> {
    /// Room for `capacity` bytes.
    pub(crate) fn new(py: Py<'py>, capacity: usize) -> PyResult<Self> {
        let size = ffi::Py_ssize_t::try_from(capacity).unwrap_or(ffi::Py_ssize_t::MAX);
        // SAFETY: attached; a null source leaves the content unset.
        let pointer = unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), size) };
        // SAFETY: a new reference or null.
        let object = unsafe { Object::from_new(py, pointer)? };
        let mut builder = Self { object, filled: 0, capacity };
        builder.zero_room();
        Ok(builder)
    }

    /// Bytes filled so far.
    pub(crate) fn len(&self) -> usize {
        self.filled
    }

    /// The part not filled yet.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        // SAFETY: a bytes object of `capacity` bytes that nobody else has seen; `filled` is
        // within it.
        let start = unsafe { ffi::PyBytes_AsString(self.object.as_ptr()) }.cast::<u8>();
        // SAFETY: as above.
        let start = unsafe { start.add(self.filled) };
        // SAFETY: initialised by `zero_room`, unshared.
        unsafe { std::slice::from_raw_parts_mut(start, self.capacity - self.filled) }
    }

    /// Counts bytes that were written into [`Self::room`].
    pub(crate) fn advance(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.capacity);
    }

    /// Appends bytes, growing when needed.
    pub(crate) fn append(mut self, data: &[u8]) -> PyResult<Self> {
        if self.capacity - self.filled < data.len() {
            let wanted = (self.filled + data.len()).max(self.capacity.saturating_mul(2));
            self = self.resize(wanted)?;
        }
        if let Some(target) = self.room().get_mut(..data.len()) {
            target.copy_from_slice(data);
        }
        self.advance(data.len());
        Ok(self)
    }

    /// Changes the capacity, keeping what is filled.
    pub(crate) fn resize(self, capacity: usize) -> PyResult<Self> {
        let Self { object, filled, .. } = self;
        let py = object.py();
        let size = ffi::Py_ssize_t::try_from(capacity).unwrap_or(ffi::Py_ssize_t::MAX);
        let mut pointer = object.into_pointer();
        // SAFETY: an owned, unshared bytes object; on failure it is released and null stored.
        let status = unsafe { _PyBytes_Resize(&raw mut pointer, size) };
        py.check(status)?;
        // SAFETY: an owned reference.
        let object = unsafe { Object::from_new(py, pointer)? };
        let mut builder = Self { object, filled: filled.min(capacity), capacity };
        builder.zero_room();
        Ok(builder)
    }

    /// The finished object, cut to what was filled.
    pub(crate) fn finish(self) -> PyResult<Object<'py>> {
        if self.filled == self.capacity {
            return Ok(self.object);
        }
        if self.filled == 0 {
            return self.object.py().bytes(b"");
        }
        let filled = self.filled;
        Ok(self.resize(filled)?.object)
    }

    fn zero_room(&mut self) {
        // SAFETY: see `room`; written through a raw pointer because it is not initialised yet.
        let start = unsafe { ffi::PyBytes_AsString(self.object.as_ptr()) }.cast::<u8>();
        // SAFETY: as above.
        let start = unsafe { start.add(self.filled) };
        // SAFETY: as above.
        unsafe { std::ptr::write_bytes(start, 0, self.capacity - self.filled) }
    }
}
