//! C strings from and to httpd.

use std::ffi::{CStr, CString, c_char};

/// The text at `pointer`, or `None` when it is null.
///
/// # Safety
/// A non-null `pointer` must point to a NUL-terminated string that stays unchanged for `'a`.
pub(super) unsafe fn optional<'a>(pointer: *const c_char) -> Option<&'a CStr> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: non-null, and the caller promises the rest.
    Some(unsafe { CStr::from_ptr(pointer) })
}

/// The bytes at `pointer`; empty when it is null.
///
/// # Safety
/// As for [`optional`].
pub(super) unsafe fn bytes<'a>(pointer: *const c_char) -> &'a [u8] {
    // SAFETY: the caller promises what `optional` asks for.
    unsafe { optional(pointer) }.map_or(b"", CStr::to_bytes)
}

/// A C string of `text`, cut at its first NUL (httpd's strings hold none).
pub(crate) fn c_string(text: impl AsRef<[u8]>) -> CString {
    let text = text.as_ref();
    let before = text.split(|byte| *byte == 0).next().unwrap_or(text);
    CString::new(before).unwrap_or_default()
}
