//! The httpd module `wsgi_module`: Python web applications in httpd's children or in daemon
//! processes.
//!
//! * [`apache`]: the safe httpd layer; `ffi` is what it stands on.
//! * `directives`, `facts`, `resolved`: the configuration, from its lines to what follows.
//! * `hooks`, `lifecycle`: where httpd calls us; the parent's and the children's start.
//! * `mapping`: from a URL to a script.
//! * `request`: one request on its way to an answer.
//! * `aaa`: asks the scripts that decide about it.
//! * `handler`: runs it, embedded or through `client` in a daemon.
//! * `status`: what is to be seen of the daemons.
//! * `supervisor`: starts the process manager and hands it the configuration.
//!
//! Python is never loaded here: not at all in the parent, and by `handler::embedded` through a
//! library of its own in children that serve embedded applications.

mod aaa;
mod apache;
mod check;
mod client;
mod directives;
mod facts;
mod ffi;
mod handler;
mod hooks;
mod lifecycle;
mod mapping;
mod request;
mod resolved;
mod status;
mod supervisor;

use apache::module;

/// The module record that `LoadModule wsgi_module` looks up. httpd writes to it (index, link).
///
/// It must be defined in Rust: symbols of the C shim are not exported from a cdylib.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, missing_docs, unreachable_pub)]
pub static mut wsgi_module: ffi::module = ffi::module {
    version: ffi::MODULE_MAGIC_NUMBER_MAJOR.cast_signed(),
    minor_version: ffi::MODULE_MAGIC_NUMBER_MINOR.cast_signed(),
    module_index: -1,
    name: c"mod_wsgi.c".as_ptr(),
    dynamic_load_handle: std::ptr::null_mut(),
    next: std::ptr::null_mut(),
    magic: ffi::MODULE_MAGIC_COOKIE as std::ffi::c_ulong,
    rewrite_args: None,
    create_dir_config: Some(module::create_dir),
    merge_dir_config: Some(module::merge_dir),
    create_server_config: Some(module::create_server),
    merge_server_config: Some(module::merge_server),
    cmds: apache::commands::RECORDS.as_ptr(),
    register_hooks: Some(module::register_hooks),
    flags: 0,
};
