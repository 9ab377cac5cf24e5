//! The panic border: no panic crosses into httpd, and what httpd gets instead fails closed.

use std::{
    any::Any,
    cell::Cell,
    ffi::c_char,
    panic::{self, AssertUnwindSafe},
    ptr,
    sync::Once,
};

use wsgi_core::level::Level;

use super::{hook::Status, log};

/// What a callback returns when its body panicked.
pub(super) trait Fallback {
    /// The value; it must fail closed.
    fn fallback() -> Self;
}

/// Void callbacks carry on.
impl Fallback for () {
    fn fallback() -> Self {}
}

/// A request hook answers 500 (never DECLINED: another handler might serve the script's source);
/// a configuration hook refuses to start.
impl Fallback for Status {
    fn fallback() -> Self {
        Status::Http(500)
    }
}

/// Pool cleanups have nobody to tell.
impl Fallback for i32 {
    fn fallback() -> Self {
        0
    }
}

/// A call of the Python host fails.
impl Fallback for isize {
    fn fallback() -> Self {
        wsgi_core::embedded::failure::OTHER
    }
}

/// A directive is refused.
impl Fallback for *const c_char {
    fn fallback() -> Self {
        c"internal error of mod_wsgi_rs (WSGI1001): see the error log".as_ptr()
    }
}

/// A configuration record that cannot be made: httpd's own checks meet the null.
impl Fallback for *mut std::ffi::c_void {
    fn fallback() -> Self {
        ptr::null_mut()
    }
}

thread_local! {
    /// Where the last panic of this thread happened, left by the panic hook.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Runs the body of a callback named `name`; a panic is logged once and becomes the fallback.
pub(super) fn guard<T: Fallback>(name: &str, body: impl FnOnce() -> T) -> T {
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            let place = PLACE.take().unwrap_or_else(|| "unknown place".into());
            let message = describe(payload.as_ref());
            log::process(
                Level::CRIT,
                Some(1001),
                &format!("panic in {name} at {place}: {message}"),
            );
            T::fallback()
        }
    }
}

/// Makes panics leave their place for [`guard`] instead of writing to standard error.
pub(crate) fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            PLACE.set(info.location().map(ToString::to_string));
        }));
    });
}

fn describe(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
