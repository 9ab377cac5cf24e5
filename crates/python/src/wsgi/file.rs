//! Sending the file of a `wsgi.file_wrapper` without reading it.

use std::os::fd::BorrowedFd;

use super::{
    engine::Request,
    measure,
    output::{self, Failure},
};
use crate::{
    object::{Py, PyResult, Ref},
    types::file_wrapper,
};

/// A part of a regular file.
struct Part<'f> {
    file: BorrowedFd<'f>,
    offset: u64,
    length: u64,
}

/// Sends the wrapper's file where that is possible: nothing was sent before, and it is a regular
/// file that knows its position. False means: iterate.
pub(crate) fn send(py: Py<'_>, request: &Request<'_>, wrapper: &Ref<'_>) -> Result<bool, Failure> {
    if request.lease.response().is_committed() {
        return Ok(false);
    }
    let Some(filelike) = file_wrapper::file_of(wrapper) else { return Ok(false) };
    let Some(part) = part_of(py, &filelike) else { return Ok(false) };
    let head = output::commit(py, request.lease, Some(part.length))?;
    let accepted = {
        let mut response = request.lease.response();
        let wanted = response.expected().unwrap_or(part.length).min(part.length);
        response.accept_wide(wanted)
    };
    measure::produced(request.lease.measure(), 1, part.length);
    let Request { lease, exchange, .. } = *request;
    let sent = py.detached(|| {
        output::send(lease, exchange, head.as_ref(), &[], wsgi_core::exchange::Pace::More)?;
        if accepted == 0 {
            return Ok(());
        }
        measure::sending(lease.measure(), || exchange.send_file(part.file, part.offset, accepted))
    });
    sent.map_err(|error| output::failed(request.lease, error))?;
    Ok(true)
}

/// The rest of a regular file from its position; `None` for anything else.
fn part_of<'f>(py: Py<'_>, filelike: &'f Ref<'_>) -> Option<Part<'f>> {
    let descriptor = quietly(py, filelike.call_method("fileno", &[]).and_then(|n| n.to_int()))?;
    let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
    let size = regular_size(descriptor)?;
    let offset = quietly(py, filelike.call_method("tell", &[]).and_then(|n| n.to_int()))?;
    let offset = u64::try_from(offset).ok()?;
    // SAFETY: the file object owns the descriptor and is held while the part is used.
    let file = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Some(Part { file, offset, length: size.saturating_sub(offset) })
}

/// A value, or nothing where the file object raised.
fn quietly<T>(py: Py<'_>, result: PyResult<T>) -> Option<T> {
    result.map_err(|raised| raised.clear(py)).ok()
}

fn regular_size(descriptor: i32) -> Option<u64> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: memory of the right size; a descriptor that is not open is an error, not a fault.
    if unsafe { libc::fstat(descriptor, status.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: filled by the successful call.
    let status = unsafe { status.assume_init() };
    let is_regular = status.st_mode & libc::S_IFMT == libc::S_IFREG;
    is_regular.then_some(u64::try_from(status.st_size).unwrap_or_default())
}
