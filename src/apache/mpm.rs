//! What the MPM and the server program say about themselves.

use std::ffi::{CStr, c_int};

use super::text;
use crate::ffi;

/// An answer of `ap_mpm_query`; 0 when the MPM does not know.
fn query(code: u32) -> u32 {
    let mut answer: c_int = 0;
    // SAFETY: room for the answer.
    let status = unsafe { ffi::ap_mpm_query(code.cast_signed(), &raw mut answer) };
    if status == 0 { u32::try_from(answer).unwrap_or_default() } else { 0 }
}

/// Request threads of a child, at least 1.
pub(crate) fn threads() -> u32 {
    query(ffi::AP_MPMQ_MAX_THREADS).max(1)
}

/// Whether threads give kept connections back to a listener between requests.
pub(crate) fn is_asynchronous() -> bool {
    query(ffi::AP_MPMQ_IS_ASYNC) != 0
}

/// Children that may run at the same time, at least 1.
pub(crate) fn children() -> u32 {
    query(ffi::AP_MPMQ_MAX_DAEMONS).max(1)
}

/// Places for children and for the threads of each in the scoreboard.
pub(crate) fn limits() -> (c_int, c_int) {
    let limit = |code| query(code).cast_signed();
    (limit(ffi::AP_MPMQ_HARD_LIMIT_DAEMONS), limit(ffi::AP_MPMQ_HARD_LIMIT_THREADS))
}

/// Whether this pass over the configuration is the one httpd throws away before it detaches
/// from the terminal.
pub(crate) fn is_preflight() -> bool {
    // SAFETY: no memory involved.
    let state = unsafe { ffi::ap_state_query(ffi::AP_SQ_MAIN_STATE.cast_signed()) };
    state == ffi::AP_SQ_MS_CREATE_PRE_CONFIG.cast_signed()
}

/// Whether httpd only reads its configuration (`httpd -t`) and was asked for this as well.
pub(crate) fn is_test_with(define: &CStr) -> bool {
    // SAFETY: no memory involved.
    let mode = unsafe { ffi::ap_state_query(ffi::AP_SQ_RUN_MODE.cast_signed()) };
    // SAFETY: a C string, which is only compared.
    let is_defined = unsafe { ffi::ap_exists_config_define(define.as_ptr()) } != 0;
    is_defined && mode == ffi::AP_SQ_RM_CONFIG_TEST.cast_signed()
}

/// Whether httpd is going away for good.
pub(crate) fn is_exiting() -> bool {
    // SAFETY: no memory involved.
    let state = unsafe { ffi::ap_state_query(ffi::AP_SQ_MAIN_STATE.cast_signed()) };
    state == ffi::AP_SQ_MS_EXITING.cast_signed()
}

/// Version of httpd.
pub(crate) fn server_version() -> (u32, u32, u32) {
    let mut version =
        ffi::ap_version_t { major: 0, minor: 0, patch: 0, add_string: std::ptr::null() };
    // SAFETY: room for the answer.
    unsafe { ffi::ap_get_server_revision(&raw mut version) };
    let number = |part: c_int| u32::try_from(part).unwrap_or_default();
    (number(version.major), number(version.minor), number(version.patch))
}

/// httpd's banner, as `ServerTokens` lets it be.
pub(crate) fn banner() -> String {
    // SAFETY: no memory involved.
    let text = unsafe { ffi::ap_get_server_banner() };
    // SAFETY: a NUL-terminated text that lives as long as the configuration.
    text_of(unsafe { text::bytes(text) })
}

/// When httpd was built.
pub(crate) fn build_date() -> String {
    // SAFETY: no memory involved.
    let text = unsafe { ffi::ap_get_server_built() };
    // SAFETY: a NUL-terminated constant.
    text_of(unsafe { text::bytes(text) })
}

/// Name of the MPM.
pub(crate) fn name() -> String {
    // SAFETY: no memory involved.
    let text = unsafe { ffi::ap_show_mpm() };
    // SAFETY: a NUL-terminated constant.
    text_of(unsafe { text::bytes(text) })
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
