//! The environ dictionary of a request.

use wsgi_core::{
    head::{Key, RequestHead, flag},
    keys,
};

use crate::{
    object::{Object, Py, PyResult, Ref},
    state::State,
};

/// What of the environ this crate adds to httpd's entries.
#[derive(Debug)]
pub(crate) struct Extras<'a, 'py> {
    /// `wsgi.input`
    pub(crate) input: &'a Ref<'py>,
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
    let environ = state.template.get(py).copy_dict()?;
    for (key, value) in head.entries() {
        match key {
            Key::Known(number) => {
                let value = decode(py, keys::name_of(number).unwrap_or_default(), value)?;
                if let Some(key) = state.key(number) {
                    environ.set_item(key.get(py), &value)?;
                }
            }
            Key::Other(key) => {
                let value = decode(py, "", value)?;
                environ.set_item(&*py.utf8(key)?, &value)?;
            }
        }
    }
    add_own(py, state, head, extras, &environ)?;
    Ok(environ)
}

/// A value: latin-1, so that every byte survives; file names in the file system's encoding.
fn decode<'py>(py: Py<'py>, key: &str, value: Option<&[u8]>) -> PyResult<Object<'py>> {
    let Some(value) = value else { return Ok(py.none()) };
    if !matches!(key, "DOCUMENT_ROOT" | "SCRIPT_FILENAME") {
        return py.latin1(value);
    }
    py.file_name(value).or_else(|raised| {
        raised.clear(py);
        py.latin1(value)
    })
}

fn add_own(
    py: Py<'_>,
    state: &State,
    head: &RequestHead<'_>,
    extras: &Extras<'_, '_>,
    environ: &Ref<'_>,
) -> PyResult<()> {
    let keys = &state.own_keys;
    let [http, https] = &state.schemes;
    let scheme = if head.has(flag::HTTPS) { https } else { http };
    environ.set_item(keys.url_scheme.get(py), scheme.get(py))?;
    environ.set_item(keys.input.get(py), extras.input)?;
    environ.set_item(keys.errors.get(py), extras.errors)?;
    environ.set_item(keys.callable_object.get(py), &*py.latin1(head.callable)?)?;
    environ.set_item(keys.thread_id.get(py), &*py.int(extras.thread_id.into())?)?;
    for (key, time) in [
        (&keys.request_start, head.request_start),
        (&keys.queue_start, head.queue_start),
        (&keys.daemon_start, extras.daemon_start),
        (&keys.application_start, extras.application_start),
    ] {
        environ.set_item(key.get(py), &*py.float(seconds(time))?)?;
    }
    Ok(())
}

/// Microseconds as Python's times in seconds.
fn seconds(microseconds: i64) -> f64 {
    // f64 holds microseconds since the epoch exactly until the year 2255.
    #[expect(clippy::cast_precision_loss, reason = "exact for every date that can occur")]
    let microseconds = microseconds as f64;
    microseconds / 1_000_000.0
}
