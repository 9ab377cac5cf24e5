//! `request_rec`: one request as httpd sees it.

use std::{
    ffi::{CStr, c_int, c_void},
    marker::PhantomData,
    ptr::NonNull,
};

use wsgi_core::digits::Digits;

use super::{Server, module, pool::Pool, table::Table, text};
use crate::ffi;

/// A request that lives for `'r`. Not `Send`: httpd serves a request on one thread at a time.
#[derive(Clone, Copy)]
pub(crate) struct Request<'r>(NonNull<ffi::request_rec>, PhantomData<&'r ()>);

/// Accessors of string fields: null, or a NUL-terminated string of the request's pool or an
/// older one.
macro_rules! strings {
    ($( $(#[$doc:meta])* $name:ident = $field:ident; )+) => { $(
        $(#[$doc])*
        pub(crate) fn $name(self) -> Option<&'r CStr> {
            // SAFETY: httpd's string fields are null or NUL-terminated and live as long as 'r.
            unsafe { text::optional(self.record().$field) }
        }
    )+ };
}

/// Accessors of tables: created with the request.
macro_rules! tables {
    ($( $(#[$doc:meta])* $name:ident = $field:ident; )+) => { $(
        $(#[$doc])*
        pub(crate) fn $name(self) -> Option<Table<'r>> {
            // SAFETY: the request's tables are made with it and live in its pool.
            unsafe { Table::new(self.record().$field) }
        }
    )+ };
}

impl<'r> Request<'r> {
    /// # Safety
    /// A non-null `pointer` is a request that lives for `'r` and is served by this thread.
    pub(super) unsafe fn new(pointer: *mut ffi::request_rec) -> Option<Self> {
        NonNull::new(pointer).map(|request| Self(request, PhantomData))
    }

    pub(super) fn as_ptr(self) -> *mut ffi::request_rec {
        self.0.as_ptr()
    }

    /// The record for somebody who does not know its type here.
    pub(crate) fn untyped(self) -> *mut c_void {
        self.as_ptr().cast()
    }

    pub(super) fn record(&self) -> &ffi::request_rec {
        // SAFETY: a live request_rec (type invariant); only read, for the length of this borrow.
        unsafe { self.0.as_ref() }
    }

    strings! {
        /// The handler chosen for the request.
        handler = handler;
        /// The URI's path, decoded.
        uri = uri;
        /// The file the URI was mapped to.
        filename = filename;
        /// What of the path follows the file.
        path_info = path_info;
        /// The query string.
        query = args;
        /// The method as sent.
        method = method;
        /// The protocol, e.g. `HTTP/1.1`.
        protocol = protocol;
        /// The request line.
        request_line = the_request;
        /// The URI as sent, without what a proxy's may have before its path.
        unparsed_uri = unparsed_uri;
        /// The host the client asked for.
        hostname = hostname;
    }

    tables! {
        /// Request headers.
        headers_in = headers_in;
        /// Response headers.
        headers_out = headers_out;
        /// Response headers that error documents keep.
        error_headers_out = err_headers_out;
        /// Environment of the request (SetEnv and the like).
        environment = subprocess_env;
        /// Notes between modules.
        notes = notes;
    }

    /// The server the request is for.
    pub(crate) fn server(self) -> Option<Server<'r>> {
        // SAFETY: the configuration outlives its requests.
        unsafe { Server::new(self.record().server) }
    }

    /// The request's pool.
    pub(crate) fn pool(self) -> Option<Pool<'r>> {
        // SAFETY: the request lives in this pool.
        unsafe { Pool::new(self.record().pool) }
    }

    /// When the request was read, µs since the epoch.
    pub(crate) fn start_time(self) -> i64 {
        self.record().request_time
    }

    /// Whether the client sent HEAD (a HEAD answered without body).
    pub(crate) fn is_head(self) -> bool {
        self.record().header_only != 0
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) fn expects_continue(self) -> bool {
        self.record().expecting_100 != 0
    }

    /// What httpd's directory walk found out about the file: `None` when it does not exist.
    pub(crate) fn target(self) -> Option<Target> {
        let info = &self.record().finfo;
        let is_directory = match info.filetype {
            ffi::apr_filetype_e_APR_NOFILE => return None,
            kind => kind == ffi::apr_filetype_e_APR_DIR,
        };
        Some(Target { is_directory, modified: info.mtime })
    }

    /// Sets the file the request is mapped to.
    pub(crate) fn set_filename(self, filename: &[u8]) {
        let Some(pool) = self.pool() else { return };
        let copy = pool.copy_bytes_raw(filename);
        // SAFETY: the copy lives in the request's pool; hooks of one request run one by one.
        unsafe { (*self.as_ptr()).filename = copy };
    }

    /// Sets the handler.
    pub(crate) fn set_handler(self, handler: &'static CStr) {
        // SAFETY: a constant outlives the request; hooks of one request run one by one.
        unsafe { (*self.as_ptr()).handler = handler.as_ptr() };
    }

    /// Sets the method to GET, for an internal redirect.
    pub(crate) fn set_method_get(self) {
        let request = self.as_ptr();
        // SAFETY: a constant outlives the request; its handler is the only code that runs now.
        unsafe { (*request).method = c"GET".as_ptr() };
        // SAFETY: as above.
        unsafe { (*request).method_number = ffi::M_GET.cast_signed() };
    }

    /// Sets status and status line of the response.
    pub(crate) fn set_status(self, status: u16, reason: &[u8]) {
        let Some(pool) = self.pool() else { return };
        let line = [&*Digits::decimal(status.into()), reason].join(&b' ');
        let line = pool.copy_bytes_raw(&line);
        let request = self.as_ptr();
        // SAFETY: the handler is the only code that writes to the request now.
        unsafe { (*request).status = c_int::from(status) };
        // SAFETY: as above; the copy lives in the request's pool.
        unsafe { (*request).status_line = line };
    }

    /// Sets the response's media type, through the filters that depend on it.
    pub(crate) fn set_content_type(self, value: &'r CStr) {
        // SAFETY: a live request; httpd keeps the pointer, to a string that lives as long as it.
        unsafe { ffi::ap_set_content_type(self.as_ptr(), value.as_ptr()) };
    }

    /// Announces the length of the response's body.
    pub(crate) fn set_content_length(self, length: u64) {
        // SAFETY: a live request.
        unsafe { ffi::ap_set_content_length(self.as_ptr(), length.try_into().unwrap_or(i64::MAX)) };
    }

    /// Whether the client's conditions let the response be sent (`ap_meets_conditions`), otherwise
    /// the status that says why not.
    pub(crate) fn unmet_conditions(self) -> Option<u16> {
        // SAFETY: a live request whose response headers are set.
        let status = unsafe { ffi::ap_meets_conditions(self.as_ptr()) };
        u16::try_from(status).ok().filter(|status| *status != 0)
    }

    /// Whether `Options ExecCGI` is in force for the file.
    pub(crate) fn allows_exec_cgi(self) -> bool {
        // SAFETY: a live request.
        let options = unsafe { ffi::ap_allow_options(self.as_ptr()) };
        options & ffi::OPT_EXECCGI.cast_signed() != 0
    }

    /// `LimitRequestBody` in bytes; 0 is no limit.
    pub(crate) fn body_limit(self) -> u64 {
        // SAFETY: a live request.
        let limit = unsafe { ffi::ap_get_limit_req_body(self.as_ptr()) };
        u64::try_from(limit).unwrap_or_default()
    }

    /// Whether `AcceptPathInfo Off` is in force.
    pub(crate) fn rejects_path_info(self) -> bool {
        self.record().used_path_info == ffi::AP_REQ_REJECT_PATH_INFO.cast_signed()
    }

    /// Whether the connection is encrypted (also as a stream of an encrypted one).
    pub(crate) fn is_https(self) -> bool {
        // SAFETY: the connection outlives its requests.
        unsafe { ffi::ap_ssl_conn_is_ssl(self.record().connection) != 0 }
    }

    /// The client's connection, to be read.
    pub(super) fn connection(self) -> Option<&'r ffi::conn_rec> {
        // SAFETY: null or a connection, which outlives its requests and is served by this thread.
        unsafe { self.record().connection.as_ref() }
    }

    /// Whether the client's connection is known to be gone.
    pub(crate) fn is_aborted(self) -> bool {
        self.connection().is_some_and(|connection| connection.aborted != 0)
    }

    /// Ends the client's connection after this request.
    pub(crate) fn close_connection_after(self) {
        let connection = self.record().connection;
        // SAFETY: the connection outlives its requests, and is served by this thread.
        unsafe { (*connection).keepalive = ffi::ap_conn_keepalive_e_AP_CONN_CLOSE };
    }

    /// Ends the client's connection at once: what it got is not what was announced.
    pub(super) fn abort_connection(self) {
        let connection = self.record().connection;
        // SAFETY: the connection outlives its requests, and is served by this thread.
        unsafe { (*connection).aborted = 1 };
        self.close_connection_after();
    }

    /// The canonical server port.
    pub(crate) fn server_port(self) -> u16 {
        // SAFETY: a live request.
        unsafe { ffi::ap_get_server_port(self.as_ptr()) }
    }

    /// Local host name and port of the connection.
    pub(crate) fn listener(self) -> (Option<&'r CStr>, u16) {
        // SAFETY: null or an address that lives as long as the connection.
        let address = self.connection().and_then(|c| unsafe { c.local_addr.as_ref() });
        match address {
            // SAFETY: null or a NUL-terminated name that lives with the address.
            Some(address) => (unsafe { text::optional(address.hostname) }, address.port),
            None => (None, 0),
        }
    }

    /// Log id of the request (`%L`), if httpd has made one.
    pub(crate) fn log_id(self) -> Option<&'r CStr> {
        // SAFETY: null or a NUL-terminated string of the request's pool.
        unsafe { text::optional(self.record().log_id) }
    }

    /// Log id of the connection (`%{c}L`), if httpd has made one.
    pub(crate) fn connection_log_id(self) -> Option<&'r CStr> {
        let connection = self.connection()?;
        // SAFETY: null or a NUL-terminated string of the connection's pool.
        unsafe { text::optional(connection.log_id) }
    }

    /// Gives the request a log id, so that the application and the log agree on it.
    pub(crate) fn set_log_id(self, id: &[u8]) {
        let Some(pool) = self.pool() else { return };
        // SAFETY: the copy lives in the request's pool; nobody else writes to the request now.
        unsafe { (*self.as_ptr()).log_id = pool.copy_bytes_raw(id) };
    }

    /// Number of the client's connection in this httpd.
    pub(crate) fn connection_number(self) -> i64 {
        self.connection().map_or(0, |connection| connection.id)
    }

    /// Adds the common CGI variables and `HTTP_*` to the environment (`ap_add_common_vars`).
    pub(crate) fn add_common_variables(self) {
        // SAFETY: a live request.
        unsafe { ffi::ap_add_common_vars(self.as_ptr()) };
    }

    /// What httpd's core is told about the request's directory.
    fn core_config(&self) -> Option<&ffi::core_dir_config> {
        // SAFETY: the vector of a live request.
        let core = unsafe { ffi::ap_get_core_module_config(self.record().per_dir_config) };
        // SAFETY: null or the core module's record of that vector.
        unsafe { core.cast::<ffi::core_dir_config>().as_ref() }
    }

    /// Whether files of the request's directory may be mapped (`EnableMMAP`).
    pub(super) fn allows_mapping(self) -> bool {
        self.core_config().is_some_and(|core| core.enable_mmap() != ffi::ENABLE_MMAP_OFF)
    }

    /// Whether `CGIVar REQUEST_URI current-uri` is in force.
    pub(crate) fn uses_current_uri(self) -> bool {
        let rules = self.core_config().map(|core| core.cgi_var_rules);
        let Some(rules) = rules.filter(|rules| !rules.is_null()) else { return false };
        // SAFETY: a live hash and a NUL-terminated key (length -1).
        let rule = unsafe { ffi::apr_hash_get(rules, c"REQUEST_URI".as_ptr().cast(), -1) };
        // SAFETY: core stores NUL-terminated constants as values.
        let rule = unsafe { text::bytes(rule.cast()) };
        rule == b"current-uri"
    }

    /// Whether the first output filter works on content (`INCLUDES`, `DEFLATE`), so that a HEAD
    /// answered without a body would give other headers than a GET.
    pub(crate) fn has_content_filter(self) -> bool {
        // SAFETY: null or the head of the request's filter chain.
        let Some(filter) = (unsafe { self.record().output_filters.as_ref() }) else { return false };
        // SAFETY: filters point to their registration, which lives as long as the configuration.
        unsafe { filter.frec.as_ref() }
            .is_some_and(|record| record.ftype < ffi::ap_filter_type_AP_FTYPE_PROTOCOL)
    }

    /// Serves another URI of this server instead (`ap_internal_redirect_handler`).
    pub(crate) fn redirect_internally(self, location: &CStr) {
        let Some(pool) = self.pool() else { return };
        // SAFETY: a live request whose handler is running; the copy lives in its pool.
        unsafe {
            ffi::ap_internal_redirect_handler(pool.copy_raw(location), self.as_ptr());
        }
    }

    /// Reads and drops what is left of the request body.
    pub(crate) fn discard_body(self) {
        // SAFETY: a live request whose handler is running.
        unsafe { ffi::ap_discard_request_body(self.as_ptr()) };
    }

    /// Our configuration of the directory the request is for.
    pub(crate) fn dir_config(self) -> Option<&'r module::DirState> {
        // SAFETY: the vector lives as long as the request.
        unsafe { module::dir_state(self.record().per_dir_config) }
    }
}

/// The file a request was mapped to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// Whether it is a directory.
    pub(crate) is_directory: bool,
    /// When it was last changed, µs since the epoch.
    pub(crate) modified: i64,
}
