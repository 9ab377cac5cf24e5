//! `mod_wsgi.FileWrapper`: `wsgi.file_wrapper` (PEP 3333, optional platform-specific file
//! handling). As an iterable it reads blocks; `wsgi/file.rs` sends its file without reading it.

use std::ffi::{c_int, c_void};
use std::mem::offset_of;

use pyo3_ffi as ffi;

use super::{Instance, Table, borrowed, make_type, method, slot, value_offset};
use crate::{
    guard::guard,
    object::{Class, Object, Py, PyResult, Ref},
};

const BLOCK: i64 = 8192;

/// What an instance holds; also reached through the member table.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Wrapper {
    filelike: *mut ffi::PyObject,
    blksize: ffi::Py_ssize_t,
}

/// Makes the type.
pub(crate) fn make<'py>(module: &Ref<'py>) -> PyResult<Object<'py>> {
    static METHODS: Table<[ffi::PyMethodDef; 2]> =
        Table::new([method(c"close", close, ffi::METH_NOARGS), ffi::PyMethodDef::zeroed()]);
    static MEMBERS: Table<[ffi::PyMemberDef; 3]> = Table::new([
        member(c"filelike", ffi::Py_T_OBJECT_EX, offset_of!(Wrapper, filelike)),
        member(c"blksize", ffi::Py_T_PYSSIZET, offset_of!(Wrapper, blksize)),
        ffi::PyMemberDef {
            name: std::ptr::null(),
            type_code: 0,
            offset: 0,
            flags: 0,
            doc: std::ptr::null(),
        },
    ]);
    let mut slots = vec![
        slot(ffi::Py_tp_init, init as *mut _),
        slot(ffi::Py_tp_dealloc, deallocate as *mut _),
        slot(ffi::Py_tp_traverse, traverse as *mut _),
        slot(ffi::Py_tp_clear, clear as *mut _),
        slot(ffi::Py_tp_iter, iterate as *mut _),
        slot(ffi::Py_tp_iternext, next as *mut _),
        slot(ffi::Py_tp_methods, METHODS.pointer()),
        slot(ffi::Py_tp_members, MEMBERS.pointer()),
    ];
    let flags = ffi::Py_TPFLAGS_BASETYPE | ffi::Py_TPFLAGS_HAVE_GC;
    make_type::<Wrapper>(module, c"mod_wsgi.FileWrapper", flags, &mut slots)
}

const fn member(name: &'static std::ffi::CStr, kind: c_int, offset: usize) -> ffi::PyMemberDef {
    ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: kind,
        offset: (value_offset::<Wrapper>() + offset).cast_signed(),
        flags: ffi::Py_READONLY,
        doc: std::ptr::null(),
    }
}

/// The fields of an instance.
fn fields(this: &Ref<'_>) -> *mut Wrapper {
    let instance = this.as_ptr().cast::<Instance<Wrapper>>();
    // SAFETY: the functions of this file are called with instances of its type or subclasses.
    unsafe { &raw mut (*instance).value }
}

/// The file, unless closed.
fn filelike<'py>(this: &Ref<'py>) -> Option<Object<'py>> {
    // SAFETY: a live instance; the field is null or a reference of the instance.
    let pointer = unsafe { (*fields(this)).filelike };
    // SAFETY: as above; a reference of our own is taken at once.
    unsafe { Ref::from_pointer(pointer) }.map(|filelike| filelike.to_object())
}

/// The file of a wrapper that the application returned.
pub(crate) fn file_of<'py>(wrapper: &Ref<'py>) -> Option<Object<'py>> {
    filelike(wrapper)
}

fn set_filelike(this: &Ref<'_>, filelike: *mut ffi::PyObject) {
    // SAFETY: a live instance.
    let previous = unsafe { std::mem::replace(&mut (*fields(this)).filelike, filelike) };
    // SAFETY: the reference that the instance held, or null.
    unsafe { ffi::Py_XDECREF(previous) };
}

unsafe extern "C" fn init(
    this: *mut ffi::PyObject,
    positional: *mut ffi::PyObject,
    named: *mut ffi::PyObject,
) -> c_int {
    guard("FileWrapper.__init__", |py| {
        // SAFETY: CPython passes an instance of this type, a tuple, and a dict or null.
        let this = unsafe { borrowed(this) };
        // SAFETY: as above.
        let positional = unsafe { borrowed(positional) };
        // SAFETY: as above.
        let named = unsafe { Ref::from_pointer(named) };
        let (filelike, blksize) = read_arguments(py, &positional, named.as_ref())?;
        if blksize < 0 {
            return Err(py.raise(Class::Value, "blksize must not be negative"));
        }
        // SAFETY: a live instance.
        unsafe { (*fields(&this)).blksize = isize::try_from(blksize).unwrap_or(isize::MAX) };
        set_filelike(&this, filelike.into_pointer());
        Ok(0)
    })
}

