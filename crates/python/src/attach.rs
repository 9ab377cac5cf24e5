//! Attaching threads to interpreters: one thread state per (thread, interpreter), kept for the
//! life of the thread.
//!
//! Making and deleting a state per request costs up to 24 µs (CPython 3.14), and an application's
//! `threading.local` is expected to last. PyO3's `attach` (`PyGILState_Ensure`) knows the main
//! interpreter only. This is the only file that makes or ends thread states.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use pyo3_ffi as ffi;

use crate::{
    lease::lock,
    object::{Object, Py},
    wsgi::measure,
};

thread_local! {
    /// The states this thread has, by interpreter.
    static STATES: RefCell<ThreadStates> = const { RefCell::new(ThreadStates(Vec::new())) };
}

/// The states of one thread. httpd has threads that come and go without a word (those of
/// mod_http2), so what a thread has is also deleted when it ends.
struct ThreadStates(Vec<(InterpreterPointer, *mut ffi::PyThreadState)>);

impl ThreadStates {
    /// Deletes the states, the newest first: the main interpreter's goes last.
    fn delete(&mut self) {
        while let Some((_, state)) = self.0.pop() {
            if !IS_ENDING.load(Ordering::Acquire) && state != FIRST_STATE.load(Ordering::Acquire) {
                delete(state);
            }
        }
    }
}

impl Drop for ThreadStates {
    fn drop(&mut self) {
        // The process ends with its first thread: nothing is left to be cleaned up for, and
        // waiting for the interpreter could keep it from ending.
        if !is_first_thread() {
            self.delete();
        }
    }
}

/// The states of all threads, for who looks at another thread: `sys._current_frames()` makes
/// objects for the threads of all interpreters, whose own locks and allocators it does not mind.
///
/// Its lock is held while a state is made and while the list of an interpreter's states is followed:
/// CPython 3.11 puts a state into that list before it can be looked at, and no interpreter lock is
/// needed for it.
static ALL: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// The state of some thread.
struct Known {
    interpreter: InterpreterPointer,
    /// Its number, as `threading.get_ident()`.
    thread: u64,
    state: *mut ffi::PyThreadState,
}

// SAFETY: only `frame_of` follows the pointer, while the state's thread cannot delete it.
unsafe impl Send for Known {}

impl Known {
    /// A state of this thread.
    fn own(interpreter: InterpreterPointer, state: *mut ffi::PyThreadState) -> Self {
        // SAFETY: returns a number.
        let thread = unsafe { libc::pthread_self() };
        Self { interpreter, thread, state }
    }
}

/// What a thread executes in `interpreter`, to which the calling thread is attached; `None` when
/// that is nothing.
pub(crate) fn frame_of<'py>(
    py: Py<'py>,
    interpreter: InterpreterPointer,
    thread: u64,
) -> Option<Object<'py>> {
    let is_wanted = |known: &&Known| known.interpreter == interpreter && known.thread == thread;
    let state = lock(&ALL).iter().find(is_wanted)?.state;
    // SAFETY: its thread deletes it only after it was removed from ALL and while it is attached,
    // which the calling thread is now.
    let frame = unsafe { ffi::PyThreadState_GetFrame(state) };
    if frame.is_null() {
        // It executes nothing, which is no exception.
        return None;
    }
    // SAFETY: a new reference.
    unsafe { Object::from_new(py, frame.cast()) }.ok()
}

/// What the threads execute that the application has started in `interpreter`, to which the calling
/// thread is attached.
#[cfg(not(Py_GIL_DISABLED))]
pub(crate) fn frames_of_others<'py>(
    py: Py<'py>,
    interpreter: InterpreterPointer,
) -> Vec<Object<'py>> {
    let all = lock(&ALL);
    // A collection could run Python code, which lets other threads run and end.
    // SAFETY: attached.
    let was_enabled = unsafe { ffi::PyGC_Disable() } != 0;
    // SAFETY: attached to this live interpreter.
    let mut state = unsafe { ffi::PyInterpreterState_ThreadHead(interpreter.0) };
    let mut frames = Vec::new();
    while !state.is_null() {
        if !all.iter().any(|known| known.state == state) {
            // SAFETY: a live state of the list: its thread deletes it only while it is attached,
            // which the calling thread is from the head of the list on to its end.
            let frame = unsafe { ffi::PyThreadState_GetFrame(state) };
            if !frame.is_null() {
                // SAFETY: a new reference.
                frames.extend(unsafe { Object::from_new(py, frame.cast()) }.ok());
            }
        }
        // SAFETY: as above; others are only ever added at the head.
        state = unsafe { ffi::PyThreadState_Next(state) };
    }
    if was_enabled {
        // SAFETY: attached.
        unsafe { ffi::PyGC_Enable() };
    }
    frames
}

/// Without a lock they run on while they are looked at.
#[cfg(Py_GIL_DISABLED)]
pub(crate) fn frames_of_others<'py>(_: Py<'py>, _: InterpreterPointer) -> Vec<Object<'py>> {
    Vec::new()
}

