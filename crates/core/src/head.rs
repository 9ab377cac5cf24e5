//! Heads of requests and responses, as the engine sees them and as bytes.
//!
//! Both placements encode the request head once in httpd and decode it once beside the
//! interpreter: as a frame to a daemon, as a memory block in embedded mode.

use std::borrow::Cow;

use crate::{
    headers::Headers,
    keys::{self, KEYS},
    level::Level,
    wire::{self, Reader},
};

pub use crate::wire::Malformed;

/// Bits of [`RequestHead::flags`].
pub mod flag {
    /// `WSGIScriptReloading` is on.
    pub const SCRIPT_RELOADING: u32 = 1;
    /// `wsgi.url_scheme` is `https`.
    pub const HTTPS: u32 = 2;
    /// The request method the client sent was HEAD.
    pub const HEAD: u32 = 4;
    /// A request body may follow (Content-Length above zero, or chunked).
    pub const BODY: u32 = 8;
    /// `WSGIIgnoreActivity` is on.
    pub const IGNORE_ACTIVITY: u32 = 16;
    /// `WSGIPassApacheRequest` is on.
    pub const PASS_RECORD: u32 = 32;
    /// Nobody has said what the application group is: it stands for the script.
    pub const DEFAULT_GROUP: u32 = 64;
    /// httpd wants to know what the request's time went into ([`crate::frame::Took`]).
    pub const TIMES: u32 = 128;
}

/// The level stands in the last byte of the flags.
const LEVEL_SHIFT: u32 = 24;

/// What httpd tells the engine about a request, beside its environ entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// Number of the request, unique over all httpd children of the server.
    pub request_id: u64,
    /// Bits of [`flag`].
    pub flags: u32,
    /// What of the request's records is logged: this level and what is more severe.
    pub log_level: Level,
    /// Modification time of the script in µs since the epoch, from httpd's own stat; 0 when
    /// httpd could not tell.
    pub script_mtime: i64,
    /// When httpd took the request, µs since the epoch.
    pub request_start: i64,
    /// When httpd turned to the daemon, µs since the epoch; 0 embedded.
    pub queue_start: i64,
    /// Bytes of the request body if httpd has all of it: then it can be read in any order.
    pub body_length: Option<u64>,
    /// Directories of the files that the header X-Sendfile may name, separated by NUL; empty where
    /// it is a header like others.
    pub sendfile_roots: &'a [u8],
    /// The file that holds the application.
    pub script: &'a [u8],
    /// Name of the interpreter; empty for the main one.
    pub application_group: &'a [u8],
    /// Name of the application in the script.
    pub callable: &'a [u8],
    environ: &'a [u8],
    encoded: &'a [u8],
}

/// Collects a request head; [`RequestHeadBuilder::finish`] gives its bytes.
#[derive(Debug)]
pub struct RequestHeadBuilder {
    out: Vec<u8>,
}

/// The length of the environ entries, which stand in front, because the rest is known last.
type EnvironLength = u32;

impl Default for RequestHeadBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestHeadBuilder {
    /// A builder without entries.
    pub fn new() -> Self {
        Self::in_buffer(Vec::new())
    }

    /// A builder without entries that uses the memory of `buffer`.
    pub fn in_buffer(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.reserve(2048);
        wire::put_u32(&mut buffer, 0);
        Self { out: buffer }
    }

    /// Adds an environ entry; `None` is the value of an httpd entry without one. The last entry
    /// with a key wins.
    pub fn entry(&mut self, key: &[u8], value: Option<&[u8]>) {
        match keys::number_of(key) {
            Some(number) => self.known(number, value),
            None => self.other(key, value),
        }
    }

    /// Adds an entry under the number of a well-known key.
    pub fn known(&mut self, number: u16, value: Option<&[u8]>) {
        wire::put_numbered(&mut self.out, number, value);
    }

