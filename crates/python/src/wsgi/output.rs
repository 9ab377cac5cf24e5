//! Sending what the application produced: blocks, in order, behind the headers.

use wsgi_core::{
    exchange::{Exchange, Pace, SendError},
    head::ResponseHead,
    level::Level,
};

use super::{measure, response::CommitError};
use crate::{
    lease::Lease,
    object::{Class, Py, Raised},
};

/// Why output stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A Python exception is set.
    Raised(Raised),
    /// The exchange failed.
    Send(SendError),
}

impl From<Raised> for Failure {
    fn from(raised: Raised) -> Self {
        Self::Raised(raised)
    }
}

/// Commits the headers, unless they were: returns what must be sent.
pub(crate) fn commit(
    py: Py<'_>,
    lease: &Lease,
    whole_body: Option<u64>,
) -> Result<Option<ResponseHead<'static>>, Raised> {
    // Released before anything of Python runs.
    let committed = lease.response().commit(whole_body);
    committed.map_err(|error| {
        let class = match error {
            CommitError::NotStarted => Class::Runtime,
            CommitError::Length(_) => Class::Value,
        };
        py.raise(class, &error.to_string())
    })
}

/// Sends one block, and the headers before the first one. Empty blocks do nothing.
pub(crate) fn send_block(
    py: Py<'_>,
    lease: &Lease,
    exchange: &dyn Exchange,
    block: &[u8],
    pace: Pace,
) -> Result<(), Failure> {
    if block.is_empty() {
        return Ok(());
    }
    let head = commit(py, lease, None)?;
    measure::produced(lease.measure(), 1, wide(block.len()));
    let accepted = lease.response().accept(block.len());
    let kept = block.get(..accepted.length).unwrap_or_default();
    let sent = py.detached(|| {
        if accepted.is_first_excess {
            log_excess(exchange);
        }
        send(lease, exchange, head.as_ref(), &[kept], pace)
    });
    sent.map_err(|error| failed(lease, error))
}

/// Sends headers and blocks; all but the last go as [`Pace::More`]. Called detached.
pub(crate) fn send(
    lease: &Lease,
    exchange: &dyn Exchange,
    head: Option<&ResponseHead<'_>>,
    blocks: &[&[u8]],
    last: Pace,
) -> Result<(), SendError> {
    measure::sending(lease.measure(), || send_parts(exchange, head, blocks, last))
}

fn send_parts(
    exchange: &dyn Exchange,
    head: Option<&ResponseHead<'_>>,
    blocks: &[&[u8]],
    last: Pace,
) -> Result<(), SendError> {
    if let Some(head) = head {
        exchange.send_head(head)?;
    }
    let mut blocks = blocks.iter().filter(|block| !block.is_empty()).peekable();
    while let Some(block) = blocks.next() {
        let pace = if blocks.peek().is_some() { Pace::More } else { last };
        exchange.write(block, pace)?;
    }
    Ok(())
}

/// A length as the protocol counts it.
pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Says once that output beyond the Content-Length is dropped. Called detached.
pub(crate) fn log_excess(exchange: &dyn Exchange) {
    let text = "WSGI1023: Content length mismatch: the response is longer than its Content-Length \
                header, the rest is dropped";
    exchange.log(Level::INFO, text, None);
}

/// Notes a failure in the response.
pub(crate) fn failed(lease: &Lease, error: SendError) -> Failure {
    if error == SendError::ClientGone {
        lease.response().client_gone();
    }
    Failure::Send(error)
}

/// The exception for an exchange that failed.
pub(crate) fn raise_send_error(py: Py<'_>, error: &SendError) -> Raised {
    let text = match error {
        SendError::ClientGone => "mod_wsgi client connection closed".to_owned(),
        SendError::Failed(reason) => format!("mod_wsgi failed to write response data: {reason}"),
    };
    py.raise(Class::Os, &text)
}
