//! The Python types of this crate: heap types made per interpreter from C-API specifications.
//!
//! `input.rs` is `wsgi.input`, with `body.rs` behind it and `seeking.rs` where a body is kept,
//! `log_stream.rs` what `wsgi.errors`, `sys.stderr` and `sys.stdout` write to, `adapter.rs` gives
//! `start_response` and `write`, `file_wrapper.rs` is `wsgi.file_wrapper`, `tls.rs` answers questions
//! about encryption. An instance is a C header followed by one Rust value.

pub(crate) mod adapter;
pub(crate) mod body;
pub(crate) mod file_wrapper;
pub(crate) mod input;
pub(crate) mod log_stream;
mod seeking;
pub(crate) mod tls;

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_ulong, c_void};
use std::mem::{offset_of, size_of};

use pyo3_ffi as ffi;

use crate::{
    guard::guard,
    object::{Object, Py, PyResult, Ref},
};

/// Memory of an instance.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Instance<T> {
    head: ffi::PyObject,
    value: T,
}

/// A table that C reads through mutable pointers but never writes.
#[derive(Debug)]
pub(crate) struct Table<T>(UnsafeCell<T>);

// SAFETY: CPython reads these tables only.
unsafe impl<T> Sync for Table<T> {}

impl<T> Table<T> {
    /// A table for a static.
    pub(crate) const fn new(content: T) -> Self {
        Self(UnsafeCell::new(content))
    }

    /// The pointer for C.
    pub(crate) const fn pointer(&self) -> *mut c_void {
        self.0.get().cast()
    }
}

/// Makes an instance of `class`, whose memory is an `Instance<T>`.
///
/// # Safety
/// `class` was made by [`make_type`] with the size of `Instance<T>`.
pub(crate) unsafe fn create<'py, T>(
    py: Py<'py>,
    class: &Ref<'_>,
    value: T,
) -> PyResult<Object<'py>> {
    let class = class.as_ptr().cast::<ffi::PyTypeObject>();
    // SAFETY: a live type object; memory for one instance, header set, the rest zero.
    let pointer = unsafe { ffi::PyType_GenericAlloc(class, 0) };
    // SAFETY: a new reference or null.
    let object = unsafe { Object::from_new(py, pointer)? };
    let instance = object.as_ptr().cast::<Instance<T>>();
    // SAFETY: memory of the right size that nobody else has seen.
    let place = unsafe { &raw mut (*instance).value };
    // SAFETY: as above; nothing is there to be dropped.
    unsafe { place.write(value) };
    Ok(object)
}

/// The Rust value of an instance.
///
/// # Safety
/// `object` is an instance that [`create`] made with this `T`.
pub(crate) unsafe fn value<'a, T>(object: &'a Ref<'_>) -> &'a T {
    // SAFETY: the value was written by `create` and lives as long as the object.
    unsafe { &(*object.as_ptr().cast::<Instance<T>>()).value }
}

/// Offset of the value in an instance, for member tables.
pub(crate) const fn value_offset<T>() -> usize {
    offset_of!(Instance<T>, value)
}

/// `tp_dealloc` of types without garbage collection.
pub(crate) unsafe extern "C" fn deallocate<T>(object: *mut ffi::PyObject) {
    guard("dealloc", |_py| {
        // SAFETY: CPython calls this once for an instance made by `create`.
        let place = unsafe { &raw mut (*object.cast::<Instance<T>>()).value };
        // SAFETY: as above; the value is not used again.
        unsafe { place.drop_in_place() };
        // SAFETY: a live object.
        let class = unsafe { ffi::Py_TYPE(object) };
        // SAFETY: memory of PyType_GenericAlloc for a type without collection.
        unsafe { ffi::PyObject_Free(object.cast()) };
        // SAFETY: an instance holds a reference to its heap type.
        unsafe { ffi::Py_DECREF(class.cast()) };
        Ok(())
    })
}

