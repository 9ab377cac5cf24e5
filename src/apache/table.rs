//! `apr_table_t`: httpd's ordered, case-insensitive multimaps.

use std::{ffi::CStr, marker::PhantomData, ptr::NonNull, slice};

use super::text;
use crate::ffi;

/// A table of a request, valid as long as its pool.
#[derive(Clone, Copy)]
pub(crate) struct Table<'p>(NonNull<ffi::apr_table_t>, PhantomData<&'p ()>);

impl<'p> Table<'p> {
    /// # Safety
    /// A non-null `pointer` is a table that lives for `'p`.
    pub(super) unsafe fn new(pointer: *mut ffi::apr_table_t) -> Option<Self> {
        NonNull::new(pointer).map(|table| Self(table, PhantomData))
    }

    /// The first value under `name`.
    pub(crate) fn get(self, name: &CStr) -> Option<&'p CStr> {
        // SAFETY: a live table and a NUL-terminated key.
        let value = unsafe { ffi::apr_table_get(self.0.as_ptr(), name.as_ptr()) };
        // SAFETY: values are NUL-terminated strings of the table's pool or an older one.
        unsafe { text::optional(value) }
    }

    /// Whether there is a value under `name`.
    pub(crate) fn has(self, name: &CStr) -> bool {
        self.get(name).is_some()
    }

    /// Replaces all values under `name` by a copy of `value`.
    pub(crate) fn set(self, name: &CStr, value: &CStr) {
        // SAFETY: a live table; apr copies both strings into its pool.
        unsafe { ffi::apr_table_set(self.0.as_ptr(), name.as_ptr(), value.as_ptr()) };
    }

    /// Adds `value` under `name`, beside what is there. Nothing is copied.
    pub(crate) fn add(self, name: &'p CStr, value: &'p CStr) {
        // SAFETY: a live table; both strings live as long as it.
        unsafe { ffi::apr_table_addn(self.0.as_ptr(), name.as_ptr(), value.as_ptr()) };
    }

    /// Removes all values under `name`.
    pub(crate) fn unset(self, name: &CStr) {
        // SAFETY: a live table and a NUL-terminated key.
        unsafe { ffi::apr_table_unset(self.0.as_ptr(), name.as_ptr()) };
    }

    /// All entries in order. The table must not be changed while iterating.
    pub(crate) fn entries(self) -> impl Iterator<Item = (&'p CStr, Option<&'p CStr>)> {
        self.raw_entries().iter().filter_map(|entry| {
            // SAFETY: keys of a table are NUL-terminated strings of its pool (or null).
            let key = unsafe { text::optional(entry.key) }?;
            // SAFETY: so are values.
            let value = unsafe { text::optional(entry.val) };
            Some((key, value))
        })
    }

    fn raw_entries(self) -> &'p [ffi::apr_table_entry_t] {
        // SAFETY: a live table.
        let array = unsafe { ffi::apr_table_elts(self.0.as_ptr()) };
        // SAFETY: null or an array that is part of the table.
        let Some(array) = (unsafe { array.as_ref() }) else { return &[] };
        let length = usize::try_from(array.nelts).unwrap_or_default();
        if array.elts.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: apr_table_elts gives `nelts` entries of this type at `elts`, and entries() asks
        // that the table is not changed meanwhile.
        unsafe { slice::from_raw_parts(array.elts.cast::<ffi::apr_table_entry_t>(), length) }
    }
}