    /// Adds an entry under a key that has no number.
    pub fn other(&mut self, key: &[u8], value: Option<&[u8]>) {
        wire::put_numbered(&mut self.out, 0, Some(key));
        wire::put_optional(&mut self.out, value);
    }

    /// The bytes of `head` with the entries collected; `head.environ` is not looked at.
    pub fn finish(self, head: &RequestHead<'_>) -> Vec<u8> {
        let mut out = self.out;
        let length = out.len().saturating_sub(size_of::<EnvironLength>());
        if let Some(place) = out.first_chunk_mut() {
            // httpd bounds every string far below 4 GiB; a wrong length is refused by the reader.
            *place = EnvironLength::try_from(length).unwrap_or(EnvironLength::MAX).to_le_bytes();
        }
        wire::put_u64(&mut out, head.request_id);
        wire::put_u32(&mut out, head.flags | u32::from(head.log_level.number()) << LEVEL_SHIFT);
        for time in [head.script_mtime, head.request_start, head.queue_start] {
            wire::put_u64(&mut out, time.cast_unsigned());
        }
        wire::put_u64(&mut out, head.body_length.unwrap_or(u64::MAX));
        for text in [head.sendfile_roots, head.script, head.application_group, head.callable] {
            wire::put_bytes(&mut out, text);
        }
        out
    }
}

/// Key of an environ entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// A key of [`keys::KEYS`], by number.
    Known(u16),
    /// Any other key.
    Other(&'a [u8]),
}

impl<'a> RequestHead<'a> {
    /// A head without environ entries, to be filled in and given to
    /// [`RequestHeadBuilder::finish`].
    pub fn empty() -> Self {
        Self {
            request_id: 0,
            flags: 0,
            log_level: Level::TRACE8,
            script_mtime: 0,
            request_start: 0,
            queue_start: 0,
            body_length: None,
            sendfile_roots: b"",
            script: b"",
            application_group: b"",
            callable: b"",
            environ: b"",
            encoded: b"",
        }
    }

    /// Reads a head; the environ entries are checked here, so that [`Self::entries`] cannot fail.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "request head");
        let length: EnvironLength = reader.u32()?;
        let environ = reader.take(length as usize)?;
        let mut entries = Reader::new(environ, "environ");
        while !entries.is_empty() {
            read_entry(&mut entries)?;
        }
        let request_id = reader.u64()?;
        let flags = reader.u32()?;
        let [.., level] = flags.to_le_bytes();
        let script_mtime = reader.u64()?.cast_signed();
        let request_start = reader.u64()?.cast_signed();
        let queue_start = reader.u64()?.cast_signed();
        let body_length = Some(reader.u64()?).filter(|length| *length != u64::MAX);
        let sendfile_roots = reader.bytes()?;
        let script = reader.bytes()?;
        let application_group = reader.bytes()?;
        let callable = reader.bytes()?;
        if !reader.is_empty() {
            return Err(reader.malformed());
        }
        Ok(Self {
            request_id,
            flags: flags & !(u32::MAX << LEVEL_SHIFT),
            log_level: Level::from_number(level),
            script_mtime,
            request_start,
            queue_start,
            body_length,
            sendfile_roots,
            script,
            application_group,
            callable,
            environ,
            encoded: bytes,
        })
    }

    /// The environ entries in the order httpd sent them.
    pub fn entries(&self) -> impl Iterator<Item = (Key<'a>, Option<&'a [u8]>)> + use<'a> {
        let mut reader = Reader::new(self.environ, "environ");
        std::iter::from_fn(
            move || {
                if reader.is_empty() { None } else { read_entry(&mut reader).ok() }
            },
        )
    }

    /// The bytes it was read from; empty for one that was not.
    pub fn encoded(&self) -> &'a [u8] {
        self.encoded
    }

    /// Whether a bit of [`flag`] is set.
    pub fn has(&self, bit: u32) -> bool {
        self.flags & bit != 0
    }
}

