//! The Python stacks of all threads, written without the interpreter lock: for a process that is
//! about to die, or whose lock nobody gets.
//!
//! `faulthandler` shows the threads of one interpreter, on CPython 3.11 always the main one. Where
//! libpython exports what it uses, every interpreter is shown; elsewhere `faulthandler` is
//! enabled for fatal signals.

use std::{
    ffi::{CStr, c_char, c_int},
    os::fd::{AsRawFd, BorrowedFd},
    sync::atomic::{AtomicPtr, Ordering},
};

use pyo3_ffi as ffi;

/// `_Py_DumpTracebackThreads`, if libpython has it.
static FUNCTION: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Its names: private, and as CPython 3.15 has published it.
const NAMES: [&CStr; 2] = [c"_Py_DumpTracebackThreads", c"PyUnstable_DumpTracebackThreads"];

type Dump = unsafe extern "C" fn(
    c_int,
    *mut ffi::PyInterpreterState,
    *mut ffi::PyThreadState,
) -> *const c_char;

/// Looks for the function; false when libpython does not export it.
pub(crate) fn prepare() -> bool {
    let found = NAMES.iter().find_map(|name| {
        // SAFETY: a C string; looks among the libraries of the process.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        (!found.is_null()).then_some(found)
    });
    FUNCTION.store(found.unwrap_or_default(), Ordering::Release);
    found.is_some()
}

/// Writes the stacks; false when that is not possible. May be called in a signal handler. Another
/// thread may be changing what is read, so only a process that ends anyway calls this.
pub fn write_stacks(file: BorrowedFd<'_>) -> bool {
    let function = FUNCTION.load(Ordering::Acquire);
    // SAFETY: reads a flag.
    if function.is_null() || unsafe { ffi::Py_IsInitialized() } == 0 {
        return false;
    }
    // SAFETY: the function of that name has this type in every version that has it.
    let dump = unsafe { std::mem::transmute::<*mut libc::c_void, Dump>(function) };
    // SAFETY: reads the head of the list.
    let mut interpreter = unsafe { ffi::PyInterpreterState_Head() };
    while !interpreter.is_null() {
        // SAFETY: a live interpreter; CPython checks the frames it follows as far as it can.
        unsafe { dump(file.as_raw_fd(), interpreter, std::ptr::null_mut()) };
        // SAFETY: as above.
        interpreter = unsafe { ffi::PyInterpreterState_Next(interpreter) };
    }
    true
}
