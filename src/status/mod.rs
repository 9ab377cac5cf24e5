//! What is to be seen of daemon groups and of embedded applications: the handler `wsgi-status` with
//! its page, JSON and metrics, and the module's part of httpd's own server-status.
//!
//! * `access`: who may see it.
//! * `collect`: asks everybody who knows something.
//! * `page.html`, `page.js`, `page.css`: the live page; it asks for the JSON like anybody else.

mod access;
mod collect;

use std::ffi::CStr;

use wsgi_core::{
    control::encode,
    status::{inquiry::Inquiry, lines, openmetrics},
};

use crate::apache::{
    Request,
    hook::{RequestHook, Status},
    page::{StatusHook, Style},
};

/// Name of the handler.
const HANDLER: &[u8] = b"wsgi-status";

/// Nothing but the page's own files, from where the page is.
const POLICY: &CStr = c"default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Headers of every answer.
const HEADERS: [(&CStr, &CStr); 4] = [
    (c"Content-Security-Policy", POLICY),
    (c"X-Content-Type-Options", c"nosniff"),
    (c"Referrer-Policy", c"no-referrer"),
    (c"Cache-Control", c"no-store"),
];

const HTML: &CStr = c"text/html; charset=utf-8";
const SCRIPT: &CStr = c"text/javascript; charset=utf-8";
const STYLE: &CStr = c"text/css; charset=utf-8";
const JSON: &CStr = c"application/json";
const METRICS: &CStr = c"application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers requests for the status.
pub(crate) struct Handle;

impl RequestHook for Handle {
    const NAME: &'static str = "status handler";

    fn run(request: Request<'_>) -> Status {
        if request.handler().is_none_or(|name| name.to_bytes() != HANDLER) {
            return Status::Declined;
        }
        if let Err(failure) = access::check(request) {
            return failure.report(request);
        }
        let is_read = [b"GET".as_slice(), b"HEAD"];
        if !request.method().is_some_and(|method| is_read.contains(&method.to_bytes())) {
            request.allow_get_only();
            return Status::Http(405);
        }
        if let Some(headers) = request.headers_out() {
            HEADERS.iter().for_each(|(name, value)| headers.set(name, value));
        }
        answer(request)
    }
}

fn answer(request: Request<'_>) -> Status {
    let query = request.query().unwrap_or_default().to_bytes();
    match query.split(|byte| *byte == b'&').next().unwrap_or_default() {
        b"" => request.answer(HTML, include_bytes!("page.html")),
        b"script" => request.answer(SCRIPT, include_bytes!("page.js")),
        b"style" => request.answer(STYLE, include_bytes!("page.css")),
        b"metrics" => {
            let text = openmetrics::text(&collect::report(request));
            request.answer(METRICS, text.as_bytes());
        }
        b"json" => match encode(&collect::report(request)) {
            Ok(text) => request.answer(JSON, &text),
            Err(_) => return Status::Http(500),
        },
        b"stack" => {
            let Some(inquiry) = stack_inquiry(query) else { return Status::Http(400) };
            match encode(&collect::stack(request, &inquiry)) {
                Ok(text) => request.answer(JSON, &text),
                Err(_) => return Status::Http(500),
            }
        }
        _ => return Status::Http(404),
    }
    Status::Ok
}

/// `stack&group=…&epoch=…&thread=…&request=…`.
fn stack_inquiry(query: &[u8]) -> Option<Inquiry> {
    let value = |name: &str| {
        let query = std::str::from_utf8(query).ok()?;
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        fields.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    Some(Inquiry::Stack {
        group: decoded(value("group")?)?,
        epoch: value("epoch")?.parse().ok()?,
        thread: value("thread")?.parse().ok()?,
        request: value("request")?.parse().ok()?,
    })
}

/// Text out of a query string, as `encodeURIComponent` of the page writes it.
fn decoded(value: &str) -> Option<String> {
    let mut pieces = value.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// The module's part of server-status.
pub(crate) struct ServerStatus;

impl StatusHook for ServerStatus {
    const NAME: &'static str = "server-status";

    fn text(request: Request<'_>, style: Style) -> String {
        let report = collect::report(request);
        if report.groups.is_empty() {
            return String::new();
        }
        match style {
            Style::Auto => lines::auto(&report),
            Style::List => lines::html(&report, false),
            Style::Table => lines::html(&report, true),
        }
    }
}
