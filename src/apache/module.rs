//! The module's configuration records and the trampolines that make and merge them (`line` has the
//! one that fills them).
//!
//! Three records: [`MainState`], one for a whole configuration, [`ServerState`], one for each
//! server, [`DirState`], one for each directory-like section. They are written while httpd reads
//! its configuration (one thread) and only read afterwards; a .htaccess file fills a `DirState`
//! of its own request.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr::{self, NonNull},
    sync::{Mutex, OnceLock, PoisonError, RwLock},
};

use wsgi_core::directives::{DirConfig, GlobalConfig, ScriptAlias, ServerConfig, ServerId};

use super::{Request, Server, guard::guard, pool::Pool, regex::Regex};
use crate::{ffi, hooks, resolved::Resolved};

/// What exists once in a configuration.
#[derive(Default)]
pub(crate) struct MainState {
    /// As typed in.
    pub(crate) typed: Mutex<GlobalConfig>,
    /// Servers by their number: the main server first.
    servers: Mutex<Vec<NonNull<ffi::server_rec>>>,
    /// Patterns by their number.
    pub(crate) patterns: RwLock<Vec<Regex>>,
    /// What follows from it all, set by post_config.
    pub(crate) resolved: OnceLock<Resolved>,
}

impl MainState {
    /// The number of a server; httpd makes the main server's record first.
    pub(crate) fn number_of(&self, server: Server<'_>) -> ServerId {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let pointer = server.as_non_null();
        let index = servers.iter().position(|known| *known == pointer).unwrap_or_else(|| {
            servers.push(pointer);
            servers.len() - 1
        });
        ServerId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The server with a number.
    pub(crate) fn server(&self, number: ServerId) -> Option<Server<'_>> {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let pointer = servers.get(usize::try_from(number.0).ok()?)?;
        // SAFETY: servers live in the same configuration pool as this record.
        unsafe { Server::new(pointer.as_ptr()) }
    }
}

/// What a server has of its own.
pub(crate) struct ServerState {
    /// The server's directives.
    pub(crate) config: ServerConfig,
    main: NonNull<MainState>,
}

impl ServerState {
    /// The configuration's one record.
    pub(crate) fn main(&self) -> &MainState {
        // SAFETY: made in the same configuration pool before any server's record, never freed
        // before it.
        unsafe { self.main.as_ref() }
    }

    /// The configuration's one record, independent of the borrow of this one.
    pub(crate) fn main_handle<'c>(&self) -> &'c MainState {
        // SAFETY: it lives in the configuration pool, like this record and all who read it.
        unsafe { self.main.as_ref() }
    }
}

/// What a directory-like section has.
#[derive(Default)]
pub(crate) struct DirState {
    /// The section's directives.
    pub(crate) config: DirConfig,
}

/// The module's index in httpd's configuration vectors and log levels.
pub(super) fn index() -> c_int {
    let module = &raw const crate::wsgi_module;
    // SAFETY: httpd sets the index when it loads the module, before anything else runs.
    unsafe { (*module).module_index }
}

/// Our record in a configuration vector, or null.
///
/// # Safety
/// `vector` is a live configuration vector.
unsafe fn record_in(vector: *const ffi::ap_conf_vector_t) -> *mut c_void {
    let module = &raw const crate::wsgi_module;
    // SAFETY: the caller promises a live vector; httpd only reads the module's index.
    unsafe { ffi::ap_get_module_config(vector, module) }
}

/// Our record of a server, or null: the ServerState that create_server or merge_server made in the
/// configuration pool.
fn server_record(server: Server<'_>) -> *mut ServerState {
    // SAFETY: a live server; its vector holds one slot for each module.
    let vector = unsafe { (*server.as_ptr()).module_config };
    // SAFETY: a live vector.
    unsafe { record_in(vector) }.cast()
}

/// Our record of a server.
pub(crate) fn server_state<'c>(server: Server<'c>) -> Option<&'c ServerState> {
    // SAFETY: null, or a record that lives as long as the configuration pool, for 'c.
    unsafe { server_record(server).as_ref() }
}

/// Our record of a server whose lines are being read.
///
/// # Safety
/// httpd is reading its configuration, and nobody holds the record.
pub(super) unsafe fn writable_server_state<'c>(server: Server<'c>) -> Option<&'c mut ServerState> {
    // SAFETY: as for `server_state`; the caller promises that nobody else uses it.
    unsafe { server_record(server).as_mut() }
}

/// Our record of a directory vector.
///
/// # Safety
/// `vector` is a per-directory vector that lives for `'r`.
pub(super) unsafe fn dir_state<'r>(vector: *const ffi::ap_conf_vector_t) -> Option<&'r DirState> {
    // SAFETY: the caller promises a live vector.
    let state = unsafe { record_in(vector) };
    // SAFETY: null, or the DirState that create_dir/merge_dir made in a pool that lives for 'r.
    unsafe { state.cast::<DirState>().as_ref() }
}