/// Whether this is the thread the process began with.
fn is_first_thread() -> bool {
    // SAFETY: takes and returns numbers.
    let thread = unsafe { libc::gettid() };
    u32::try_from(thread) == Ok(std::process::id())
}

/// Set when the interpreters begin to end: a thread that attaches later would hang for ever.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// The main interpreter's first state.
static FIRST_STATE: AtomicPtr<ffi::PyThreadState> = AtomicPtr::new(std::ptr::null_mut());

/// CPython's own pointer to an interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InterpreterPointer(*mut ffi::PyInterpreterState);

// SAFETY: an opaque handle; libpython locks what it leads to.
unsafe impl Send for InterpreterPointer {}
// SAFETY: as for Send.
unsafe impl Sync for InterpreterPointer {}

/// This thread is attached until the value is dropped.
#[derive(Debug)]
pub(crate) struct Attached<'i>(PhantomData<(&'i (), *mut ())>);

impl Attached<'_> {
    /// Proof for [`crate::object`].
    pub(crate) fn py(&self) -> Py<'_> {
        // SAFETY: attached as long as `self` lives.
        unsafe { Py::assume() }
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        // SAFETY: this thread is attached by the constructor; its state stays in STATES.
        unsafe { ffi::PyEval_SaveThread() };
    }
}

/// Attaches this thread; `None` when the interpreters are ending.
pub(crate) fn attach<'i>(
    main: InterpreterPointer,
    wanted: InterpreterPointer,
) -> Option<Attached<'i>> {
    if IS_ENDING.load(Ordering::Acquire) {
        return None;
    }
    if wanted != main {
        // CPython 3.11 ties a thread's PyGILState to the first state it makes: that must be the
        // main interpreter's, or extensions would find a sub-interpreter's there.
        thread_state(main);
    }
    let state = thread_state(wanted);
    if state.is_null() {
        return None;
    }
    // SAFETY: a live state of this thread, which is not attached (attachments do not nest).
    measure::waiting_for_lock(|| unsafe { ffi::PyEval_RestoreThread(state) });
    Some(Attached(PhantomData))
}

/// Takes note of the main interpreter's first state, with which this thread is attached, and of
/// the attachment. [`forget_thread`] leaves it alone: it lasts as long as CPython does.
///
/// # Safety
/// The thread has just initialised CPython.
pub(crate) unsafe fn adopt_main<'i>() -> (InterpreterPointer, Attached<'i>) {
    // SAFETY: attached, by the contract of this function.
    let state = unsafe { ffi::PyThreadState_Get() };
    // SAFETY: as above.
    let interpreter = InterpreterPointer(unsafe { ffi::PyInterpreterState_Get() });
    STATES.with_borrow_mut(|states| states.0.push((interpreter, state)));
    lock(&ALL).push(Known::own(interpreter, state));
    FIRST_STATE.store(state, Ordering::Release);
    (interpreter, Attached(PhantomData))
}

/// The first thread state of a sub-interpreter. It is attached only while the interpreter is set
/// up and kept until its end: CPython 3.11 reuses its memory for the next state once it is gone,
/// before it is ready for that.
#[derive(Debug)]
pub(crate) struct FirstState(*mut ffi::PyThreadState);

// SAFETY: only `end_interpreter` follows the pointer, attached to the state's interpreter.
unsafe impl Send for FirstState {}
// SAFETY: as for Send.
unsafe impl Sync for FirstState {}

/// Makes a sub-interpreter, to which this thread is attached instead of to the main one. With a
/// lock of its own nobody else knows it yet, so nothing is waited for while the main one is held.
pub(crate) fn make_interpreter<'i>(
    main: Attached<'_>,
    owns_lock: bool,
) -> Option<(InterpreterPointer, FirstState, Attached<'i>)> {
    let state = if owns_lock { new_isolated() } else { new_legacy() };
    if state.is_null() {
        return None;
    }
    // The main interpreter's state is not attached any more.
    let _detached = std::mem::ManuallyDrop::new(main);
    // SAFETY: attached to the new interpreter.
    let interpreter = InterpreterPointer(unsafe { ffi::PyInterpreterState_Get() });
    Some((interpreter, FirstState(state), Attached(PhantomData)))
}

/// An interpreter that shares the main one's lock and is kept from nothing; null on failure.
fn new_legacy() -> *mut ffi::PyThreadState {
    // SAFETY: attached to the main interpreter; on success the thread is attached to the new
    // one instead, on failure nothing has changed.
    unsafe { ffi::Py_NewInterpreter() }
}

/// An interpreter with lock and allocator of its own (PEP 684), where fork, exec and daemon
/// threads are not allowed and extensions must be made for it; null on failure.
#[cfg(Py_3_12)]
fn new_isolated() -> *mut ffi::PyThreadState {
    let config = ffi::_PyInterpreterConfig_INIT;
    let mut state = std::ptr::null_mut();
    // SAFETY: as for `new_legacy`; a place for the state, a complete configuration. The status
    // says no more than that the state is null.
    unsafe { ffi::Py_NewInterpreterFromConfig(&raw mut state, &raw const config) };
    state
}

