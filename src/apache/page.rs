//! Small pages of the module's own, and its part of mod_status's page.

use std::ffi::{CStr, c_char, c_int};

use super::{Request, guard::guard, hook::Status};
use crate::ffi;

/// What mod_status wants to be told, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Lines for machines (`?auto`).
    Auto,
    /// HTML without tables (`?notable`).
    List,
    /// HTML.
    Table,
}

/// Tells mod_status.
pub(crate) trait StatusHook {
    /// Name for the log.
    const NAME: &'static str;
    /// The text for its page.
    fn text(request: Request<'_>, style: Style) -> String;
}

/// `AP_STATUS_SHORT` and `AP_STATUS_NOTABLE` of mod_status.h.
const SHORT: c_int = 1;
const NO_TABLE: c_int = 2;

unsafe extern "C" fn status_hook<H: StatusHook>(
    request: *mut ffi::request_rec,
    flags: c_int,
) -> c_int {
    guard(H::NAME, || {
        // SAFETY: mod_status calls with the live request for its page, in the thread that serves it.
        let Some(request) = (unsafe { Request::new(request) }) else { return Status::Declined };
        let style = match flags {
            flags if flags & SHORT != 0 => Style::Auto,
            flags if flags & NO_TABLE != 0 => Style::List,
            _ => Style::Table,
        };
        request.write(H::text(request, style).as_bytes());
        Status::Ok
    })
    .number()
}

/// Registers the module's part of mod_status's page; nobody calls it where that is not loaded.
pub(crate) fn register_status<H: StatusHook>() {
    let hook: unsafe extern "C" fn(*mut ffi::request_rec, c_int) -> c_int = status_hook::<H>;
    // SAFETY: only the type is left out: the hook of this name has this one (mod_status.h).
    let hook = unsafe {
        std::mem::transmute::<
            unsafe extern "C" fn(*mut ffi::request_rec, c_int) -> c_int,
            unsafe extern "C" fn(),
        >(hook)
    };
    let (name, order) = (c"status_hook".as_ptr(), ffi::APR_HOOK_MIDDLE.cast_signed());
    let nobody: *const *const c_char = std::ptr::null();
    // SAFETY: called while httpd registers hooks; a constant name, and no wishes about the order.
    unsafe { ffi::apr_optional_hook_add(name, Some(hook), nobody, nobody, order) };
}

impl<'r> Request<'r> {
    /// Adds to the response's body; a client that has gone is noticed by httpd.
    pub(crate) fn write(self, bytes: &[u8]) {
        for piece in bytes.chunks(1 << 20) {
            let length = c_int::try_from(piece.len()).unwrap_or(0);
            // SAFETY: a live request whose handler is running, and `length` bytes.
            unsafe { ffi::ap_rwrite(piece.as_ptr().cast(), length, self.as_ptr()) };
        }
    }

    /// Answers with a page of the module's own.
    pub(crate) fn answer(self, media_type: &'static CStr, body: &[u8]) {
        self.set_content_type(media_type);
        self.set_content_length(u64::try_from(body.len()).unwrap_or_default());
        if !self.is_head() {
            self.write(body);
        }
    }

    /// Says in the answer to another method that only GET and HEAD are of any use here.
    pub(crate) fn allow_get_only(self) {
        let (replace, get, end) = (1, ffi::M_GET.cast_signed(), -1);
        // SAFETY: a live request; method numbers up to -1.
        unsafe { ffi::ap_allow_standard_methods(self.as_ptr(), replace, get, end) };
    }

    /// Whether the client is on this machine: its address is a loopback one, or the one that it has
    /// connected to (as in `Require local`).
    pub(crate) fn is_from_here(self) -> bool {
        let address = |text: &CStr| text.to_str().ok()?.parse::<std::net::IpAddr>().ok();
        let Some(client) = address(self.client_address()) else { return false };
        client.to_canonical().is_loopback() || address(self.local_address()) == Some(client)
    }

    /// Whether a `SetHandler` of the server's own configuration has set the request's handler, and
    /// none of a .htaccess file.
    pub(crate) fn has_handler_of_server(self) -> bool {
        let record = self.record();
        // SAFETY: the vector of a live request.
        let Some(core) = (unsafe { core_of(record.per_dir_config) }) else { return false };
        let chosen = core.expr_handler;
        if chosen.is_null() || !self.has_handler(chosen) {
            return false;
        }
        let mut file = record.htaccess;
        // SAFETY: null or what httpd has read for this request.
        while let Some(read) = unsafe { file.as_ref() } {
            // SAFETY: the vector of a file that was read; null where there was none.
            if unsafe { sets_handler(read.htaccess, chosen) } {
                return false;
            }
            file = read.next;
        }
        true
    }

    /// Whether the request's handler is what this expression comes to: something else than
    /// SetHandler may have set it.
    fn has_handler(self, expression: *const ffi::ap_expr_info_t) -> bool {
        let mut problem = std::ptr::null();
        // SAFETY: a live request and an expression of its configuration; gives a string of the
        // request's pool or null.
        let value = unsafe { ffi::ap_expr_str_exec(self.as_ptr(), expression, &raw mut problem) };
        let handler = self.record().handler;
        if value.is_null() || handler.is_null() {
            return false;
        }
        // SAFETY: a string of the request's pool.
        let value = unsafe { CStr::from_ptr(value) };
        // SAFETY: not null, and a string that lives as long as the request.
        let handler = unsafe { CStr::from_ptr(handler) };
        // httpd has made small letters of it.
        value.to_bytes().eq_ignore_ascii_case(handler.to_bytes())
    }
}

/// What the core module keeps in a vector.
///
/// # Safety
/// `vector` is null or one of a live configuration, which outlives the answer.
unsafe fn core_of<'v>(vector: *const ffi::ap_conf_vector_t) -> Option<&'v ffi::core_dir_config> {
    if vector.is_null() {
        return None;
    }
    // SAFETY: see above; core has a record in every vector, or none yet.
    let core = unsafe { ffi::ap_get_core_module_config(vector) };
    // SAFETY: as above.
    unsafe { core.cast::<ffi::core_dir_config>().as_ref() }
}

/// Whether this very expression was set by a `SetHandler` in `vector`, or in a section in it.
///
/// # Safety
/// As for [`core_of`].
unsafe fn sets_handler(
    vector: *const ffi::ap_conf_vector_t,
    chosen: *const ffi::ap_expr_info_t,
) -> bool {
    // SAFETY: by the contract of this function.
    let Some(core) = (unsafe { core_of(vector) }) else { return false };
    core.expr_handler.cast_const() == chosen
        || [core.sec_file, core.sec_if].into_iter().any(|sections| {
            // SAFETY: null or an array of the vectors of sections.
            let Some(sections) = (unsafe { sections.as_ref() }) else { return false };
            let first = sections.elts.cast::<*const ffi::ap_conf_vector_t>();
            (0..usize::try_from(sections.nelts).unwrap_or_default()).any(|place| {
                // SAFETY: one of the array's elements.
                let section = unsafe { *first.wrapping_add(place) };
                // SAFETY: the vector of a section.
                unsafe { sets_handler(section, chosen) }
            })
        })
}
