//! Names of environ entries that travel as numbers instead of text.

/// Well-known environ keys; the position plus one is the number on the wire.
/// Both sides come from one build, so the order may change between versions.
pub const KEYS: &[&str] = &[
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "REQUEST_URI",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_ADDR",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "SERVER_ADMIN",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "REMOTE_USER",
    "AUTH_TYPE",
    "DOCUMENT_ROOT",
    "CONTEXT_PREFIX",
    "CONTEXT_DOCUMENT_ROOT",
    "REQUEST_SCHEME",
    "SCRIPT_FILENAME",
    "REDIRECT_URL",
    "REDIRECT_QUERY_STRING",
    "REDIRECT_STATUS",
    "UNIQUE_ID",
    "HTTP_HOST",
    "HTTP_USER_AGENT",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_ACCEPT_CHARSET",
    "HTTP_AUTHORIZATION",
    "HTTP_CACHE_CONTROL",
    "HTTP_CONNECTION",
    "HTTP_COOKIE",
    "HTTP_DNT",
    "HTTP_EXPECT",
    "HTTP_FORWARDED",
    "HTTP_FROM",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_KEEP_ALIVE",
    "HTTP_ORIGIN",
    "HTTP_PRAGMA",
    "HTTP_PRIORITY",
    "HTTP_RANGE",
    "HTTP_REFERER",
    "HTTP_SEC_CH_UA",
    "HTTP_SEC_CH_UA_MOBILE",
    "HTTP_SEC_CH_UA_PLATFORM",
    "HTTP_SEC_FETCH_DEST",
    "HTTP_SEC_FETCH_MODE",
    "HTTP_SEC_FETCH_SITE",
    "HTTP_SEC_FETCH_USER",
    "HTTP_TE",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_UPGRADE",
    "HTTP_UPGRADE_INSECURE_REQUESTS",
    "HTTP_VIA",
    "HTTP_X_CSRFTOKEN",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_X_REQUESTED_WITH",
    "HTTP_X_REQUEST_ID",
    "mod_wsgi.request_handler",
    "mod_wsgi.handler_script",
    "mod_wsgi.script_name",
    "mod_wsgi.path_info",
    "mod_wsgi.mount_point",
    "mod_wsgi.listener_host",
    "mod_wsgi.listener_port",
    "mod_wsgi.server_pid",
    "mod_wsgi.request_id",
    "mod_wsgi.connection_id",
];

/// Slots of [`INDEX`], enough to keep keys from sharing one.
const SLOTS: usize = 256;

/// Numbers by [`slot`] of their keys, 0 where there is none; a key whose slot is taken stands in
/// the next free one.
const INDEX: [u8; SLOTS] = index();

/// Where to look for a key first. The factors leave three of the keys in another one's slot.
const fn slot(key: &[u8]) -> usize {
    let (fourth, last) = match key {
        [.., fourth, _, _, last] => (*fourth as usize, *last as usize),
        _ => (0, 0),
    };
    let middle = match key.split_at(key.len() / 2) {
        (_, [middle, ..]) => *middle as usize,
        _ => 0,
    };
    (key.len() + 7 * fourth + 7 * middle + 9 * last) % SLOTS
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "checked in front of it")]
const fn index() -> [u8; SLOTS] {
    assert!(KEYS.len() < SLOTS);
    let mut index = [0; SLOTS];
    let mut position = 0;
    while position < KEYS.len() {
        let mut slot = slot(KEYS[position].as_bytes());
        while index[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        position += 1;
        index[slot] = position as u8;
    }
    index
}

/// The number of a well-known key, or `None`.
pub fn number_of(key: &[u8]) -> Option<u16> {
    let mut slot = slot(key);
    // Ends, because some slots are empty.
    loop {
        let number = INDEX.get(slot).copied().map(u16::from)?;
        if name_of(number)?.as_bytes() == key {
            return Some(number);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// The number of a key of [`KEYS`], for constants.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "there are fewer keys than slots")]
#[expect(clippy::panic, reason = "stops the compiler")]
pub const fn number(key: &str) -> u16 {
    let mut position = 0;
    while position < KEYS.len() {
        if is_same(KEYS[position].as_bytes(), key.as_bytes()) {
            return position as u16 + 1;
        }
        position += 1;
    }
    panic!("not a well-known key")
}

const fn is_same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let ([first, rest @ ..], [first_other, rest_other @ ..]) = (one, other) {
        if *first != *first_other {
            return false;
        }
        (one, other) = (rest, rest_other);
    }
    one.is_empty() && other.is_empty()
}

/// The key with this number, or `None` when there is none.
pub fn name_of(number: u16) -> Option<&'static str> {
    KEYS.get(usize::from(number).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_number_and_finds_its_way_back() {
        for key in KEYS {
            let number = number_of(key.as_bytes()).unwrap();
            assert_eq!(name_of(number), Some(*key), "a key stands twice in the list");
            assert_eq!(super::number(key), number);
        }
        assert_eq!(number_of(b"HTTP_X_UNKNOWN"), None);
        assert_eq!(number_of(b""), None);
        assert_eq!(number_of(b"TE"), None);
        assert_eq!(name_of(0), None);
        assert_eq!(name_of(u16::MAX), None);
    }
}
