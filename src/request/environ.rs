//! What the application is told about a request: the CGI variables as httpd knows them.
//!
//! Keys that only the engine can know (`wsgi.*`, times, groups) are added by the engine.

use std::{
    cell::Cell,
    ffi::CStr,
    ops::Deref,
    sync::atomic::{AtomicU64, Ordering},
};

use wsgi_core::{
    digits::Digits,
    directives::MapHead,
    forwarded::Forwarded,
    head::{RequestHead, RequestHeadBuilder, flag},
    keys::{self, number},
    mapping::collapse_slashes,
};

use super::{Job, forwarded, withheld};
use crate::apache::{Request, log, process};

/// Means nothing in another root directory unless it lies below that.
const DOCUMENT_ROOT: u16 = number("DOCUMENT_ROOT");

/// Variables that httpd or SetEnv may set and that applications do not see.
const HIDDEN: [&[u8]; 9] = [
    b"GATEWAY_INTERFACE",
    b"HTTP_PROXY",
    b"LD_LIBRARY_PATH",
    b"DYLD_LIBRARY_PATH",
    b"PATH",
    b"PATH_TRANSLATED",
    b"REMOTE_HOST",
    b"REMOTE_IDENT",
    b"SERVER_SIGNATURE",
];

thread_local! {
    /// Memory for the head of this thread's next request.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Most memory that a thread keeps for its next request, in bytes.
const LARGEST_SPARE: usize = 64 << 10;

/// The encoded head of a request.
pub(crate) struct EncodedHead(Vec<u8>);

impl Deref for EncodedHead {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for EncodedHead {
    fn drop(&mut self) {
        if self.0.capacity() <= LARGEST_SPARE {
            SPARE.set(std::mem::take(&mut self.0));
        }
    }
}

/// What belongs to a request that goes to a daemon; nothing in httpd's own children.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Transfer {
    /// Number of the request.
    pub(crate) request_id: u64,
    /// When it turned to the group, µs since the epoch.
    pub(crate) queue_start: i64,
}

/// Encodes the head of a request whose body has this length, if httpd has read it.
pub(crate) fn encode(job: &Job<'_>, body_length: Option<u64>, transfer: Transfer) -> EncodedHead {
    let (builder, is_https) = entries(job);
    let request = job.request;
    let mut head = RequestHead::empty();
    head.request_id = transfer.request_id;
    head.flags = flags(job, is_https);
    head.log_level = log::level_of_request(request);
    withheld::tell(job, head.log_level);
    head.script_mtime = job.script_modified;
    head.request_start = request.start_time();
    head.queue_start = transfer.queue_start;
    head.body_length = body_length;
    let roots = sendfile_roots(job);
    head.sendfile_roots = &roots;
    head.script = seen(job, job.script);
    head.application_group = job.choice.application_group.as_bytes();
    head.callable = job.choice.callable_object.as_bytes();
    EncodedHead(builder.finish(&head))
}

/// The directories of X-Sendfile as the application's process sees them. One that it does not see
/// stays outside, but files are still no header like others.
fn sendfile_roots(job: &Job<'_>) -> Vec<u8> {
    let roots = job.choice.sendfile_roots.iter();
    let roots = roots.map(|root| job.seen(root.as_bytes()).unwrap_or(b"/nowhere"));
    roots.collect::<Vec<_>>().join(&0)
}

/// Encodes the head of a request for the dispatch script `script` in its interpreter.
pub(crate) fn encode_dispatch(
    job: &Job<'_>,
    script: &[u8],
    application_group: &[u8],
) -> EncodedHead {
    let (builder, is_https) = entries(job);
    let mut head = RequestHead::empty();
    head.flags = flags(job, is_https);
    head.log_level = log::level_of_request(job.request);
    head.script = script;
    head.application_group = application_group;
    EncodedHead(builder.finish(&head))
}

/// The environ entries, and whether the request came over TLS.
fn entries(job: &Job<'_>) -> (RequestHeadBuilder, bool) {
    drop_malformed_headers(job.request);
    job.request.add_common_variables();
    let mut builder = RequestHeadBuilder::in_buffer(SPARE.take());
    let forwarded = job.choice.trust.map(|trust| forwarded::read(job.request, trust));
    let is_https = add_environment(job, forwarded.as_ref(), &mut builder);
    add_authorization(job, &mut builder);
    add_cgi_variables(job, &mut builder);
    add_server_side(job, &mut builder);
    let Some(forwarded) = forwarded else { return (builder, is_https) };
    forwarded::add(&forwarded, &mut builder);
    (builder, forwarded.is_https.unwrap_or(is_https))
}

fn flags(job: &Job<'_>, is_https: bool) -> u32 {
    let bits = [
        (job.choice.script_reloading, flag::SCRIPT_RELOADING),
        (is_https, flag::HTTPS),
        (job.request.is_head(), flag::HEAD),
        (job.has_body, flag::BODY),
        (job.choice.ignore_activity, flag::IGNORE_ACTIVITY),
        (job.choice.pass_apache_request, flag::PASS_RECORD),
        (job.choice.is_default_group, flag::DEFAULT_GROUP),
        (job.resolved.access_log_asks, flag::TIMES),
    ];
    bits.into_iter().filter(|(is_set, _)| *is_set).map(|(_, bit)| bit).sum()
}

/// Whether a header's name cannot be mistaken for another one's once `-` has become `_`.
pub(crate) fn is_plain_header(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// Removes headers whose names could be mistaken for others.
fn drop_malformed_headers(request: Request<'_>) {
    let Some(headers) = request.headers_in() else { return };
    let malformed: Vec<_> = headers
        .entries()
        .map(|(name, _)| name)
        .filter(|name| !is_plain_header(name.to_bytes()))
        .collect();
    for name in malformed {
        headers.unset(name);
    }
}

/// Adds what httpd has collected; whether it says that the request came over TLS.
fn add_environment(
    job: &Job<'_>,
    forwarded: Option<&Forwarded<'_>>,
    builder: &mut RequestHeadBuilder,
) -> bool {
    let request = job.request;
    let Some(environment) = request.environment() else { return request.is_https() };
    let mut is_https = request.is_https();
    const FILENAME: u16 = number("SCRIPT_FILENAME");
    for (key, value) in environment.entries() {
        let (key, value) = (key.to_bytes(), value.map(CStr::to_bytes));
        if forwarded.is_some_and(|forwarded| forwarded.hides(key)) {
            continue;
        }
        match keys::number_of(key) {
            Some(number) if number == DOCUMENT_ROOT && job.root.is_some() => {
                if let Some(seen) = value.and_then(|path| job.seen(path)) {
                    builder.known(number, Some(seen));
                }
            }
            // httpd's is replaced by ours.
            Some(FILENAME) => {}
            // What is hidden is not well known.
            Some(number) => builder.known(number, value),
            None if key == b"HTTPS" => is_https |= value.is_some_and(says_yes),
            None if HIDDEN.contains(&key) => {}
            None => builder.other(key, value),
        }
    }
    is_https
}

fn says_yes(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"on") || value == b"1"
}

/// httpd keeps credentials to itself unless `CGIPassAuth` or we are told otherwise.
fn add_authorization(job: &Job<'_>, builder: &mut RequestHeadBuilder) {
    if !job.choice.pass_authorization {
        return;
    }
    let headers = job.request.headers_in();
    if let Some(value) = headers.and_then(|headers| headers.get(c"Authorization")) {
        builder.entry(b"HTTP_AUTHORIZATION", Some(value.to_bytes()));
    }
}

fn add_cgi_variables(job: &Job<'_>, builder: &mut RequestHeadBuilder) {
    let request = job.request;
    let uri = request.uri().unwrap_or_default().to_bytes();
    let path_info = request.path_info().unwrap_or_default().to_bytes();
    let script_name = wsgi_core::mapping::script_name(uri, path_info);
    let path_info = collapse_slashes(path_info);
    let mut add = |key: u16, value: &[u8]| builder.known(key, Some(value));
    add(const { number("REQUEST_METHOD") }, method(job));
    add(const { number("QUERY_STRING") }, request.query().unwrap_or_default().to_bytes());
    add(const { number("SERVER_PROTOCOL") }, request.protocol().unwrap_or_default().to_bytes());
    add(const { number("REQUEST_URI") }, request_uri(request));
    add(const { number("SCRIPT_FILENAME") }, seen(job, script_filename(request)));
    add(const { number("SCRIPT_NAME") }, &script_name);
    add(const { number("PATH_INFO") }, &path_info);
    add(const { number("mod_wsgi.script_name") }, &script_name);
    add(const { number("mod_wsgi.path_info") }, &path_info);
}

fn method<'r>(job: &Job<'r>) -> &'r [u8] {
    let is_mapped = match job.choice.map_head_to_get {
        MapHead::On => true,
        MapHead::Off => false,
        MapHead::Auto => job.request.has_content_filter(),
    };
    match job.request.method().unwrap_or_default().to_bytes() {
        b"HEAD" if is_mapped => b"GET",
        method => method,
    }
}

