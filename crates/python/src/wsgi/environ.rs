//! The environ dictionary of a request.

use wsgi_core::{
    head::{Key, RequestHead, flag},
    keys::number,
};

use super::template::Numbers;
use crate::{
    object::{Object, Py, PyResult, Ref},
    state::{DEFAULT_CALLABLE, State},
};

/// What of the environ this crate adds to httpd's entries.
#[derive(Debug)]
pub(crate) struct Extras<'a, 'py> {
    /// `wsgi.input`
    pub(crate) input: &'a Ref<'py>,
    /// `mod_wsgi.is_aborted`
    pub(crate) is_aborted: &'a Ref<'py>,
    /// `wsgi.errors`
    pub(crate) errors: &'a Ref<'py>,
    /// `mod_wsgi.thread_id`
    pub(crate) thread_id: u32,
    /// `mod_wsgi.daemon_start`, µs; 0 embedded.
    pub(crate) daemon_start: i64,
    /// `mod_wsgi.application_start`, µs.
    pub(crate) application_start: i64,
}

/// Builds the dictionary.
pub(crate) fn build<'py>(
    py: Py<'py>,
    state: &State,
    head: &RequestHead<'_>,
    extras: &Extras<'_, 'py>,
) -> PyResult<Object<'py>> {
    let template = state.template.learnt(py, state, head)?;
    let environ = template.copy(py)?;
    let mut seen = Numbers::default();
    for (key, value) in head.entries() {
        let number = match key {
            Key::Known(number) => number,
            Key::Other(key) => {
                let key = py.utf8(key)?;
                // SetEnv must not change what the gateway says (`wsgi.version`).
                if !state.template.is_constant(py, &key)? {
                    environ.set_item(&key, &*decode(py, 0, value)?)?;
                }
                continue;
            }
        };
        // Only the first: another value for the same key replaces what the template has.
        if seen.insert(number) && template.holds(number, value) {
            continue;
        }
        if let Some(key) = state.key(number) {
            environ.set_item(key.get(py), &*decode(py, number, value)?)?;
        }
    }
    for key in template.numbers.without(seen).filter_map(|number| state.key(number)) {
        environ.remove_item(key.get(py))?;
    }
    add_own(py, state, head, extras, &environ)?;
    Ok(environ)
}

/// The value of a numbered key (0 is any other one): latin-1, so that every byte survives; file
/// names in the file system's encoding.
pub(crate) fn decode<'py>(py: Py<'py>, key: u16, value: Option<&[u8]>) -> PyResult<Object<'py>> {
    const FILES: [u16; 2] = [number("DOCUMENT_ROOT"), number("SCRIPT_FILENAME")];
    let Some(value) = value else { return Ok(py.none()) };
    if !FILES.contains(&key) {
        return py.latin1(value);
    }
    py.file_name(value).or_else(|raised| {
        raised.clear(py);
        py.latin1(value)
    })
}

/// What this crate adds, as far as it is not what [`State::make`] put into the template.
fn add_own(
    py: Py<'_>,
    state: &State,
    head: &RequestHead<'_>,
    extras: &Extras<'_, '_>,
    environ: &Ref<'_>,
) -> PyResult<()> {
    let keys = &state.own_keys;
    if head.has(flag::HTTPS) {
        environ.set_item(keys.url_scheme.get(py), state.https.get(py))?;
    }
    if head.callable != DEFAULT_CALLABLE.as_bytes() {
        environ.set_item(keys.callable_object.get(py), &*py.latin1(head.callable)?)?;
    }
    environ.set_item(keys.input.get(py), extras.input)?;
    environ.set_item(keys.is_aborted.get(py), extras.is_aborted)?;
    environ.set_item(keys.errors.get(py), extras.errors)?;
    environ.set_item(keys.thread_id.get(py), &*py.int(extras.thread_id.into())?)?;
    for (key, time) in [
        (&keys.request_start, head.request_start),
        (&keys.queue_start, head.queue_start),
        (&keys.daemon_start, extras.daemon_start),
        (&keys.application_start, extras.application_start),
    ] {
        if time != 0 {
            environ.set_item(key.get(py), &*py.float(seconds(time))?)?;
        }
    }
    Ok(())
}

/// Microseconds as Python's times in seconds.
pub(crate) fn seconds(microseconds: i64) -> f64 {
    // f64 holds microseconds since the epoch exactly until the year 2255.
    #[expect(clippy::cast_precision_loss, reason = "exact for every date that can occur")]
    let microseconds = microseconds as f64;
    microseconds / 1_000_000.0
}
