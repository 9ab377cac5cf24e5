//! The dictionary that environs are copied from.
//!
//! Most of an environ is the same in every request for a script. The first request of an
//! interpreter leaves those entries here; the others copy the dictionary, which CPython does in
//! one go, and set what differs. What a client has sent is not kept.

use std::sync::OnceLock;

use wsgi_core::{
    head::{Key, RequestHead},
    keys::{KEYS, number},
};

use crate::{
    object::{Object, Py, PyResult, Ref, Stored},
    state::State,
    wsgi::environ,
};

/// Keys whose values come from the server and its configuration.
const SERVER: [u16; 19] = [
    number("CONTEXT_DOCUMENT_ROOT"),
    number("CONTEXT_PREFIX"),
    number("DOCUMENT_ROOT"),
    number("REQUEST_METHOD"),
    number("REQUEST_SCHEME"),
    number("SCRIPT_FILENAME"),
    number("SCRIPT_NAME"),
    number("SERVER_ADDR"),
    number("SERVER_ADMIN"),
    number("SERVER_NAME"),
    number("SERVER_PORT"),
    number("SERVER_PROTOCOL"),
    number("SERVER_SOFTWARE"),
    number("mod_wsgi.handler_script"),
    number("mod_wsgi.listener_host"),
    number("mod_wsgi.listener_port"),
    number("mod_wsgi.request_handler"),
    number("mod_wsgi.script_name"),
    number("mod_wsgi.server_pid"),
];

/// Keys that every request has with a value of its own: only their places are prepared.
const CLIENT: [u16; 11] = [
    number("HTTP_ACCEPT"),
    number("HTTP_HOST"),
    number("HTTP_USER_AGENT"),
    number("PATH_INFO"),
    number("QUERY_STRING"),
    number("REMOTE_ADDR"),
    number("REMOTE_PORT"),
    number("REQUEST_URI"),
    number("mod_wsgi.connection_id"),
    number("mod_wsgi.path_info"),
    number("mod_wsgi.request_id"),
];

const _: () = assert!(KEYS.len() < Numbers::BITS);

/// A set of numbers of well-known keys.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Numbers(u128);

impl Numbers {
    const BITS: usize = u128::BITS as usize;

    /// Adds a number; whether it is new.
    pub(crate) fn insert(&mut self, number: u16) -> bool {
        let before = self.0;
        self.0 |= 1 << (number % 128);
        self.0 != before
    }

    /// The numbers that are not in `other`.
    pub(crate) fn without(self, other: Self) -> impl Iterator<Item = u16> {
        let mut rest = self.0 & !other.0;
        std::iter::from_fn(move || {
            let number = u16::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0)?;
            rest &= rest - 1;
            Some(number)
        })
    }
}

/// The template of one interpreter.
#[derive(Debug)]
pub(crate) struct Template {
    /// What is the same in every environ of the interpreter.
    constants: Stored,
    learnt: OnceLock<Learnt>,
}

/// The template once a request was seen.
#[derive(Debug)]
pub(crate) struct Learnt {
    dict: Stored,
    /// The well-known keys in the dictionary.
    pub(crate) numbers: Numbers,
    /// Their values as httpd sends them, by number; empty where the value is a mere place.
    values: Vec<Option<Box<[u8]>>>,
}

impl Template {
    /// A template with what this crate itself adds to every environ.
    pub(crate) fn new(constants: Object<'_>) -> Self {
        Self { constants: Stored::new(constants), learnt: OnceLock::new() }
    }

    /// Whether this crate adds an entry with this key.
    pub(crate) fn is_constant(&self, py: Py<'_>, key: &Ref<'_>) -> PyResult<bool> {
        self.constants.get(py).has_item(key)
    }

    /// The template; made of this request if it is the first one.
    pub(crate) fn learnt<'a>(
        &'a self,
        py: Py<'_>,
        state: &State,
        head: &RequestHead<'_>,
    ) -> PyResult<&'a Learnt> {
        if let Some(learnt) = self.learnt.get() {
            return Ok(learnt);
        }
        let learnt = Learnt::make(py, state, self.constants.get(py).copy_dict()?, head)?;
        // Another thread may have been faster; nothing else differs.
        Ok(self.learnt.get_or_init(|| learnt))
    }
}

impl Learnt {
    fn make(py: Py<'_>, state: &State, dict: Object<'_>, head: &RequestHead<'_>) -> PyResult<Self> {
        let mut numbers = Numbers::default();
        let mut values = vec![None; KEYS.len() + 1];
        for (key, value) in head.entries() {
            let Key::Known(number) = key else { continue };
            let (Some(name), Some(place)) =
                (state.key(number), values.get_mut(usize::from(number)))
            else {
                continue;
            };
            if SERVER.contains(&number) {
                *place = value.map(Box::from);
                dict.set_item(name.get(py), &*environ::decode(py, number, value)?)?;
            } else if CLIENT.contains(&number) {
                dict.set_item(name.get(py), &py.none())?;
            } else {
                continue;
            }
            numbers.insert(number);
        }
        Ok(Self { dict: Stored::new(dict), numbers, values })
    }

    /// A new dictionary.
    pub(crate) fn copy<'py>(&self, py: Py<'py>) -> PyResult<Object<'py>> {
        self.dict.get(py).copy_dict()
    }

    /// Whether the dictionary has this value under a key already.
    pub(crate) fn holds(&self, number: u16, value: Option<&[u8]>) -> bool {
        let held = self.values.get(usize::from(number)).and_then(Option::as_deref);
        held.is_some() && held == value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_numbers() {
        let (mut all, mut some) = (Numbers::default(), Numbers::default());
        for number in [1, 63, 64, 80, 127] {
            assert!(all.insert(number));
            assert!(!all.insert(number));
        }
        some.insert(64);
        some.insert(2);
        assert_eq!(all.without(some).collect::<Vec<_>>(), [1, 63, 80, 127]);
        assert_eq!(some.without(all).collect::<Vec<_>>(), [2]);
    }
}
