//! Temporary files where httpd keeps its own: in the folder that APR finds (`TMPDIR`, `/tmp`, …).

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    ptr,
    sync::{Mutex, PoisonError},
};

use wsgi_ipc::{socket, temporary::TemporaryFile};

use super::text;
use crate::ffi;

/// A new file without a name.
pub(crate) fn create() -> io::Result<TemporaryFile> {
    // APR finds it by writing there: once is enough, unless it has gone since.
    static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut known = FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = &*known {
        match TemporaryFile::create(folder) {
            // Without a descriptor no folder would be found either.
            Err(error) if !socket::is_out_of_descriptors(&error) => {}
            created => return created,
        }
    }
    let folder = find_folder()?;
    let file = TemporaryFile::create(&folder).map_err(|error| {
        io::Error::new(error.kind(), format!("temporary folder \"{}\": {error}", folder.display()))
    })?;
    *known = Some(folder);
    Ok(file)
}

fn find_folder() -> io::Result<PathBuf> {
    let mut pool = ptr::null_mut();
    // SAFETY: room for the answer; a pool without parent, freed below.
    let status =
        unsafe { ffi::apr_pool_create_ex(&raw mut pool, ptr::null_mut(), None, ptr::null_mut()) };
    if status != 0 {
        return Err(io::Error::from(io::ErrorKind::OutOfMemory));
    }
    let mut folder = ptr::null();
    // SAFETY: room for the answer and a live pool.
    let status = unsafe { ffi::apr_temp_dir_get(&raw mut folder, pool) };
    // SAFETY: null or a NUL-terminated string of the pool, copied before that ends.
    let found = unsafe { text::optional(folder) }.filter(|_| status == 0);
    let found = found.map(|folder| PathBuf::from(OsStr::from_bytes(folder.to_bytes())));
    // SAFETY: made above and not used any more.
    unsafe { ffi::apr_pool_destroy(pool) };
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no folder for temporary files"))
}
