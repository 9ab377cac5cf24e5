//! The Python stacks of all threads, written without the interpreter lock: for a process that is
//! about to die, or whose lock nobody gets.
//!
//! `faulthandler` shows the threads of one interpreter, on CPython 3.11 always the main one. Where
//! libpython exports what it uses, every interpreter is shown. Elsewhere, on 3.13 and 3.14,
//! `faulthandler` is enabled for fatal signals and for one of its own, which shows the interpreter of
//! the thread that gets it.

use std::{
    ffi::{CStr, c_char, c_int},
    os::fd::{AsRawFd, BorrowedFd},
    sync::{
        atomic::{AtomicPtr, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use pyo3_ffi as ffi;

/// `_Py_DumpTracebackThreads`, if libpython has it.
static FUNCTION: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Its name: CPython 3.15 has published it.
const NAME: &CStr =
    if cfg!(Py_3_15) { c"PyUnstable_DumpTracebackThreads" } else { c"_Py_DumpTracebackThreads" };

/// The function, as it is before CPython 3.15.
#[cfg(not(Py_3_15))]
type Dump = unsafe extern "C" fn(
    c_int,
    *mut ffi::PyInterpreterState,
    *mut ffi::PyThreadState,
) -> *const c_char;

/// The function; its last argument is the largest number of threads.
#[cfg(Py_3_15)]
type Dump = unsafe extern "C" fn(
    c_int,
    *mut ffi::PyInterpreterState,
    *mut ffi::PyThreadState,
    ffi::Py_ssize_t,
) -> *const c_char;

/// Looks for the function; false when libpython does not export it.
pub(crate) fn prepare() -> bool {
    // SAFETY: a C string; looks among the libraries of the process.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, NAME.as_ptr()) };
    FUNCTION.store(found, Ordering::Release);
    !found.is_null()
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
        let file = file.as_raw_fd();
        #[cfg(not(Py_3_15))]
        // SAFETY: a live interpreter; CPython checks the frames it follows as far as it can.
        unsafe {
            dump(file, interpreter, std::ptr::null_mut())
        };
        #[cfg(Py_3_15)]
        // SAFETY: as above.
        unsafe {
            dump(file, interpreter, std::ptr::null_mut(), MOST_THREADS)
        };
        // SAFETY: as above.
        interpreter = unsafe { ffi::PyInterpreterState_Next(interpreter) };
    }
    true
}

/// Threads that are shown of an interpreter: as many as CPython shows where it is not asked.
#[cfg(Py_3_15)]
const MOST_THREADS: ffi::Py_ssize_t = 100;

/// Longest wait for the stacks of one interpreter.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks `faulthandler` for the stacks of all interpreters, where [`write_stacks`] cannot write them;
/// false when that is not possible either. Only for a process that ends, as it leaves thread states
/// behind: to delete them would need the lock.
pub fn ask_for_stacks() -> bool {
    // SAFETY: reads a flag.
    if !has_handler() || unsafe { ffi::Py_IsInitialized() } == 0 {
        return false;
    }
    // SAFETY: reads the head of the list.
    let mut interpreter = unsafe { ffi::PyInterpreterState_Head() };
    while !interpreter.is_null() {
        let shown = Shown(interpreter);
        let (told, hears) = mpsc::channel();
        let started = thread::Builder::new().spawn(move || {
            shown.show();
            // Nobody listens any more when it has taken too long.
            told.send(()).ok();
        });
        if started.is_ok() {
            hears.recv_timeout(PATIENCE).ok();
        }
        // SAFETY: a live interpreter.
        interpreter = unsafe { ffi::PyInterpreterState_Next(interpreter) };
    }
    true
}

/// The signal that `dump_on_signals` of bootstrap.py has registered.
fn signal() -> c_int {
    libc::SIGRTMAX() - 1
}

/// Whether somebody waits for the signal: otherwise it would end the process.
fn has_handler() -> bool {
    // SAFETY: plain data, for which zeros are a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: changes nothing, and writes to a structure of ours.
    let asked = unsafe { libc::sigaction(signal(), std::ptr::null(), &raw mut action) };
    asked == 0 && ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction)
}

/// An interpreter whose stacks are shown by a thread that has no state yet.
struct Shown(*mut ffi::PyInterpreterState);

// SAFETY: an interpreter belongs to no thread.
unsafe impl Send for Shown {}

impl Shown {
    /// Becomes a thread of the interpreter, without its lock, and raises the signal.
    fn show(&self) {
        // SAFETY: a live interpreter; a new thread state needs no lock, and is the one that this
        // thread is known by because it is its first.
        unsafe { ffi::PyThreadState_New(self.0) };
        // SAFETY: plain data, for which zeros are a value.
        let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: a set of ours.
        unsafe { libc::sigemptyset(&raw mut signals) };
        // SAFETY: a set of ours, and the number of a signal.
        unsafe { libc::sigaddset(&raw mut signals, signal()) };
        // SAFETY: changes which signals this thread takes.
        unsafe {
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const signals, std::ptr::null_mut())
        };
        // SAFETY: takes a number; its handler writes to a descriptor and returns.
        unsafe { libc::raise(signal()) };
    }
}
