//! `apr_pool_t`: memory with a lifetime, values with a cleanup, data under a name.

use std::{
    ffi::{CStr, c_char, c_void},
    marker::PhantomData,
    ptr::{self, NonNull},
};

use super::{guard::guard, text};
use crate::ffi;

/// A pool that lives for `'p`.
#[derive(Clone, Copy)]
pub(crate) struct Pool<'p>(NonNull<ffi::apr_pool_t>, PhantomData<&'p ()>);

impl<'p> Pool<'p> {
    /// # Safety
    /// `pointer` is a pool that lives for `'p`.
    pub(super) unsafe fn new(pointer: *mut ffi::apr_pool_t) -> Option<Self> {
        NonNull::new(pointer).map(|pool| Self(pool, PhantomData))
    }

    pub(super) fn as_ptr(self) -> *mut ffi::apr_pool_t {
        self.0.as_ptr()
    }

    /// Copies `text` into the pool, behind it a NUL; httpd reads up to the first one.
    pub(crate) fn copy_bytes(self, text: &[u8]) -> &'p CStr {
        // SAFETY: what `copy_bytes_raw` gives lives as long as the pool and ends with a NUL.
        unsafe { CStr::from_ptr(self.copy_bytes_raw(text)) }
    }

    /// As [`Self::copy_bytes`], for C code that may keep it and write to it.
    pub(super) fn copy_bytes_raw(self, text: &[u8]) -> *mut c_char {
        // SAFETY: a live pool and `len` bytes; apr adds the NUL (it aborts the process instead
        // of returning null for want of memory).
        unsafe { ffi::apr_pstrmemdup(self.as_ptr(), text.as_ptr().cast(), text.len()) }
    }

    /// A copy that C code may keep and write to.
    pub(super) fn copy_raw(self, text: &CStr) -> *mut c_char {
        // SAFETY: a live pool and a NUL-terminated string.
        unsafe { ffi::apr_pstrdup(self.as_ptr(), text.as_ptr()) }
    }

    /// The absolute form of a path relative to `ServerRoot`.
    pub(crate) fn server_root_relative(self, path: &CStr) -> Option<String> {
        // SAFETY: a live pool and a NUL-terminated path.
        let absolute = unsafe { ffi::ap_server_root_relative(self.as_ptr(), path.as_ptr()) };
        // SAFETY: null or a NUL-terminated string of the pool.
        let absolute = unsafe { text::optional(absolute) }?;
        Some(absolute.to_string_lossy().into_owned())
    }

    /// Gives a value to the pool, which drops it when it is cleared.
    pub(crate) fn own<T: 'p>(self, value: T) -> &'p T {
        let pointer = Box::into_raw(Box::new(value));
        // SAFETY: the cleanup is registered once for a box that nobody else frees.
        unsafe { self.register(pointer.cast(), drop_boxed::<T>) };
        // SAFETY: the box lives until the pool's cleanup, that is for 'p, and is only read.
        unsafe { &*pointer }
    }

    /// Runs `action` when the pool is cleared or destroyed (not in a forked child's exec).
    pub(crate) fn at_end(self, action: Box<dyn FnOnce()>) {
        let pointer = Box::into_raw(Box::new(action));
        // SAFETY: registered once for a box that only the cleanup frees.
        unsafe { self.register(pointer.cast(), run_boxed) };
    }

    /// Runs `action` when the end of the pool begins: before those of its own pools, and without
    /// freeing anything.
    pub(crate) fn as_end_begins<F: Fn() + 'static>(self, action: F) {
        let data = ptr::from_ref(self.own(action)).cast_mut().cast();
        // SAFETY: a live pool; it owns the action, and drops it after this was called.
        unsafe { ffi::apr_pool_pre_cleanup_register(self.as_ptr(), data, Some(run_owned::<F>)) };
    }

    /// # Safety
    /// `cleanup` may be called once with `data` when the pool ends.
    unsafe fn register(
        self,
        data: *mut c_void,
        cleanup: unsafe extern "C" fn(*mut c_void) -> ffi::apr_status_t,
    ) {
        // SAFETY: a live pool; the second cleanup (before exec in a child) does nothing.
        unsafe {
            ffi::apr_pool_cleanup_register(
                self.as_ptr(),
                data,
                Some(cleanup),
                Some(ffi::apr_pool_cleanup_null),
            );
        }
    }

    /// The value kept under `key`, made when it is first asked for. A key belongs to one type.
    pub(crate) fn typed_data<T: 'static>(
        self,
        key: &'static CStr,
        make: impl FnOnce() -> T,
    ) -> &'p T {
        let known = self.data(key).cast::<T>();
        // SAFETY: only this function keeps something under `key`, always a T owned by the pool.
        if let Some(known) = unsafe { known.as_ref() } {
            return known;
        }
        let value = self.own(make());
        self.set_data(key, ptr::from_ref(value).cast_mut().cast());
        value
    }

    /// The pointer kept under `key`, or null.
    pub(crate) fn data(self, key: &'static CStr) -> *mut c_void {
        let mut data = ptr::null_mut();
        // SAFETY: a live pool, a constant key, and room for the answer.
        unsafe { ffi::apr_pool_userdata_get(&raw mut data, key.as_ptr(), self.as_ptr()) };
        data
    }

    /// Keeps a pointer under `key` until the pool ends.
    pub(crate) fn set_data(self, key: &'static CStr, data: *mut c_void) {
        // SAFETY: a live pool and a constant key; there is no cleanup.
        unsafe { ffi::apr_pool_userdata_setn(data, key.as_ptr(), None, self.as_ptr()) };
    }
}

unsafe extern "C" fn drop_boxed<T>(data: *mut c_void) -> ffi::apr_status_t {
    guard("pool cleanup", || {
        // SAFETY: registered by `own` with a Box<T> that is freed here and nowhere else.
        drop(unsafe { Box::from_raw(data.cast::<T>()) });
        0
    })
}

unsafe extern "C" fn run_owned<F: Fn()>(data: *mut c_void) -> ffi::apr_status_t {
    guard("pool cleanup", || {
        // SAFETY: registered by `as_end_begins` with an action of that type, which still lives.
        if let Some(action) = unsafe { data.cast::<F>().as_ref() } {
            action();
        }
        0
    })
}

unsafe extern "C" fn run_boxed(data: *mut c_void) -> ffi::apr_status_t {
    guard("pool cleanup", || {
        // SAFETY: registered by `at_end` with such a box, freed here and nowhere else.
        let action = unsafe { Box::from_raw(data.cast::<Box<dyn FnOnce()>>()) };
        action();
        0
    })
}
