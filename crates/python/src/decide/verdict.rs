//! What the functions of deciding scripts may return, and what it means. `True` and `False` are
//! those two objects and nothing that merely counts as true.

use wsgi_core::decide::{Changes, DISPATCHERS, Verdict};

use super::call::Asking;
use crate::object::{Class, Object, Py, PyResult, Ref};

/// `allow_access`: a bool, or None for no opinion.
pub(super) fn access(py: Py<'_>, asking: &Asking<'_>, result: &Ref<'_>) -> Verdict {
    if result.is_none() {
        return Verdict::Unknown;
    }
    match result.as_bool() {
        Some(true) => Verdict::Granted,
        Some(false) => Verdict::Denied,
        None => {
            let found = result.type_name();
            let why =
                format!("Indicator of host accessibility must be a bool or None, not {found}.");
            asking.failed(py, "WSGI0055", &why)
        }
    }
}

/// `check_password`: a bool, None for a user who is not known, or the name that the user has from
/// now on.
pub(super) fn password(py: Py<'_>, asking: &Asking<'_>, result: &Ref<'_>) -> PyResult<Verdict> {
    if result.is_none() {
        return Ok(Verdict::Unknown);
    }
    if let Some(is_right) = result.as_bool() {
        return Ok(if is_right { Verdict::Granted } else { Verdict::Denied });
    }
    if !result.is_text() {
        let found = result.type_name();
        let why = format!(
            "Basic auth provider must return True, False, None or the name of the user as str, \
             not {found}."
        );
        return Ok(asking.failed(py, "WSGI0177", &why));
    }
    let name = result.call_method("encode", &[&*py.text("utf-8")?])?;
    let name = name.as_bytes().unwrap_or_default();
    if !is_c_text(name) {
        let why = "The name of the user that the Basic auth provider returned is empty or holds a \
                   NUL.";
        return Ok(asking.failed(py, "WSGI0176", why));
    }
    Ok(Verdict::Text(name.to_vec()))
}

/// `get_realm_hash`: the hash as text or bytes, or None for a user who is not known.
pub(super) fn realm_hash(py: Py<'_>, asking: &Asking<'_>, result: &Ref<'_>) -> PyResult<Verdict> {
    if result.is_none() {
        return Ok(Verdict::Unknown);
    }
    let Some(hash) = octets(result)? else {
        let found = result.type_name();
        let why = format!("Digest auth provider must return None or the hash as str, not {found}.");
        return Ok(asking.failed(py, "WSGI0179", &why));
    };
    if !is_c_text(&hash) {
        let why = "The hash that the Digest auth provider returned is empty or holds a NUL.";
        return Ok(asking.failed(py, "WSGI0178", why));
    }
    Ok(Verdict::Text(hash))
}

/// `groups_for_user`: an iterable of names.
pub(super) fn groups(py: Py<'_>, asking: &Asking<'_>, result: &Ref<'_>) -> PyResult<Verdict> {
    // The characters of one name are no groups.
    if result.is_text() || result.as_bytes().is_some() {
        return Ok(no_groups(py, asking, result));
    }
    let items = match result.iterate() {
        Ok(items) => items,
        Err(raised) if raised.is(py, Class::Type) => {
            raised.clear(py);
            return Ok(no_groups(py, asking, result));
        }
        Err(raised) => return Err(raised),
    };
    let mut groups = Vec::new();
    while let Some(item) = items.next()? {
        let Some(group) = octets(&item)? else {
            let found = item.type_name();
            let why = format!("Name of a group must be str or bytes, not {found}.");
            return Ok(asking.failed(py, "WSGI0050", &why));
        };
        groups.push(group);
    }
    Ok(Verdict::Groups(groups))
}

fn no_groups(py: Py<'_>, asking: &Asking<'_>, result: &Ref<'_>) -> Verdict {
    let found = result.type_name();
    let why = format!("Groups of a user must be an iterable of names, not {found}.");
    asking.failed(py, "WSGI0051", &why)
}

/// The three functions of a dispatch script, in their order; `call` gives what one of them
/// returned, None for one that the script does not have.
pub(super) fn changes<'py>(
    py: Py<'py>,
    call: impl Fn(&str) -> PyResult<Option<Object<'py>>>,
) -> PyResult<Verdict> {
    let mut changes = Changes::default();
    let places =
        [&mut changes.process_group, &mut changes.application_group, &mut changes.callable_object];
    for (name, place) in DISPATCHERS.into_iter().zip(places) {
        let Some(result) = call(name)?.filter(|result| !result.is_none()) else { continue };
        match octets(&result)? {
            Some(value) if !value.contains(&0) => *place = Some(value),
            Some(_) => return Err(py.raise(Class::Value, &format!("{name}() returned a NUL"))),
            None => {
                let found = result.type_name();
                let text = format!("{name}() must return str, bytes or None, not {found}");
                return Err(py.raise(Class::Type, &text));
            }
        }
    }
    Ok(Verdict::Changes(changes))
}

/// The bytes of a `bytes` or (latin-1) of a `str`.
fn octets(object: &Ref<'_>) -> PyResult<Option<Vec<u8>>> {
    if let Some(bytes) = object.as_bytes() {
        return Ok(Some(bytes.to_vec()));
    }
    if object.is_text() { Ok(Some(object.to_latin1()?.into_owned())) } else { Ok(None) }
}

/// Whether httpd, whose strings end at a NUL, would see the same non-empty text.
fn is_c_text(text: &[u8]) -> bool {
    !text.is_empty() && !text.contains(&0)
}
