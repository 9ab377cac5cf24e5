//! Hook trampolines: a hook is a type that implements a trait with a safe method.

use std::{ffi::CStr, ffi::c_char, ffi::c_int, ptr};

use super::{Request, Server, guard::guard, pool::Pool};
use crate::ffi;

/// What a hook tells httpd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// `OK`: done, no further hook is asked where only one answers.
    Ok,
    /// `DECLINED`: not ours.
    Declined,
    /// An HTTP status that httpd answers with; from a configuration hook: refuse to start.
    Http(u16),
    /// `AP_FILTER_ERROR`: a filter has answered instead of this hook.
    Answered,
}

impl Status {
    /// What a function of httpd returned that answers as hooks do.
    pub(super) fn from_number(number: c_int) -> Self {
        match number {
            ffi::DECLINED => Self::Declined,
            ffi::AP_FILTER_ERROR => Self::Answered,
            number => u16::try_from(number).ok().filter(|s| *s != 0).map_or(Self::Ok, Self::Http),
        }
    }

    pub(super) fn number(self) -> c_int {
        match self {
            Self::Ok => ffi::OK.cast_signed(),
            Self::Declined => ffi::DECLINED,
            Self::Http(status) => c_int::from(status),
            Self::Answered => ffi::AP_FILTER_ERROR,
        }
    }
}

