//! Looking at and interrupting threads that are in Python, from another thread.
//!
//! Everything here waits for the interpreter lock, for as long as the application holds it: the
//! caller has a thread that may wait.

use pyo3_ffi as ffi;

use crate::{
    attach,
    interpreter::Interpreter,
    object::{Object, Py, PyResult, Ref},
    runtime::Runtime,
};

impl Runtime {
    /// Takes the lock of the interpreter of `group` and gives it back.
    pub fn take_turn(&self, group: &[u8]) {
        if let Some(interpreter) = self.interpreters().find(group) {
            drop(interpreter.attach());
        }
    }

    /// The Python stack of a thread that runs in the interpreter of `group`, by lines; `None` when
    /// it cannot be told.
    pub fn stack(&self, group: &[u8], thread: u64) -> Option<Vec<String>> {
        let interpreter = self.interpreters().find(group)?;
        let attached = interpreter.attach()?;
        let py = attached.py();
        let lines = || -> PyResult<Vec<String>> {
            let frame = frame(py, interpreter, thread)?;
            let lines = interpreter.state.bootstrap.call(py, "stack_of", &[&frame])?;
            lines.items()?.iter().map(|line| line.to_text()).collect()
        };
        lines().map_err(|raised| raised.clear(py)).ok()
    }

    /// The Python stacks of the threads that applications have started in the interpreter of
    /// `group`.
    pub fn other_stacks(&self, group: &[u8]) -> Vec<Vec<String>> {
        let Some(interpreter) = self.interpreters().find(group) else { return Vec::new() };
        let Some(attached) = interpreter.attach() else { return Vec::new() };
        let py = attached.py();
        let lines = |frame: &Object<'_>| -> PyResult<Vec<String>> {
            let lines = interpreter.state.bootstrap.call(py, "stack_of", &[frame])?;
            lines.items()?.iter().map(|line| line.to_text()).collect()
        };
        let frames = attach::frames_of_others(py, interpreter.pointer());
        let stacks = frames.iter().map(|frame| lines(frame).map_err(|raised| raised.clear(py)));
        stacks.flatten().collect()
    }

    /// Raises `mod_wsgi.RequestTimeout` in a thread that runs in the interpreter of `group`, as
    /// soon as it executes bytecode. `when` is called attached, and decides whether to call what
    /// it is given.
    pub fn interrupt(
        &self,
        group: &[u8],
        thread: u64,
        when: &dyn Fn(&dyn Fn() -> bool) -> bool,
    ) -> bool {
        let Some(interpreter) = self.interpreters().find(group) else { return false };
        let Some(attached) = interpreter.attach() else { return false };
        let class = interpreter.state.request_timeout.get(attached.py());
        when(&|| set_exception(thread, Some(class)))
    }

    /// Takes back an exception of [`Self::interrupt`] that the calling thread has not noticed.
    pub fn forget_interrupt(&self, group: &[u8]) {
        let Some(interpreter) = self.interpreters().find(group) else { return };
        if let Some(_attached) = interpreter.attach() {
            // SAFETY: returns a number.
            set_exception(unsafe { libc::pthread_self() }, None);
        }
    }
}

/// The frame that a thread executes, or None.
#[cfg(not(Py_GIL_DISABLED))]
#[allow(clippy::unnecessary_wraps, reason = "the other one can fail")]
fn frame<'py>(py: Py<'py>, interpreter: &Interpreter, thread: u64) -> PyResult<Object<'py>> {
    Ok(attach::frame_of(py, interpreter.pointer(), thread).unwrap_or_else(|| py.none()))
}

/// Without a lock the thread runs on while it is looked at, unless Python itself stops it.
#[cfg(Py_GIL_DISABLED)]
fn frame<'py>(py: Py<'py>, _interpreter: &Interpreter, thread: u64) -> PyResult<Object<'py>> {
    let frames = py.import("sys")?.call_method("_current_frames", &[])?;
    let frame = frames.item(&*py.int(thread.cast_signed())?)?;
    Ok(frame.unwrap_or_else(|| py.none()))
}

/// Sets or clears the exception that a thread of the current interpreter will raise.
fn set_exception(thread: u64, class: Option<&Ref<'_>>) -> bool {
    let class = class.map_or(std::ptr::null_mut(), Ref::as_ptr);
    // SAFETY: attached; the number of a thread and a class or null. CPython takes a reference.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread.cast_signed(), class) > 0 }
}
