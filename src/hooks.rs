//! Every hook of the module, in the order of httpd's life.

use crate::{
    aaa::{CheckAccess, Groups, Users},
    apache::{guard, hook, page, pool::Pool, provider},
    handler::{Handle, Stay},
    lifecycle::{Check, ChildStart, Prepare},
    mapping::{Storage, Translate},
    status,
};

/// Registers the hooks; called at every start and restart, once the module is loaded.
pub(crate) fn register(pool: Pool<'_>) {
    guard::install_panic_hook();

    // Configuration. `httpd -t` runs the check and nothing after it.
    hook::check_configuration::<Check>();
    hook::post_configuration::<Prepare>();

    // Children.
    hook::child_init::<ChildStart>();

    // Who may: scripts that decide in httpd's children.
    hook::check_access::<CheckAccess>();
    provider::register_users::<Users>(pool);
    provider::register_groups::<Groups>(pool);

    // Requests: after mod_alias, whose Alias and ScriptAlias win over WSGIScriptAlias.
    hook::translate_name::<Translate>();
    hook::map_to_storage::<Storage>();
    hook::handler::<Handle>();
    hook::log_transaction::<Stay>();

    // What is to be seen: a handler of our own, and a part of mod_status's page.
    hook::handler::<status::Handle>();
    page::register_status::<status::ServerStatus>();
}