/// A hook that runs for a request.
pub(crate) trait RequestHook {
    /// Name for the log.
    const NAME: &'static str;
    /// The hook.
    fn run(request: Request<'_>) -> Status;
}

/// A hook that checks or uses the whole configuration.
pub(crate) trait ConfigurationHook {
    /// Name for the log.
    const NAME: &'static str;
    /// The hook; `server` is the main server.
    fn run(server: Server<'_>) -> Status;
}

/// A hook that runs at the start of an httpd child.
pub(crate) trait ChildHook {
    /// Name for the log.
    const NAME: &'static str;
    /// The hook; `pool` lives as long as the child.
    fn run(server: Server<'static>, pool: Pool<'static>);
}

unsafe extern "C" fn request_hook<H: RequestHook>(request: *mut ffi::request_rec) -> c_int {
    guard(H::NAME, || {
        // SAFETY: httpd calls request hooks with a live request on the thread that serves it.
        let request = unsafe { Request::new(request) };
        request.map_or(Status::Http(500), H::run)
    })
    .number()
}

unsafe extern "C" fn check_configuration_hook<H: ConfigurationHook>(
    _pconf: *mut ffi::apr_pool_t,
    _plog: *mut ffi::apr_pool_t,
    _ptemp: *mut ffi::apr_pool_t,
    server: *mut ffi::server_rec,
) -> c_int {
    guard(H::NAME, || {
        // SAFETY: httpd calls configuration hooks with the main server of a configuration that
        // lives at least until the hook returns.
        let server = unsafe { Server::new(server) };
        server.map_or(Status::Http(500), H::run)
    })
    .number()
}

unsafe extern "C" fn child_init_hook<H: ChildHook>(
    pool: *mut ffi::apr_pool_t,
    server: *mut ffi::server_rec,
) {
    guard(H::NAME, || {
        // SAFETY: child_init gets the main server; the configuration lives as long as the child.
        let server = unsafe { Server::new(server) };
        // SAFETY: child_init gets the child's pool, which lives as long as the process.
        let pool = unsafe { Pool::new(pool) };
        if let (Some(server), Some(pool)) = (server, pool) {
            H::run(server, pool);
        }
    })
}

/// Module names for the order of hooks: null-terminated, as httpd wants them.
struct Names<const N: usize>([*const c_char; N]);

// SAFETY: pointers to constants.
unsafe impl<const N: usize> Sync for Names<N> {}

const MIDDLE: c_int = ffi::APR_HOOK_MIDDLE.cast_signed();

/// Registers the check of a configuration that `httpd -t` runs too.
pub(crate) fn check_configuration<H: ConfigurationHook>() {
    // SAFETY: called while httpd registers hooks, with a function of the hook's type.
    unsafe {
        ffi::ap_hook_check_config(
            Some(check_configuration_hook::<H>),
            ptr::null(),
            ptr::null(),
            MIDDLE,
        );
    }
}

/// Registers what is done with a complete configuration, in the parent.
pub(crate) fn post_configuration<H: ConfigurationHook>() {
    // SAFETY: called while httpd registers hooks, with a function of the hook's type.
    unsafe {
        ffi::ap_hook_post_config(
            Some(check_configuration_hook::<H>),
            ptr::null(),
            ptr::null(),
            MIDDLE,
        );
    }
}

/// Registers the start of a child.
pub(crate) fn child_init<H: ChildHook>() {
    // SAFETY: called while httpd registers hooks, with a function of the hook's type.
    unsafe {
        ffi::ap_hook_child_init(Some(child_init_hook::<H>), ptr::null(), ptr::null(), MIDDLE);
    }
}

/// Registers the mapping of URLs: after mod_alias, before what maps everything that is left.
pub(crate) fn translate_name<H: RequestHook>() {
    static AFTER: Names<2> = Names([c"mod_alias.c".as_ptr(), ptr::null()]);
    static BEFORE: Names<3> =
        Names([c"mod_userdir.c".as_ptr(), c"mod_vhost_alias.c".as_ptr(), ptr::null()]);
    // SAFETY: called while httpd registers hooks, with a function of the hook's type and
    // null-terminated lists that live for ever.
    unsafe {
        ffi::ap_hook_translate_name(
            Some(request_hook::<H>),
            AFTER.0.as_ptr(),
            BEFORE.0.as_ptr(),
            MIDDLE,
        );
    }
}

/// Registers the mapping of names to files: after everybody's but httpd's own.
pub(crate) fn map_to_storage<H: RequestHook>() {
    const LAST: c_int = ffi::APR_HOOK_LAST.cast_signed();
    // SAFETY: called while httpd registers hooks, with a function of the hook's type.
    unsafe {
        ffi::ap_hook_map_to_storage(Some(request_hook::<H>), ptr::null(), ptr::null(), LAST);
    }
}

/// Registers the check of who may come, before httpd's own of hosts. Every URI is checked, also
/// those of subrequests: a script may decide by it.
pub(crate) fn check_access<H: RequestHook>() {
    static AFTER: Names<2> = Names([c"mod_ssl.c".as_ptr(), ptr::null()]);
    static BEFORE: Names<2> = Names([c"mod_authz_host.c".as_ptr(), ptr::null()]);
    // SAFETY: called while httpd registers hooks, with a function of the hook's type and
    // null-terminated lists that live for ever.
    unsafe {
        ffi::ap_hook_check_access(
            Some(request_hook::<H>),
            AFTER.0.as_ptr(),
            BEFORE.0.as_ptr(),
            MIDDLE,
            ffi::AP_AUTH_INTERNAL_PER_URI.cast_signed(),
        );
    }
}

/// Registers the content handler.
pub(crate) fn handler<H: RequestHook>() {
    // SAFETY: called while httpd registers hooks, with a function of the hook's type.
    unsafe {
        ffi::ap_hook_handler(Some(request_hook::<H>), ptr::null(), ptr::null(), MIDDLE);
    }
}

/// Registers what is done when a response was sent and its request logged.
pub(crate) fn log_transaction<H: RequestHook>() {
    const LAST: c_int = ffi::APR_HOOK_REALLY_LAST.cast_signed();
    // SAFETY: called while httpd registers hooks, with a function of the hook's type.
    unsafe {
        ffi::ap_hook_log_transaction(Some(request_hook::<H>), ptr::null(), ptr::null(), LAST);
    }
}

/// Adds a component to the `Server` header.
pub(crate) fn add_version_component(server: Server<'_>, component: &CStr) {
    let Some(pool) = server.configuration_pool() else { return };
    // SAFETY: a live pool; httpd copies the text.
    unsafe { ffi::ap_add_version_component(pool.as_ptr(), component.as_ptr()) };
}