/// Makes a heap type whose instances are `Instance<T>`.
pub(crate) fn make_type<'py, T>(
    module: &Ref<'py>,
    name: &'static CStr,
    extra_flags: c_ulong,
    slots: &mut Vec<ffi::PyType_Slot>,
) -> PyResult<Object<'py>> {
    slots.push(ffi::PyType_Slot { slot: 0, pfunc: std::ptr::null_mut() });
    let flags = ffi::Py_TPFLAGS_DEFAULT | extra_flags;
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: c_int::try_from(size_of::<Instance<T>>()).unwrap_or(c_int::MAX),
        itemsize: 0,
        flags: u32::try_from(flags).unwrap_or_default(),
        slots: slots.as_mut_ptr(),
    };
    let (py, none) = (module.py(), std::ptr::null_mut());
    // SAFETY: attached, a live module, a terminated slot table; CPython copies what it keeps,
    // apart from the static name and method tables.
    let pointer = unsafe { ffi::PyType_FromModuleAndSpec(module.as_ptr(), &raw mut spec, none) };
    // SAFETY: a new reference or null.
    unsafe { Object::from_new(py, pointer) }
}

/// A slot of a type.
pub(crate) fn slot(slot: c_int, pfunc: *mut c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot, pfunc }
}

/// A method table entry without arguments or with one.
pub(crate) const fn method(
    name: &'static CStr,
    function: ffi::PyCFunction,
    flags: c_int,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: function },
        ml_flags: flags,
        ml_doc: std::ptr::null(),
    }
}

/// The same with a text for `help()`, which begins with the signature as `inspect` reads it.
pub(crate) const fn documented(method: ffi::PyMethodDef, text: &'static CStr) -> ffi::PyMethodDef {
    ffi::PyMethodDef { ml_doc: text.as_ptr(), ..method }
}

/// A method table entry with positional arguments.
pub(crate) const fn fast_method(
    name: &'static CStr,
    function: ffi::PyCFunctionFast,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFast: function },
        ml_flags: ffi::METH_FASTCALL,
        ml_doc: std::ptr::null(),
    }
}

/// A function whose `self` is an object.
pub(crate) fn bind<'py>(
    this: &Ref<'py>,
    definition: &'static Table<ffi::PyMethodDef>,
) -> PyResult<Object<'py>> {
    let null = std::ptr::null_mut();
    // SAFETY: attached, a static definition, a live object that becomes `self`.
    let function = unsafe {
        ffi::PyCMethod_New(definition.pointer().cast(), this.as_ptr(), null, null.cast())
    };
    // SAFETY: a new reference or null.
    unsafe { Object::from_new(this.py(), function) }
}

/// `self` and the arguments of a METH_FASTCALL function.
///
/// # Safety
/// The parameters are those that CPython passed.
pub(crate) unsafe fn receive<'a>(
    this: *mut ffi::PyObject,
    start: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> (Ref<'a>, &'a [Ref<'a>]) {
    // SAFETY: by the contract above.
    let this = unsafe { borrowed(this) };
    let count = usize::try_from(count).unwrap_or_default();
    if count == 0 || start.is_null() {
        return (this, &[]);
    }
    // SAFETY: Ref is a transparent wrapper of a non-null pointer; the caller of the function
    // keeps the arguments alive during the call.
    (this, unsafe { std::slice::from_raw_parts(start.cast::<Ref<'a>>(), count) })
}

/// `self` and the argument of a METH_O function.
///
/// # Safety
/// The parameters are those that CPython passed.
pub(crate) unsafe fn receive_one<'a>(
    this: *mut ffi::PyObject,
    argument: *mut ffi::PyObject,
) -> (Ref<'a>, Ref<'a>) {
    // SAFETY: by the contract above.
    let this = unsafe { borrowed(this) };
    // SAFETY: by the contract above.
    (this, unsafe { borrowed(argument) })
}

/// A borrowed argument or `self`.
///
/// # Safety
/// `object` is a live, non-null object, as CPython passes them.
pub(crate) unsafe fn borrowed<'a>(object: *mut ffi::PyObject) -> Ref<'a> {
    // SAFETY: by the contract above.
    unsafe { Ref::from_live(object) }
}
