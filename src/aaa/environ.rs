//! What a script is told that decides about access, users or groups. httpd has not made the
//! request's environment yet, and later modules may still change what belongs into it: so it is
//! left alone here.

use std::ffi::CStr;

use wsgi_core::{
    digits::Digits,
    head::RequestHeadBuilder,
    mapping::{collapse_slashes, script_name},
};

use crate::{
    apache::{Request, mpm},
    request::{is_plain_header, request_uri},
};

/// Headers that scripts do not see: credentials, and what looks like the variable of a proxy.
const HIDDEN: [&[u8]; 3] = [b"AUTHORIZATION", b"PROXY_AUTHORIZATION", b"PROXY"];

/// The environ entries.
pub(super) fn entries(request: Request<'_>) -> RequestHeadBuilder {
    let mut builder = RequestHeadBuilder::new();
    add_headers(request, &mut builder);
    add_ends(request, &mut builder);
    let uri = request.uri().unwrap_or_default().to_bytes();
    let path_info = request.path_info().unwrap_or_default().to_bytes();
    let mut add = |key: &str, value: &[u8]| builder.entry(key.as_bytes(), Some(value));
    add("SERVER_PROTOCOL", request.protocol().unwrap_or_default().to_bytes());
    add("REQUEST_METHOD", request.method().unwrap_or_default().to_bytes());
    add("QUERY_STRING", request.query().unwrap_or_default().to_bytes());
    add("REQUEST_URI", request_uri(request));
    add("SCRIPT_NAME", &script_name(uri, path_info));
    add("PATH_INFO", &collapse_slashes(path_info));
    builder
}

fn add_headers(request: Request<'_>, builder: &mut RequestHeadBuilder) {
    let Some(headers) = request.headers_in() else { return };
    for (name, value) in headers.entries() {
        let Some(name) = variable(name.to_bytes()) else { continue };
        let value = value.map(CStr::to_bytes);
        match name.as_slice() {
            b"CONTENT_TYPE" | b"CONTENT_LENGTH" => builder.entry(&name, value),
            name if HIDDEN.contains(&name) => {}
            name => builder.entry(&[b"HTTP_", name].concat(), value),
        }
    }
}

/// A header's name as variables are written; none for a name that could be mistaken for another
/// one then.
fn variable(header: &[u8]) -> Option<Vec<u8>> {
    let letter = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() };
    is_plain_header(header).then(|| header.iter().map(letter).collect())
}

/// Server and client.
fn add_ends(request: Request<'_>, builder: &mut RequestHeadBuilder) {
    let mut add = |key: &str, value: &[u8]| builder.entry(key.as_bytes(), Some(value));
    add("SERVER_SIGNATURE", request.server_signature().to_bytes());
    add("SERVER_SOFTWARE", mpm::banner().as_bytes());
    add("SERVER_NAME", request.server_name().to_bytes());
    add("SERVER_ADDR", request.local_address().to_bytes());
    add("SERVER_PORT", &Digits::decimal(request.server_port().into()));
    if let Some(host) = request.client_host() {
        add("REMOTE_HOST", host.to_bytes());
    }
    add("REMOTE_ADDR", request.client_address().to_bytes());
    add("REMOTE_PORT", &Digits::decimal(request.client_port().into()));
    add("DOCUMENT_ROOT", request.document_root().to_bytes());
    add("SERVER_ADMIN", request.server_admin().to_bytes());
}
