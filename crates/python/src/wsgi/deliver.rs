//! Taking the application's result: blocks of a list at once, other iterables block by block.

use wsgi_core::{
    exchange::{Outcome, Pace, SendError},
    head::ResponseHead,
    level::Level,
};

use super::{
    engine::Request,
    file, measure,
    output::{self, Failure},
    report,
};
use crate::object::{Class, Object, Py, PyResult, Ref};

/// Up to this size the blocks of a list are copied and sent after the interpreter was let go
/// for good: one attachment per request instead of two.
const KEPT: usize = 64 * 1024;

/// What a request leaves to be sent after its Python part.
#[derive(Debug)]
pub(crate) enum Produced {
    /// Everything was sent, or nothing is to be.
    Nothing(Outcome),
    /// The rest of the response.
    Kept {
        /// The headers, unless they were sent.
        head: Option<ResponseHead<'static>>,
        /// The (rest of the) body.
        body: Vec<u8>,
    },
}

/// Sends what the application returned.
pub(crate) fn deliver(py: Py<'_>, request: &Request<'_>, result: &Ref<'_>) -> Produced {
    let sent = if result.is_plain_sequence() {
        deliver_blocks(py, request, result)
    } else {
        deliver_iterable(py, request, result)
    };
    match sent {
        Ok(produced) => produced,
        Err(Failure::Raised(raised)) => Produced::Nothing(report::exception(py, request, raised)),
        Err(Failure::Send(SendError::ClientGone)) => Produced::Nothing(Outcome::Completed),
        Err(Failure::Send(error)) => {
            let raised = output::raise_send_error(py, &error);
            Produced::Nothing(report::exception(py, request, raised))
        }
    }
}

/// A list or tuple: every block is known, and nothing of the application runs in between.
fn deliver_blocks(
    py: Py<'_>,
    request: &Request<'_>,
    result: &Ref<'_>,
) -> Result<Produced, Failure> {
    let items = result.items()?;
    let (mut count, mut total) = (0, 0);
    for item in &items {
        let block = block_of(py, item)?;
        count += usize::from(!block.is_empty());
        total += block.len();
    }
    let head = output::commit(py, request.lease, whole_length(request, count, total))?;
    measure::produced(request.lease.measure(), count, output::wide(total));
    let accepted = request.lease.response().accept(total);
    if accepted.is_first_excess {
        py.detached(|| output::log_excess(request.exchange));
    }
    if accepted.length <= KEPT {
        return Ok(Produced::Kept { head, body: join(&items, accepted.length) });
    }
    let blocks: Vec<_> = cut(&items, accepted.length).collect();
    let Request { lease, exchange, .. } = *request;
    let sent = py.detached(|| output::send(lease, exchange, head.as_ref(), &blocks, Pace::More));
    sent.map_err(|error| output::failed(request.lease, error))?;
    Ok(Produced::Nothing(complete(py, request)))
}

/// The body's length, where there is one block or none. A HEAD request may be answered without
/// the body that a GET would have.
fn whole_length(request: &Request<'_>, blocks: usize, total: usize) -> Option<u64> {
    let is_empty = blocks == 0 && !request.lease.response().is_head_request();
    (blocks == 1 || is_empty).then(|| output::wide(total))
}

/// The first `length` bytes of the blocks, one behind the other.
fn join(blocks: &[Object<'_>], length: usize) -> Vec<u8> {
    let mut joined = Vec::with_capacity(length);
    cut(blocks, length).for_each(|block| joined.extend_from_slice(block));
    joined
}

/// The blocks, cut to a total length.
fn cut<'a>(blocks: &'a [Object<'_>], length: usize) -> impl Iterator<Item = &'a [u8]> {
    let mut left = length;
    let blocks = blocks.iter().filter_map(|block| block.as_bytes());
    blocks.filter_map(move |block| {
        let kept = block.get(..left).unwrap_or(block);
        left -= kept.len();
        (!kept.is_empty()).then_some(kept)
    })
}

fn block_of<'a>(py: Py<'_>, item: &'a Ref<'_>) -> PyResult<&'a [u8]> {
    item.as_bytes().ok_or_else(|| {
        let text = format!("response iterable must yield bytes, not {}", item.type_name());
        py.raise(Class::Type, &text)
    })
}

fn deliver_iterable(
    py: Py<'_>,
    request: &Request<'_>,
    result: &Ref<'_>,
) -> Result<Produced, Failure> {
    let is_file = result.is_instance(request.interpreter.state.file_wrapper.get(py));
    if is_file && file::send(py, request, result)? {
        return Ok(Produced::Nothing(complete(py, request)));
    }
    let iterator = result.iterate()?;
    while let Some(item) = iterator.next()? {
        let block = block_of(py, &item)?;
        output::send_block(py, request.lease, request.exchange, block, Pace::Unknown)?;
    }
    match output::commit(py, request.lease, None)? {
        Some(head) => Ok(Produced::Kept { head: Some(head), body: Vec::new() }),
        None => Ok(Produced::Nothing(complete(py, request))),
    }
}

/// Completed, or truncated when the body is shorter than announced.
fn complete(py: Py<'_>, request: &Request<'_>) -> Outcome {
    let shortfall = request.lease.response().shortfall();
    if let Some(lengths) = shortfall {
        py.detached(|| log_shortfall(request, lengths));
        return Outcome::Truncated;
    }
    Outcome::Completed
}

fn log_shortfall(request: &Request<'_>, (expected, produced): (u64, u64)) {
    let text = format!(
        "WSGI1024: Content length mismatch: the response is shorter than its Content-Length \
         header, {produced} of {expected} bytes"
    );
    request.exchange.log(Level::INFO, &text, None);
}

/// Sends the kept part of a response. Called detached, after the Python part has ended.
pub(crate) fn send_kept(
    request: &Request<'_>,
    head: Option<&ResponseHead<'_>>,
    body: &[u8],
) -> Outcome {
    match output::send(request.lease, request.exchange, head, &[body], Pace::More) {
        Ok(()) => {}
        Err(SendError::ClientGone) => return Outcome::Completed,
        Err(SendError::Failed(reason)) => {
            let text = format!("WSGI1022: cannot send the response: {reason}");
            request.exchange.log(Level::ERROR, &text, None);
            return Outcome::Truncated;
        }
    }
    let shortfall = request.lease.response().shortfall();
    match shortfall {
        Some(lengths) => {
            log_shortfall(request, lengths);
            Outcome::Truncated
        }
        None => Outcome::Completed,
    }
}

/// Calls the result's `close`, if it has one; what goes wrong is only logged.
pub(crate) fn close(py: Py<'_>, request: &Request<'_>, result: &Object<'_>) {
    if result.is_plain_sequence() {
        return;
    }
    let close = match result.attribute_if_any(request.interpreter.state.close.get(py)) {
        Ok(close) => close,
        Err(raised) => return report::close_lookup(py, request, raised),
    };
    if let Some(Err(raised)) = close.map(|close| close.call(&[])) {
        // The response stands as it is; the report's outcome is not used.
        report::exception(py, request, raised);
    }
}
