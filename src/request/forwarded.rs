//! What trusted proxies say about a request, from httpd's environment into ours. What is believed
//! is decided in `wsgi_core::forwarded`.

use wsgi_core::{
    forwarded::{Forwarded, Trust},
    head::RequestHeadBuilder,
    keys::number,
};

use crate::apache::Request;

/// What the headers of trusted proxies say about the request.
pub(super) fn read<'r>(request: Request<'r>, trust: Trust<'_>) -> Forwarded<'r> {
    Forwarded::of(trust, request.client_address().to_bytes(), |key| {
        Some(request.environment()?.get(key)?.to_bytes())
    })
}

/// Replaces what httpd sees by what trusted proxies have seen.
pub(super) fn add(forwarded: &Forwarded<'_>, builder: &mut RequestHeadBuilder) {
    let mut add = |key: u16, value: Option<&[u8]>| {
        if value.is_some() {
            builder.known(key, value);
        }
    };
    add(const { number("REMOTE_ADDR") }, forwarded.remote_addr);
    add(const { number("HTTP_X_FORWARDED_FOR") }, forwarded.forwarded_for.as_deref());
    add(const { number("HTTP_HOST") }, forwarded.host);
    add(const { number("SERVER_NAME") }, forwarded.server_name);
    add(const { number("SERVER_PORT") }, forwarded.server_port);
    add(const { number("SCRIPT_NAME") }, forwarded.script_name);
    add(const { number("mod_wsgi.mount_point") }, forwarded.script_name);
}
