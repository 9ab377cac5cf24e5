//! The request body between the exchange and `wsgi.input`.

use wsgi_core::exchange::BodyError;

use crate::{
    lease::Lease,
    object::{Class, Py, PyResult, Raised},
    wsgi::measure,
};

/// Bytes read from the exchange at once for lines, and the first step of an open-ended read.
pub(super) const BUFFER: usize = 64 * 1024;

/// What was read from the exchange and not yet by the application.
#[derive(Debug, Default)]
pub(crate) struct Body {
    buffer: Vec<u8>,
    start: usize,
    is_ended: bool,
    is_failed: bool,
    /// Bytes of a body that can be read in any order.
    length: Option<u64>,
    /// Where the exchange reads on.
    offset: u64,
}

impl Body {
    /// A body of which nothing was read; `length` is known of one that can be read in any order.
    pub(crate) fn new(length: Option<u64>) -> Self {
        Self { length, ..Self::default() }
    }

    /// Bytes of a body that can be read in any order.
    pub(super) fn length(&self) -> u64 {
        self.length.unwrap_or_default()
    }

    /// Bytes that are left of a body that can be read in any order.
    pub(super) fn rest(&self) -> Option<usize> {
        if self.is_failed {
            return None;
        }
        let rest = self.length?.saturating_sub(self.position());
        usize::try_from(rest).ok()
    }

    /// Where the application reads on.
    pub(super) fn position(&self) -> u64 {
        self.offset - self.buffered().len() as u64
    }

    /// Reads on from another position.
    pub(super) fn seek(&mut self, py: Py<'_>, lease: &Lease, position: u64) -> PyResult<()> {
        if self.is_failed {
            return Err(already_failed(py));
        }
        let Some(exchange) = lease.enter() else { return Err(after_request(py, "seek()")) };
        py.detached(|| exchange.seek_body(position))
            .map_err(|BodyError { reason }| py.raise(Class::Os, &read_error(&reason)))?;
        self.consume(usize::MAX);
        (self.offset, self.is_ended) = (position, false);
        Ok(())
    }

    /// What was read ahead.
    pub(super) fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// The application has so many bytes of that.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.buffer.len());
    }

    /// Reads once into `target`; 0 is the end.
    pub(super) fn read(
        &mut self,
        py: Py<'_>,
        lease: &Lease,
        method: &str,
        target: &mut [u8],
    ) -> PyResult<usize> {
        if self.is_failed {
            return Err(already_failed(py));
        }
        if self.is_ended || target.is_empty() {
            return Ok(0);
        }
        let Some(exchange) = lease.enter() else { return Err(after_request(py, method)) };
        match py.detached(|| measure::reading(lease.measure(), || exchange.read_body(target))) {
            Ok(count) => {
                self.is_ended = count == 0;
                let count = count.min(target.len());
                self.offset += count as u64;
                Ok(count)
            }
            Err(BodyError { reason }) => {
                self.is_failed = true;
                Err(py.raise(Class::Os, &read_error(&reason)))
            }
        }
    }

    /// Fills the empty buffer; false at the end of the body.
    pub(super) fn fill(&mut self, py: Py<'_>, lease: &Lease, method: &str) -> PyResult<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(BUFFER, 0);
        let count = self.read(py, lease, method, &mut buffer);
        buffer.truncate(count.as_ref().map_or(0, |count| *count));
        self.buffer = buffer;
        self.start = 0;
        Ok(count? > 0)
    }
}

fn already_failed(py: Py<'_>) -> Raised {
    py.raise(Class::Os, &read_error("input is already in error state"))
}

fn read_error(reason: &str) -> String {
    format!("mod_wsgi request data read error: {reason}")
}

pub(super) fn after_request(py: Py<'_>, method: &str) -> Raised {
    py.raise(Class::Runtime, &format!("{method} called on wsgi.input after request completed"))
}
