//! Raising exceptions and taking raised ones.

use std::{ffi::CString, marker::PhantomData};

use pyo3_ffi as ffi;

use super::{Object, Py, Ref};

/// An exception is set in this thread's state. Whoever drops this without [`Raised::take`] or
/// [`Raised::clear`] must be returning to Python with its error value.
#[must_use = "the exception stays set"]
#[derive(Debug)]
pub(crate) struct Raised(PhantomData<*mut ()>);

/// Result of everything that can raise.
pub(crate) type PyResult<T> = Result<T, Raised>;

/// Exception classes that this crate raises or looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// `AttributeError`
    Attribute,
    /// `OSError`
    Os,
    /// `RuntimeError`
    Runtime,
    /// `SystemExit`
    SystemExit,
    /// `TypeError`
    Type,
    /// `ValueError`
    Value,
    /// `BaseException`
    Base,
}

impl Class {
    /// The class object; static types of CPython, the same in every interpreter.
    pub(crate) fn as_ptr(self) -> *mut ffi::PyObject {
        let class = match self {
            Self::Attribute => &raw const ffi::PyExc_AttributeError,
            Self::Os => &raw const ffi::PyExc_OSError,
            Self::Runtime => &raw const ffi::PyExc_RuntimeError,
            Self::SystemExit => &raw const ffi::PyExc_SystemExit,
            Self::Type => &raw const ffi::PyExc_TypeError,
            Self::Value => &raw const ffi::PyExc_ValueError,
            Self::Base => &raw const ffi::PyExc_BaseException,
        };
        // SAFETY: libpython's static variables, set before any thread can be attached.
        unsafe { *class }
    }
}

impl Raised {
    /// States that an exception is set already.
    pub(crate) fn pending() -> Self {
        Self(PhantomData)
    }

    /// Takes the exception out of the thread state, with its traceback attached.
    pub(crate) fn take(self, py: Py<'_>) -> Option<Object<'_>> {
        let pointer = take_pointer();
        // SAFETY: a reference that is ours now, or null when nothing was raised after all.
        unsafe { Object::from_new(py, pointer) }.ok()
    }

    /// Forgets the exception.
    pub(crate) fn clear(self, _py: Py<'_>) {
        // SAFETY: attached, by the parameter.
        unsafe { ffi::PyErr_Clear() }
    }

    /// Whether the exception is of this class.
    pub(crate) fn is(&self, _py: Py<'_>, class: Class) -> bool {
        // SAFETY: attached, an exception is set.
        unsafe { ffi::PyErr_ExceptionMatches(class.as_ptr()) != 0 }
    }
}

#[cfg(Py_3_12)]
fn take_pointer() -> *mut ffi::PyObject {
    // SAFETY: called attached (Raised::take has the proof).
    unsafe { ffi::PyErr_GetRaisedException() }
}

#[cfg(not(Py_3_12))]
fn take_pointer() -> *mut ffi::PyObject {
    let [mut class, mut value, mut traceback] = [std::ptr::null_mut(); 3];
    // SAFETY: called attached (Raised::take has the proof); three out parameters.
    unsafe { ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback) };
    // SAFETY: the three values just fetched; null class means nothing was raised, which it allows.
    unsafe { ffi::PyErr_NormalizeException(&raw mut class, &raw mut value, &raw mut traceback) };
    if !value.is_null() && !traceback.is_null() {
        // SAFETY: a normalized exception and its traceback.
        unsafe { ffi::PyException_SetTraceback(value, traceback) };
    }
    // SAFETY: references fetched above, released once.
    unsafe { ffi::Py_XDECREF(class) };
    // SAFETY: as above.
    unsafe { ffi::Py_XDECREF(traceback) };
    value
}

impl<'py> Py<'py> {
    /// Raises an exception of `class` with a text.
    pub(crate) fn raise(self, class: Class, text: &str) -> Raised {
        let text = CString::new(text.replace('\0', "\\x00")).unwrap_or_default();
        // SAFETY: attached; a class object and a C string (UTF-8).
        unsafe { ffi::PyErr_SetString(class.as_ptr(), text.as_ptr()) };
        Raised::pending()
    }

    /// Raises an exception object, with the traceback it carries.
    pub(crate) fn raise_object(self, exception: &Ref<'_>) -> Raised {
        let class = exception.type_pointer().cast::<ffi::PyObject>();
        // SAFETY: attached, an object and its class; raises SystemError for what is no exception.
        unsafe { ffi::PyErr_SetObject(class, exception.as_ptr()) };
        Raised::pending()
    }

    /// Raises from a class, value and traceback as `sys.exc_info()` gives them.
    pub(crate) fn raise_parts(self, class: &Ref<'_>, value: &Ref<'_>, trace: &Ref<'_>) -> Raised {
        if value.is_exception(Class::Base) {
            if !trace.is_none() {
                // SAFETY: attached, an exception object; anything but a traceback is refused
                // with an exception of its own, replaced below.
                unsafe { ffi::PyException_SetTraceback(value.as_ptr(), trace.as_ptr()) };
            }
            return self.raise_object(value);
        }
        // SAFETY: attached; raises SystemError for what is no exception class.
        unsafe { ffi::PyErr_SetObject(class.as_ptr(), value.as_ptr()) };
        Raised::pending()
    }

    /// `Ok` when a C function that returns 0 or -1 succeeded.
    pub(crate) fn check(self, status: std::ffi::c_int) -> PyResult<()> {
        if status < 0 { Err(Raised::pending()) } else { Ok(()) }
    }
}