#[inline]
fn read_entry<'a>(reader: &mut Reader<'a>) -> Result<(Key<'a>, Option<&'a [u8]>), Malformed> {
    match reader.numbered()? {
        (0, key) => Ok((Key::Other(key.ok_or(reader.malformed())?), reader.optional()?)),
        (number, value) if usize::from(number) <= KEYS.len() => Ok((Key::Known(number), value)),
        _ => Err(reader.malformed()),
    }
}

/// Status and headers of a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseHead<'a> {
    /// Three digit status.
    pub status: u16,
    /// Reason phrase; may be empty.
    pub reason: Cow<'a, [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
    /// Length of the whole body where the host must announce it and the application did not
    /// (one-block list or tuple, file).
    pub inferred_length: Option<u64>,
}

impl<'a> ResponseHead<'a> {
    /// Appends the head's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        wire::put_u16(out, self.status);
        wire::put_u64(out, self.inferred_length.unwrap_or(u64::MAX));
        wire::put_bytes(out, &self.reason);
        out.extend_from_slice(self.headers.as_bytes());
    }

    /// Reads a head.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "response head");
        let status = reader.u16()?;
        if !(100..=999).contains(&status) {
            return Err(reader.malformed());
        }
        let inferred_length = match reader.u64()? {
            u64::MAX => None,
            length => Some(length),
        };
        let reason = Cow::Borrowed(reader.bytes()?);
        let headers = Headers::from_bytes(reader.rest())?;
        Ok(Self { status, reason, headers, inferred_length })
    }

    /// The same head, which borrows nothing.
    pub fn into_owned(self) -> ResponseHead<'static> {
        ResponseHead {
            status: self.status,
            reason: Cow::Owned(self.reason.into_owned()),
            headers: self.headers.into_owned(),
            inferred_length: self.inferred_length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..40)
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::sample::select(keys::KEYS).prop_map(|key| key.as_bytes().to_vec()),
            text()
        ]
    }

    proptest! {
        #[test]
        fn a_request_head_survives_the_wire(
            id in any::<u64>(),
            mtime in any::<i64>(),
            script in text(),
            length in proptest::option::of(0..u64::MAX),
            entries in proptest::collection::vec((key(), proptest::option::of(text())), 0..20),
        ) {
            let mut builder = RequestHeadBuilder::new();
            for (key, value) in &entries {
                builder.entry(key, value.as_deref());
            }
            let head = RequestHead {
                request_id: id, script_mtime: mtime, script: &script, body_length: length, ..RequestHead::empty()
            };
            let bytes = builder.finish(&head);
            let read = RequestHead::decode(&bytes).unwrap();
            prop_assert_eq!(read.request_id, id);
            prop_assert_eq!(read.script_mtime, mtime);
            prop_assert_eq!(read.body_length, length);
            prop_assert_eq!(read.script, script.as_slice());
            let got: Vec<_> = read
                .entries()
                .map(|(key, value)| {
                    let key = match key {
                        Key::Known(number) => keys::name_of(number).unwrap().as_bytes().to_vec(),
                        Key::Other(key) => key.to_vec(),
                    };
                    (key, value.map(<[u8]>::to_vec))
                })
                .collect();
            prop_assert_eq!(got, entries);
        }

        #[test]
        fn a_response_head_survives_the_wire(
            status in 100u16..1000,
            reason in text(),
            headers in proptest::collection::vec((text(), text()), 0..10),
            length in proptest::option::of(0..u64::MAX),
        ) {
            let headers = headers.into_iter().collect();
            let reason = reason.into();
            let head = ResponseHead { status, reason, headers, inferred_length: length };
            let mut bytes = Vec::new();
            head.encode(&mut bytes);
            prop_assert_eq!(ResponseHead::decode(&bytes).unwrap(), head);
        }

        #[test]
        fn decoding_anything_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(head) = RequestHead::decode(&bytes) {
                head.entries().for_each(drop);
            }
            ResponseHead::decode(&bytes).ok();
        }
    }
}