/// Notes the script alias that mapped a request: our record of the request.
pub(crate) fn set_alias<'r>(request: Request<'r>, alias: &'r ScriptAlias) {
    let module = &raw const crate::wsgi_module;
    let alias = ptr::from_ref(alias).cast_mut().cast();
    // SAFETY: a live request's vector; the configuration outlives its requests.
    unsafe { ffi::ap_set_module_config(request.record().request_config, module, alias) };
}

/// The script alias that mapped a request.
pub(crate) fn alias<'r>(request: Request<'r>) -> Option<&'r ScriptAlias> {
    // SAFETY: a live request's vector.
    let alias = unsafe { record_in(request.record().request_config) };
    // SAFETY: null, or what `set_alias` put there; it is only read.
    unsafe { alias.cast::<ScriptAlias>().as_ref() }
}

const MAIN: &CStr = c"mod_wsgi_rs:main";

/// The configuration's one record, made when it is first asked for.
fn main_state(server: Server<'_>) -> Option<NonNull<MainState>> {
    let pool = server.configuration_pool()?;
    let known = NonNull::new(pool.data(MAIN).cast::<MainState>());
    known.or_else(|| {
        let state = NonNull::from(pool.own(MainState::default()));
        pool.set_data(MAIN, state.as_ptr().cast());
        Some(state)
    })
}

pub(crate) unsafe extern "C" fn create_server(
    pool: *mut ffi::apr_pool_t,
    server: *mut ffi::server_rec,
) -> *mut c_void {
    guard("create_server_config", || {
        // SAFETY: httpd passes the server being made and the configuration pool.
        let Some(server) = (unsafe { Server::new(server) }) else { return ptr::null_mut() };
        let Some(main) = main_state(server) else { return ptr::null_mut() };
        // SAFETY: made above, lives in the configuration pool.
        unsafe { main.as_ref() }.number_of(server);
        // SAFETY: see above.
        let pool = unsafe { Pool::new(pool) };
        keep(pool, ServerState { config: ServerConfig::default(), main })
    })
}

pub(crate) unsafe extern "C" fn merge_server(
    pool: *mut ffi::apr_pool_t,
    base: *mut c_void,
    add: *mut c_void,
) -> *mut c_void {
    guard("merge_server_config", || {
        // SAFETY: httpd passes records that create_server made.
        let base = unsafe { base.cast::<ServerState>().as_ref() };
        // SAFETY: as above.
        let add = unsafe { add.cast::<ServerState>().as_ref() };
        // SAFETY: httpd passes the configuration pool.
        let pool = unsafe { Pool::new(pool) };
        let (Some(base), Some(add)) = (base, add) else { return ptr::null_mut() };
        let config = ServerConfig::merge(&base.config, &add.config);
        keep(pool, ServerState { config, main: add.main })
    })
}

pub(crate) unsafe extern "C" fn create_dir(
    pool: *mut ffi::apr_pool_t,
    _directory: *mut c_char,
) -> *mut c_void {
    guard("create_dir_config", || {
        // SAFETY: httpd passes the pool of the configuration or of the request.
        keep(unsafe { Pool::new(pool) }, DirState::default())
    })
}

pub(crate) unsafe extern "C" fn merge_dir(
    pool: *mut ffi::apr_pool_t,
    base: *mut c_void,
    add: *mut c_void,
) -> *mut c_void {
    guard("merge_dir_config", || {
        // SAFETY: httpd passes records that create_dir or merge_dir made.
        let base = unsafe { base.cast::<DirState>().as_ref() };
        // SAFETY: as above.
        let add = unsafe { add.cast::<DirState>().as_ref() };
        // SAFETY: httpd passes the pool of the configuration or of the request.
        let pool = unsafe { Pool::new(pool) };
        let (Some(base), Some(add)) = (base, add) else { return ptr::null_mut() };
        keep(pool, DirState { config: DirConfig::merge(&base.config, &add.config) })
    })
}

fn keep<T: 'static>(pool: Option<Pool<'_>>, value: T) -> *mut c_void {
    match pool {
        // SAFETY of later use: the value lives as long as the pool that httpd keeps it for.
        Some(pool) => ptr::from_ref(pool.own(value)).cast_mut().cast(),
        None => ptr::null_mut(),
    }
}

/// Called by httpd once the module is loaded, at every start and restart.
pub(crate) unsafe extern "C" fn register_hooks(pool: *mut ffi::apr_pool_t) {
    guard("register_hooks", || {
        // SAFETY: httpd passes the configuration pool.
        if let Some(pool) = unsafe { Pool::new(pool) } {
            hooks::register(pool);
        }
    })
}
