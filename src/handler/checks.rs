//! Whether a request may run: target, options and framing, in the order of the contract.

use std::{ffi::CStr, path::Path};

use wsgi_core::{directives::HandlerScript, mapping::Resolved as Choice, mtime::modification_time};

use crate::{
    apache::{Request, request::Target},
    request::{Failure, Job, subject},
};

/// The script's file, if the request may run it.
pub(super) fn target(request: Request<'_>, is_aliased: bool) -> Result<Target, Failure> {
    let refuse = |status, code, why: &str| {
        Err(Failure::new(status, code, format!("{why}: {}", subject(request))))
    };
    if !is_aliased && !request.allows_exec_cgi() {
        return refuse(403, 134, "Options ExecCGI is off in this directory");
    }
    let Some(target) = request.target() else {
        return refuse(404, 135, "Target WSGI script not found or unable to stat");
    };
    if target.is_directory {
        return refuse(403, 136, "Attempt to invoke directory as WSGI application");
    }
    Ok(target)
}

/// When a script of WSGIHandlerScript was last changed. The URL's own file need not exist.
pub(super) fn handler_script(request: Request<'_>, script: &HandlerScript) -> Result<i64, Failure> {
    modification_time(Path::new(&script.path)).map_err(|error| {
        let (path, subject) = (&script.path, subject(request));
        let text = format!("Unable to look at WSGI handler script '{path}': {error}: {subject}");
        Failure::new(500, 83, text)
    })
}

/// Whether the request may have what it has of path info.
pub(super) fn path_info(request: Request<'_>) -> Result<(), Failure> {
    let has_path_info = request.path_info().is_some_and(|info| !info.is_empty());
    if has_path_info && request.rejects_path_info() {
        let text = format!("AcceptPathInfo off disallows user's path: {}", subject(request));
        return Err(Failure::new(404, 137, text));
    }
    Ok(())
}

/// Whether WSGIRestrictProcess permits the process group, wherever its name came from.
pub(super) fn process_group(job: &Job<'_>) -> Result<(), Failure> {
    if job.choice.is_permitted() {
        return Ok(());
    }
    let subject = subject(job.request);
    let text = match job.choice.process_group.as_ref() {
        "" => format!("Embedded mode may not be used here (WSGIRestrictProcess): {subject}"),
        name => format!(
            "Daemon process called '{name}' may not be used here (WSGIRestrictProcess): {subject}"
        ),
    };
    Err(Failure::new(500, 149, text))
}

/// Whether a request body may follow, if its framing is acceptable.
pub(super) fn body(request: Request<'_>, choice: &Choice<'_>) -> Result<bool, Failure> {
    let header = |name: &'static CStr| request.headers_in().and_then(|headers| headers.get(name));
    if let Some(encoding) = header(c"Transfer-Encoding") {
        return chunked(request, choice, encoding);
    }
    let Some(length) = header(c"Content-Length") else { return Ok(false) };
    let digits = length.to_bytes();
    let length = std::str::from_utf8(digits)
        .ok()
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<i64>().ok());
    let Some(length) = length.and_then(|length| u64::try_from(length).ok()) else {
        let shown = digits.escape_ascii();
        return Err(Failure::new(400, 141, format!("Invalid Content-Length \"{shown}\"")));
    };
    let limit = request.body_limit();
    if limit > 0 && length > limit {
        let text = format!(
            "Requested content-length of {length} is larger than the configured limit of {limit}: {}",
            subject(request)
        );
        return Err(Failure::new(413, 1006, text));
    }
    Ok(length > 0)
}

fn chunked(request: Request<'_>, choice: &Choice<'_>, encoding: &CStr) -> Result<bool, Failure> {
    let encoding = encoding.to_bytes();
    if !encoding.eq_ignore_ascii_case(b"chunked") {
        let shown = encoding.escape_ascii();
        let text = format!("Unexpected value for Transfer-Encoding of \"{shown}\" supplied");
        return Err(Failure::new(501, 138, text));
    }
    if !choice.chunked_request {
        let text = format!(
            "Chunked request content is not accepted (WSGIChunkedRequest is Off): {}",
            subject(request)
        );
        return Err(Failure::new(411, 139, text));
    }
    Ok(true)
}