/// There is no such interpreter before CPython 3.12; nobody asks for one.
#[cfg(not(Py_3_12))]
fn new_isolated() -> *mut ffi::PyThreadState {
    std::ptr::null_mut()
}

fn thread_state(interpreter: InterpreterPointer) -> *mut ffi::PyThreadState {
    STATES.with_borrow_mut(|states| {
        if let Some((_, state)) = states.0.iter().find(|(owner, _)| *owner == interpreter) {
            return *state;
        }
        let mut all = lock(&ALL);
        // SAFETY: a live interpreter (they end only after IS_ENDING); no attachment is needed.
        let state = unsafe { ffi::PyThreadState_New(interpreter.0) };
        if !state.is_null() {
            states.0.push((interpreter, state));
            all.push(Known::own(interpreter, state));
        }
        state
    })
}

/// Deletes this thread's states; the thread does not attach again.
pub(crate) fn forget_thread() {
    // Taken out first: destructors of thread locals are Python code.
    let mut states = STATES.with_borrow_mut(|states| ThreadStates(std::mem::take(&mut states.0)));
    states.delete();
}

/// Deletes a state of this detached thread.
fn delete(state: *mut ffi::PyThreadState) {
    lock(&ALL).retain(|known| known.state != state);
    // SAFETY: a live state of this detached thread.
    unsafe { ffi::PyEval_RestoreThread(state) };
    // SAFETY: attached with this state; runs destructors of thread locals.
    unsafe { ffi::PyThreadState_Clear(state) };
    // SAFETY: attached with this state, which was cleared.
    unsafe { ffi::PyThreadState_DeleteCurrent() };
}

/// From now on [`attach`] refuses, except for the thread that ends the interpreters.
pub(crate) fn begin_end() {
    IS_ENDING.store(true, Ordering::Release);
}

/// Attaches the thread that ends the interpreters.
pub(crate) fn attach_to_end<'i>(interpreter: InterpreterPointer) -> Option<Attached<'i>> {
    let state = thread_state(interpreter);
    if state.is_null() {
        return None;
    }
    // SAFETY: a live state of this detached thread.
    unsafe { ffi::PyEval_RestoreThread(state) };
    Some(Attached(PhantomData))
}

/// Ends the sub-interpreter this thread is attached to, if no other thread has a state of it:
/// `Py_EndInterpreter` would abort the process otherwise.
pub(crate) fn end_interpreter(
    attached: Attached<'_>,
    interpreter: InterpreterPointer,
    main: InterpreterPointer,
    first: &FirstState,
) -> bool {
    // SAFETY: a live state of this interpreter, attached to no thread.
    unsafe { ffi::PyThreadState_Clear(first.0) };
    // SAFETY: as above, cleared; called once, at the end of the process.
    unsafe { ffi::PyThreadState_Delete(first.0) };
    // SAFETY: attached.
    let own = unsafe { ffi::PyThreadState_Get() };
    // SAFETY: attached to this interpreter.
    let head = unsafe { ffi::PyInterpreterState_ThreadHead(interpreter.0) };
    // SAFETY: a live state of the list.
    let next = unsafe { ffi::PyThreadState_Next(head) };
    if head != own || !next.is_null() {
        return false;
    }
    STATES.with_borrow_mut(|states| states.0.retain(|(_, other)| *other != own));
    // SAFETY: the current state, the only one of its interpreter.
    unsafe { ffi::Py_EndInterpreter(own) };
    release_after_end(main);
    // Nothing is attached any more: there is nothing to detach.
    let _ended = std::mem::ManuallyDrop::new(attached);
    true
}

/// Ends a sub-interpreter that could not be set up; the thread is attached with its first state.
pub(crate) fn abandon_interpreter(
    attached: Attached<'_>,
    main: InterpreterPointer,
    first: FirstState,
) {
    // SAFETY: the current state, the only one of its interpreter.
    unsafe { ffi::Py_EndInterpreter(first.0) };
    release_after_end(main);
    // Nothing is attached any more: there is nothing to detach.
    let _ended = std::mem::ManuallyDrop::new(attached);
}

/// Since CPython 3.12 no GIL is held after `Py_EndInterpreter`.
#[cfg(Py_3_12)]
fn release_after_end(_main: InterpreterPointer) {}

/// Up to CPython 3.11 the GIL is held after `Py_EndInterpreter`, but without a state.
#[cfg(not(Py_3_12))]
fn release_after_end(main: InterpreterPointer) {
    let state = thread_state(main);
    // SAFETY: this thread holds the GIL and has no current state; `state` is its own.
    unsafe { ffi::PyThreadState_Swap(state) };
    // SAFETY: attached with the state just made current.
    unsafe { ffi::PyEval_SaveThread() };
}

/// Ends CPython; the thread is attached to the main interpreter.
pub(crate) fn finalize(attached: Attached<'_>) -> bool {
    STATES.with_borrow_mut(|states| states.0.clear());
    let _ended = std::mem::ManuallyDrop::new(attached);
    // SAFETY: attached to the main interpreter, which ends with this call.
    unsafe { ffi::Py_FinalizeEx() == 0 }
}
