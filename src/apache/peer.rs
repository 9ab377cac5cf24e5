//! What httpd knows about the two ends of a request before its environment is made: client, user,
//! server.

use std::ffi::CStr;

use super::{Request, text};
use crate::ffi;

impl<'r> Request<'r> {
    /// The user, once one is authenticated.
    pub(crate) fn user(self) -> Option<&'r CStr> {
        // SAFETY: null or a NUL-terminated string of the request's pool.
        unsafe { text::optional(self.record().user) }
    }

    /// Sets the user.
    pub(crate) fn set_user(self, user: &[u8]) {
        let Some(pool) = self.pool() else { return };
        let copy = pool.copy_bytes_raw(user);
        // SAFETY: the copy lives in the request's pool; hooks of one request run one by one.
        unsafe { (*self.as_ptr()).user = copy };
    }

    /// Name of the client's host, if `HostnameLookups` lets httpd know it.
    pub(crate) fn client_host(self) -> Option<&'r CStr> {
        let (kind, no_answer) = (ffi::REMOTE_HOST.cast_signed(), std::ptr::null_mut());
        // SAFETY: a live request; nobody wants to know whether an address was returned.
        let name = unsafe { ffi::ap_get_useragent_host(self.as_ptr(), kind, no_answer) };
        // SAFETY: null or a NUL-terminated string that lives with the connection.
        unsafe { text::optional(name) }
    }

    /// The client's address.
    pub(crate) fn client_address(self) -> &'r CStr {
        // SAFETY: null or a NUL-terminated string that lives as long as the request.
        unsafe { text::optional(self.record().useragent_ip) }.unwrap_or_default()
    }

    /// The client's port.
    pub(crate) fn client_port(self) -> u16 {
        // SAFETY: null or an address that lives as long as the request.
        unsafe { self.record().useragent_addr.as_ref() }.map_or(0, |address| address.port)
    }

    /// Local address of the connection.
    pub(crate) fn local_address(self) -> &'r CStr {
        // SAFETY: null or a NUL-terminated string that lives with the connection.
        self.connection().and_then(|c| unsafe { text::optional(c.local_ip) }).unwrap_or_default()
    }

    /// The server's name for this request.
    pub(crate) fn server_name(self) -> &'r CStr {
        // SAFETY: a live request.
        let name = unsafe { ffi::ap_get_server_name(self.as_ptr()) };
        // SAFETY: null or a NUL-terminated string of the request or the configuration.
        unsafe { text::optional(name) }.unwrap_or_default()
    }

    /// `ServerAdmin`.
    pub(crate) fn server_admin(self) -> &'r CStr {
        // SAFETY: the configuration outlives its requests.
        let server = unsafe { self.record().server.as_ref() };
        // SAFETY: null or a NUL-terminated string of the configuration.
        server.and_then(|s| unsafe { text::optional(s.server_admin) }).unwrap_or_default()
    }

    /// `DocumentRoot`.
    pub(crate) fn document_root(self) -> &'r CStr {
        // SAFETY: a live request.
        let root = unsafe { ffi::ap_document_root(self.as_ptr()) };
        // SAFETY: null or a NUL-terminated string of the configuration.
        unsafe { text::optional(root) }.unwrap_or_default()
    }

    /// The line below httpd's own pages (`ServerSignature`).
    pub(crate) fn server_signature(self) -> &'r CStr {
        // SAFETY: a live request and a constant.
        let signature = unsafe { ffi::ap_psignature(c"".as_ptr(), self.as_ptr()) };
        // SAFETY: null or a NUL-terminated string of the request's pool or a constant.
        unsafe { text::optional(signature) }.unwrap_or_default()
    }

    /// A variable of the module that encrypts the connection, if one does.
    pub(crate) fn tls_variable(self, name: &CStr) -> Option<&'r CStr> {
        let record = self.record();
        let (pool, server, connection) = (record.pool, record.server, record.connection);
        // SAFETY: a live request with its pool, server and connection; a NUL-terminated name.
        let value = unsafe {
            ffi::ap_ssl_var_lookup(pool, server, connection, self.as_ptr(), name.as_ptr())
        };
        // SAFETY: null or a NUL-terminated string of the request's pool or an older one.
        unsafe { text::optional(value) }
    }

    /// Whether a client that is refused by its host may still come in as a user (`Satisfy Any`).
    pub(crate) fn may_satisfy_as_user(self) -> bool {
        // SAFETY: a live request.
        let rule = unsafe { ffi::ap_satisfies(self.as_ptr()) };
        // SAFETY: a live request.
        let has_users = unsafe { ffi::ap_some_auth_required(self.as_ptr()) } != 0;
        rule == ffi::SATISFY_ANY.cast_signed() && has_users
    }
}