fn read_arguments<'py>(
    py: Py<'py>,
    positional: &Ref<'py>,
    named: Option<&Ref<'py>>,
) -> PyResult<(Object<'py>, i64)> {
    let named_item = |key: &str| match named {
        Some(named) => named.item(&*py.text(key)?),
        None => Ok(None),
    };
    let mut items = positional.items()?.into_iter();
    let filelike = match items.next() {
        Some(filelike) => Some(filelike),
        None => named_item("filelike")?,
    };
    let blksize = match items.next() {
        Some(blksize) => Some(blksize),
        None => named_item("blksize")?,
    };
    let Some(filelike) = filelike else {
        let text = "FileWrapper() missing required argument 'filelike' (pos 1)";
        return Err(py.raise(Class::Type, text));
    };
    if items.next().is_some() {
        return Err(py.raise(Class::Type, "FileWrapper() takes at most 2 arguments"));
    }
    let blksize = blksize.map_or(Ok(BLOCK), |blksize| blksize.to_int())?;
    Ok((filelike, blksize))
}

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    guard("FileWrapper dealloc", |_py| {
        // SAFETY: CPython calls this once, with a tracked instance.
        unsafe { ffi::PyObject_GC_UnTrack(this.cast()) };
        // SAFETY: memory is still there.
        let object = unsafe { borrowed(this) };
        set_filelike(&object, std::ptr::null_mut());
        let class = object.type_pointer();
        // SAFETY: memory of a collected type.
        unsafe { ffi::PyObject_GC_Del(this.cast()) };
        // SAFETY: an instance holds a reference to its heap type.
        unsafe { ffi::Py_DECREF(class.cast()) };
        Ok(())
    })
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    guard("FileWrapper traverse", |_py| {
        // SAFETY: CPython passes an instance of this type.
        let object = unsafe { borrowed(this) };
        // SAFETY: a live instance.
        let filelike = unsafe { (*fields(&object)).filelike };
        if !filelike.is_null() {
            // SAFETY: the collector's own function, for a reference that the instance holds.
            let stopped = unsafe { visit(filelike, argument) };
            if stopped != 0 {
                return Ok(stopped);
            }
        }
        // SAFETY: as above, for the heap type.
        Ok(unsafe { visit(object.type_pointer().cast(), argument) })
    })
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    guard("FileWrapper clear", |_py| {
        // SAFETY: CPython passes an instance of this type.
        set_filelike(&unsafe { borrowed(this) }, std::ptr::null_mut());
        Ok(0)
    })
}

unsafe extern "C" fn iterate(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    guard("FileWrapper.__iter__", |_py| {
        // SAFETY: CPython passes an instance of this type.
        Ok(unsafe { borrowed(this) }.to_object())
    })
}

unsafe extern "C" fn next(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    guard("FileWrapper.__next__", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        let Some(filelike) = filelike(&this) else {
            return Err(py.raise(Class::Value, "I/O operation on closed file"));
        };
        // Looked up as an attribute: a subclass may set another one.
        let blksize = this.attribute("blksize")?;
        blksize.to_int()?;
        let block = filelike.call_method("read", &[&blksize])?;
        match block.as_bytes() {
            Some([]) => Ok(None),
            Some(_) => Ok(Some(block)),
            None => {
                let name = block.type_name();
                let text = format!("file wrapper read() must return bytes, not {name}");
                Err(py.raise(Class::Type, &text))
            }
        }
    })
}

unsafe extern "C" fn close(
    this: *mut ffi::PyObject,
    _no_arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard("FileWrapper.close", |py| {
        // SAFETY: CPython passes an instance of this type.
        let this = unsafe { borrowed(this) };
        if let Some(filelike) = filelike(&this) {
            let closed = filelike.attribute("close").and_then(|close| close.call(&[]));
            if let Err(raised) = closed {
                raised.clear(py);
            }
            set_filelike(&this, std::ptr::null_mut());
        }
        Ok(py.none())
    })
}