/// The second word of the request line, or (`CGIVar REQUEST_URI current-uri`) the URI it became.
pub(crate) fn request_uri<'r>(request: Request<'r>) -> &'r [u8] {
    if request.uses_current_uri() {
        return request.uri().unwrap_or_default().to_bytes();
    }
    let line = request.request_line().unwrap_or_default().to_bytes();
    let mut words = line.split(|byte| *byte == b' ' || *byte == b'\t');
    words.nth(1).unwrap_or_default()
}

/// A path as the application sees it; the handler lets no other script come here.
fn seen<'p>(job: &Job<'_>, path: &'p [u8]) -> &'p [u8] {
    job.seen(path).unwrap_or_default()
}

/// The script's file; a proxied one may carry the query string.
fn script_filename<'r>(request: Request<'r>) -> &'r [u8] {
    let name = request.filename().unwrap_or_default().to_bytes();
    let has_query = request.notes().is_some_and(|notes| notes.has(c"proxy-noquery"));
    match name.iter().position(|byte| *byte == b'?') {
        Some(end) if has_query => name.get(..end).unwrap_or(name),
        _ => name,
    }
}

/// What belongs to this httpd child and its log.
fn add_server_side(job: &Job<'_>, builder: &mut RequestHeadBuilder) {
    let request = job.request;
    if request.log_id().is_none() {
        request.set_log_id(&new_log_id(request));
    }
    let mut add = |key: u16, value: &[u8]| builder.known(key, Some(value));
    let (host, port) = request.listener();
    let handler = request.handler().unwrap_or_default().to_bytes();
    add(const { number("mod_wsgi.request_handler") }, handler);
    let handler_script = if job.is_handler_script { seen(job, job.script) } else { b"" };
    add(const { number("mod_wsgi.handler_script") }, handler_script);
    add(const { number("mod_wsgi.listener_host") }, host.unwrap_or_default().to_bytes());
    add(const { number("mod_wsgi.listener_port") }, &Digits::decimal(port.into()));
    let pid = Digits::decimal(process::own_pid().into());
    add(const { number("mod_wsgi.server_pid") }, &pid);
    let id = request.log_id().unwrap_or_default().to_bytes();
    add(const { number("mod_wsgi.request_id") }, id);
    let connection = request.connection_log_id().map(CStr::to_bytes);
    let count = Digits::decimal(request.connection_number().cast_unsigned());
    add(const { number("mod_wsgi.connection_id") }, connection.unwrap_or(&count));
}

/// An id like those httpd makes when its log format asks for one: unique over its children.
fn new_log_id(request: Request<'_>) -> Vec<u8> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let start = Digits::hexadecimal(request.start_time().cast_unsigned());
    let child = Digits::hexadecimal(process::own_pid().into());
    [&*start, &*child, &*Digits::hexadecimal(count)].join(&b'-')
}
