//! The border between httpd's module and this library: a panic never crosses it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of an exported function; a panic becomes `fallback`. The engine reports its own
/// panics, so what arrives here has no request to be logged with: the panic hook has written it
/// to standard error, which is httpd's error log.
pub(crate) fn guard<R>(_name: &str, fallback: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}
