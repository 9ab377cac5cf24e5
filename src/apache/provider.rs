//! Providers of users and groups for httpd's own authentication and authorization modules: a
//! provider is a type that implements a trait with safe methods.

use std::ffi::{CStr, c_char, c_void};

use super::{
    Request,
    guard::{Fallback, guard},
    pool::Pool,
    text,
};
use crate::ffi;

/// What an authentication provider says about a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authn {
    /// The password is wrong.
    Denied,
    /// The password is right.
    Granted,
    /// There is such a user: the hash that was asked for is there.
    UserFound,
    /// There is no such user; another provider may know.
    UserNotFound,
    /// Nobody can tell.
    GeneralError,
}

impl Authn {
    fn number(self) -> ffi::authn_status {
        match self {
            Self::Denied => ffi::authn_status_AUTH_DENIED,
            Self::Granted => ffi::authn_status_AUTH_GRANTED,
            Self::UserFound => ffi::authn_status_AUTH_USER_FOUND,
            Self::UserNotFound => ffi::authn_status_AUTH_USER_NOT_FOUND,
            Self::GeneralError => ffi::authn_status_AUTH_GENERAL_ERROR,
        }
    }
}

/// Nobody is let in.
impl Fallback for Authn {
    fn fallback() -> Self {
        Self::GeneralError
    }
}

/// What an authorization provider says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authz {
    /// The user may not.
    Denied,
    /// The user may.
    Granted,
    /// Nobody can tell.
    GeneralError,
    /// It depends on the user, who is not known yet.
    DeniedNoUser,
}

impl Authz {
    fn number(self) -> ffi::authz_status {
        match self {
            Self::Denied => ffi::authz_status_AUTHZ_DENIED,
            Self::Granted => ffi::authz_status_AUTHZ_GRANTED,
            Self::GeneralError => ffi::authz_status_AUTHZ_GENERAL_ERROR,
            Self::DeniedNoUser => ffi::authz_status_AUTHZ_DENIED_NO_USER,
        }
    }
}

/// Nobody is let in. `Denied` would not do: `Require not` makes it no objection.
impl Fallback for Authz {
    fn fallback() -> Self {
        Self::GeneralError
    }
}

/// A provider of users.
pub(crate) trait UserProvider {
    /// Whether the password is that of the user.
    fn check_password(request: Request<'_>, user: &CStr, password: &CStr) -> Authn;
    /// The hash of a user in a realm; an error says why there is none.
    fn realm_hash(request: Request<'_>, user: &CStr, realm: &CStr) -> Result<Vec<u8>, Authn>;
}

/// A provider of groups.
pub(crate) trait GroupProvider {
    /// Whether the request fulfils `Require wsgi-group …`; `line` is what stands behind the name.
    fn check(request: Request<'_>, line: &CStr) -> Authz;
}

/// Registers the authentication provider `wsgi`. Every URI is asked about, also those of
/// subrequests: a script may decide by it.
pub(crate) fn register_users<P: UserProvider + 'static>(pool: Pool<'_>) {
    let provider = pool.own(ffi::authn_provider {
        check_password: Some(check_password::<P>),
        get_realm_hash: Some(get_realm_hash::<P>),
    });
    register(pool, c"authn", c"wsgi", (&raw const *provider).cast());
}

/// Registers the authorization provider `wsgi-group`, likewise.
pub(crate) fn register_groups<P: GroupProvider + 'static>(pool: Pool<'_>) {
    let provider = pool.own(ffi::authz_provider {
        check_authorization: Some(check_authorization::<P>),
        parse_require_line: None,
    });
    register(pool, c"authz", c"wsgi-group", (&raw const *provider).cast());
}

fn register(pool: Pool<'_>, kind: &CStr, name: &CStr, provider: *const c_void) {
    let each_uri = ffi::AP_AUTH_INTERNAL_PER_URI.cast_signed();
    // Kinds and version are those of httpd's mod_auth.h.
    // SAFETY: the configuration pool; httpd copies the names, and keeps the provider as long as
    // the configuration, in whose pool it lives.
    unsafe {
        ffi::ap_register_auth_provider(
            pool.as_ptr(),
            kind.as_ptr(),
            name.as_ptr(),
            c"0".as_ptr(),
            provider,
            each_uri,
        );
    }
}

unsafe extern "C" fn check_password<P: UserProvider>(
    request: *mut ffi::request_rec,
    user: *const c_char,
    password: *const c_char,
) -> ffi::authn_status {
    guard("check_password", || {
        // SAFETY: httpd passes a live request on the thread that serves it.
        let request = unsafe { Request::new(request) };
        // SAFETY: null or a NUL-terminated string of the request.
        let user = unsafe { text::optional(user) };
        // SAFETY: as above.
        let password = unsafe { text::optional(password) };
        match (request, user, password) {
            (Some(request), Some(user), Some(password)) => {
                P::check_password(request, user, password)
            }
            _ => Authn::GeneralError,
        }
    })
    .number()
}

unsafe extern "C" fn get_realm_hash<P: UserProvider>(
    request: *mut ffi::request_rec,
    user: *const c_char,
    realm: *const c_char,
    hash: *mut *mut c_char,
) -> ffi::authn_status {
    guard("get_realm_hash", || {
        // SAFETY: httpd passes a live request on the thread that serves it.
        let request = unsafe { Request::new(request) };
        // SAFETY: null or a NUL-terminated string of the request.
        let user = unsafe { text::optional(user) };
        // SAFETY: null or a NUL-terminated string of the configuration.
        let realm = unsafe { text::optional(realm) };
        let (Some(request), Some(user), Some(realm)) = (request, user, realm) else {
            return Authn::GeneralError;
        };
        let found = match P::realm_hash(request, user, realm) {
            Ok(found) => found,
            Err(status) => return status,
        };
        let Some(pool) = request.pool().filter(|_| !hash.is_null()) else {
            return Authn::GeneralError;
        };
        // SAFETY: httpd passes room for a pointer; the copy lives as long as the request.
        unsafe { *hash = pool.copy_bytes_raw(&found) };
        Authn::UserFound
    })
    .number()
}

unsafe extern "C" fn check_authorization<P: GroupProvider>(
    request: *mut ffi::request_rec,
    line: *const c_char,
    _parsed: *const c_void,
) -> ffi::authz_status {
    guard("check_authorization", || {
        // SAFETY: httpd passes a live request on the thread that serves it.
        let Some(request) = (unsafe { Request::new(request) }) else {
            return Authz::GeneralError;
        };
        // SAFETY: null or a NUL-terminated string of the configuration.
        P::check(request, unsafe { text::optional(line) }.unwrap_or_default())
    })
    .number()
}
