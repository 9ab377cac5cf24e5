//! Shared libraries: where this module lies, and the library that hosts CPython.

use std::{
    ffi::{CStr, OsStr, c_void},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use wsgi_core::embedded::{ABI, ENTRY, EmbeddedTable, Entry};

use super::text::c_string;

/// The file this module was loaded from.
pub(crate) fn own_path() -> Option<PathBuf> {
    // SAFETY: Dl_info is plain pointers, for which zero is valid.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    let address: *const c_void = (&raw const crate::wsgi_module).cast();
    // SAFETY: an address of this library, and room for the answer.
    if unsafe { libc::dladdr(address, &raw mut info) } == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: dladdr gives a NUL-terminated name that lives as long as the library.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

/// Loads a CPython host and returns its table. The library stays loaded for ever. Its symbols
/// are global: extension modules expect libpython's there.
pub(crate) fn load_python_host(path: &Path) -> Result<&'static EmbeddedTable, String> {
    let name = c_string(path.as_os_str().as_bytes());
    // SAFETY: a NUL-terminated path; the constructors of the library and of libpython are sound.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if library.is_null() {
        return Err(last_error());
    }
    // SAFETY: a loaded library and a NUL-terminated name.
    let entry = unsafe { libc::dlsym(library, ENTRY.as_ptr()) };
    if entry.is_null() {
        return Err(last_error());
    }
    // SAFETY: the symbol of this name is a function of this type in every version.
    let entry: Entry = unsafe { std::mem::transmute::<*mut c_void, Entry>(entry) };
    // SAFETY: the entry only compares the number.
    let table = unsafe { entry(ABI) };
    // SAFETY: null or a table that lives as long as the library.
    unsafe { table.as_ref() }
        .ok_or_else(|| format!("\"{}\" belongs to another version of the module", path.display()))
}

fn last_error() -> String {
    // SAFETY: dlerror gives null or a NUL-terminated text, valid until the next call.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "unknown error of the dynamic loader".into();
    }
    // SAFETY: see above.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
