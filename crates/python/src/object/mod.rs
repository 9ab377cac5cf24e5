//! A thin safe layer over the C API: references to Python objects, tied to attachment.
//!
//! PyO3's safe API keeps objects per process (`PyErr`, interned strings, lazily made types) and
//! counts attachments that only its own `attach` makes; with several interpreters in a process
//! neither fits. Here a reference exists only where a [`Py`] proves that the thread is attached,
//! and an error is [`Raised`]: the interpreter's own "exception is set" state, as in C.
//!
//! `error.rs` raises and takes exceptions, `make.rs` makes objects, `access.rs` uses them,
//! `text.rs` and `bytes.rs` look into strings and build bytes without copying twice.

mod access;
mod bytes;
mod error;
mod make;
mod text;

use std::{marker::PhantomData, ops::Deref, ptr::NonNull};

use pyo3_ffi as ffi;

pub(crate) use bytes::BytesBuilder;
pub(crate) use error::{Class, PyResult, Raised};

use crate::wsgi::measure;

/// Proof that this thread is attached to an interpreter. Not `Send`, so what holds one cannot
/// enter [`Py::detached`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Py<'py>(PhantomData<(&'py (), *mut ())>);

impl<'py> Py<'py> {
    /// # Safety
    /// The calling thread is attached for all of `'py`, apart from [`Py::detached`] sections.
    pub(crate) unsafe fn assume() -> Self {
        Self(PhantomData)
    }

    /// Runs `work` detached: other threads may run Python meanwhile.
    pub(crate) fn detached<R>(self, work: impl FnOnce() -> R + Send) -> R {
        struct Reattach(*mut ffi::PyThreadState);
        impl Drop for Reattach {
            fn drop(&mut self) {
                // SAFETY: the thread state that PyEval_SaveThread returned on this thread.
                measure::waiting_for_lock(|| unsafe { ffi::PyEval_RestoreThread(self.0) });
            }
        }
        // SAFETY: `self` proves that this thread is attached.
        let _reattach = Reattach(unsafe { ffi::PyEval_SaveThread() });
        work()
    }
}

/// A borrowed reference: the object lives at least for `'a` and the thread is attached.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Ref<'a>(NonNull<ffi::PyObject>, PhantomData<(&'a (), *mut ())>);

impl<'a> Ref<'a> {
    /// A borrowed reference from a pointer, `None` for null.
    ///
    /// # Safety
    /// The object lives for `'a` and the thread is attached for `'a`.
    pub(crate) unsafe fn from_pointer(pointer: *mut ffi::PyObject) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self(pointer, PhantomData))
    }

    /// A borrowed reference from a pointer that is not null.
    ///
    /// # Safety
    /// As for [`Ref::from_pointer`], and `pointer` is not null.
    pub(crate) unsafe fn from_live(pointer: *mut ffi::PyObject) -> Self {
        // SAFETY: not null by the contract.
        Self(unsafe { NonNull::new_unchecked(pointer) }, PhantomData)
    }

    /// The pointer for the C API.
    pub(crate) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// Proof of attachment.
    pub(crate) fn py(&self) -> Py<'a> {
        Py(PhantomData)
    }

    /// A reference of its own.
    pub(crate) fn to_object(&self) -> Object<'a> {
        // SAFETY: the object is alive and the thread attached, by this type's invariant.
        unsafe { ffi::Py_INCREF(self.as_ptr()) }
        Object(Ref(self.0, PhantomData))
    }

    /// The object's type as an object.
    pub(crate) fn class(&self) -> Ref<'_> {
        // SAFETY: every live object has a type and keeps it alive.
        unsafe { Ref::from_live(self.type_pointer().cast()) }
    }

    /// The object's type.
    pub(crate) fn type_pointer(&self) -> *mut ffi::PyTypeObject {
        // SAFETY: the object is alive.
        unsafe { ffi::Py_TYPE(self.as_ptr()) }
    }

    /// Name of the object's type, without its module, as error messages give it.
    pub(crate) fn type_name(&self) -> String {
        // SAFETY: every live object has a type, whose name is a C string that outlives it.
        let name = unsafe { (*self.type_pointer()).tp_name };
        // SAFETY: as above.
        let name = unsafe { std::ffi::CStr::from_ptr(name) }.to_string_lossy().into_owned();
        name.rsplit('.').next().unwrap_or_default().to_owned()
    }
}

/// An owned reference, released when dropped (which needs attachment: hence not `Send`).
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Object<'py>(Ref<'py>);

impl<'py> Object<'py> {
    /// Takes over a new reference from the C API; null means that an exception was raised.
    ///
    /// # Safety
    /// `pointer` is null with an exception set, or a reference that the caller owns.
    pub(crate) unsafe fn from_new(_py: Py<'py>, pointer: *mut ffi::PyObject) -> PyResult<Self> {
        match NonNull::new(pointer) {
            Some(pointer) => Ok(Self(Ref(pointer, PhantomData))),
            None => Err(Raised::pending()),
        }
    }

    /// The pointer with its ownership.
    pub(crate) fn into_pointer(self) -> *mut ffi::PyObject {
        std::mem::ManuallyDrop::new(self).as_ptr()
    }
}

impl<'py> Deref for Object<'py> {
    type Target = Ref<'py>;

    fn deref(&self) -> &Ref<'py> {
        &self.0
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        // SAFETY: this type owns one reference and exists only on attached threads.
        unsafe { ffi::Py_DECREF(self.as_ptr()) }
    }
}

/// A reference kept outside any attachment, in a structure of one interpreter. It is released
/// only by [`Stored::take`]; dropping it leaks, because nobody may be attached then.
#[derive(Debug)]
pub(crate) struct Stored(NonNull<ffi::PyObject>);

// SAFETY: the pointer is only followed through `get` and `take`, which need attachment.
unsafe impl Send for Stored {}
// SAFETY: as for Send.
unsafe impl Sync for Stored {}

impl Stored {
    /// Keeps a reference.
    pub(crate) fn new(object: Object<'_>) -> Self {
        Self(std::mem::ManuallyDrop::new(object).0.0)
    }

    /// The object, while attached.
    pub(crate) fn get<'a, 'py: 'a>(&'a self, _py: Py<'py>) -> &'a Ref<'py> {
        // SAFETY: Ref is a transparent wrapper of NonNull<PyObject>; the object is alive as long
        // as this reference is, and `py` proves attachment.
        unsafe { &*(&raw const self.0).cast::<Ref<'py>>() }
    }

    /// Gives the reference back, to be released.
    pub(crate) fn take(self, _py: Py<'_>) -> Object<'_> {
        Object(Ref(self.0, PhantomData))
    }
}
