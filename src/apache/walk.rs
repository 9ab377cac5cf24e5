//! A request's file, and httpd's walks that collect the configuration that holds for it.

use std::ffi::c_char;

use super::{Request, hook::Status};
use crate::ffi;

impl Request<'_> {
    /// Makes the first `length` bytes of the file name the whole of it, when that is a plain
    /// file, and says whether it is. The look goes through `dirwalk_stat`, as httpd's own does.
    pub(crate) fn name_file(self, length: usize) -> bool {
        let (Some(pool), Some(name)) = (self.pool(), self.filename()) else { return false };
        let script = pool.copy_bytes_raw(name.to_bytes().get(..length).unwrap_or_default());
        let whole = self.exchange_filename(script);
        let request = self.as_ptr();
        let wanted = ffi::APR_FINFO_MIN.cast_signed();
        // SAFETY: a live request_rec.
        let info = unsafe { &raw mut (*request).finfo };
        // SAFETY: as above, with a name in its pool; hooks of one request run one by one.
        let status = unsafe { ffi::ap_run_dirwalk_stat(info, request, wanted) };
        let is_file = status == 0 && self.record().finfo.filetype == ffi::apr_filetype_e_APR_REG;
        if !is_file {
            // SAFETY: hooks of one request run one by one.
            unsafe { (*request).finfo.filetype = ffi::apr_filetype_e_APR_NOFILE };
            self.exchange_filename(whole);
        }
        is_file
    }

    /// Collects what `<Directory>` sections and `.htaccess` files say (`ap_directory_walk`).
    pub(crate) fn walk_directories(self) -> Status {
        // SAFETY: a live request with a file name.
        Status::from_number(unsafe { ffi::ap_directory_walk(self.as_ptr()) })
    }

    /// Collects what `<Files>` sections say (`ap_file_walk`).
    pub(crate) fn walk_files(self) -> Status {
        // SAFETY: a live request after its directory walk.
        Status::from_number(unsafe { ffi::ap_file_walk(self.as_ptr()) })
    }

    /// Sets what of the path follows the file.
    pub(crate) fn set_path_info(self, path_info: &[u8]) {
        let Some(pool) = self.pool() else { return };
        let copy = pool.copy_bytes_raw(path_info);
        // SAFETY: the copy lives in the request's pool; hooks of one request run one by one.
        unsafe { (*self.as_ptr()).path_info = copy };
    }

    /// Puts another name in the place of the file's; returns the former.
    fn exchange_filename(self, name: *mut c_char) -> *mut c_char {
        let former = self.record().filename;
        // SAFETY: the name lives in the request's pool; hooks of one request run one by one.
        unsafe { (*self.as_ptr()).filename = name };
        former
    }
}
