//! The frames that carry one request over a connection between an httpd child and a daemon.
//!
//! A frame is a 16 byte header and its payload. Both directions are open at the same time. Every
//! frame names its request, so that nothing left over can be mistaken for another one's.
//!
//! ```text
//! httpd to daemon:  Request, then Body* when the daemon asks with Want (a small body that is
//!                   already there follows Request at once); the last Body carries LAST;
//!                   a body that waits in a file: BodyFile for the first Want
//! daemon to httpd:  Requeue                                   nothing was run: ask another process
//!                   (Log | Want)*, Head, (Log | Want | Data)* [File], End | Abort
//!                   (Log | Want)*, Fail                       no response was begun
//! ```
//!
//! End, Abort, Fail and Requeue close the exchange: end of file alone proves nothing, because a
//! child that the application forked may hold a copy of the connection. After an End with [`KEEP`]
//! the next request may follow on the same connection.

use crate::wire::{Malformed, Reader, put_bytes, put_u32};

/// Bytes of a frame header.
pub const HEADER: usize = 16;

/// Largest payload of one frame; a longer one is a broken peer.
pub const MAX_PAYLOAD: usize = 16 << 20;

/// Most request body bytes that httpd sends for one [`Kind::Want`]. It fits the default buffer of
/// a unix socket, so that sending it never waits for a daemon that is itself sending.
pub const BODY_WINDOW: usize = 64 << 10;

/// Bit of [`Header::flags`] on [`Kind::Body`]: no more body follows.
pub const LAST: u8 = 1;

/// Bit of [`Header::flags`]: on [`Kind::Request`], httpd would use the connection again; on
/// [`Kind::End`], the daemon waits on it for the next request.
pub const KEEP: u8 = 4;

/// Bit of [`Header::flags`] on [`Kind::Log`]: a [`Located`] stands in front of the record.
pub const SOURCE: u8 = 8;

/// Bit of [`Header::flags`] on [`Kind::Data`]: more follows at once, no need to flush.
pub const MORE: u8 = 2;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A request head ([`crate::head::RequestHead`]); `value` counts the earlier attempts to send it.
    Request = 1,
    /// Request body bytes.
    Body = 2,
    /// The request body cannot be read any further; the payload says why.
    BodyError = 3,
    /// Asks for up to [`BODY_WINDOW`] bytes of the request body, or for its file; somebody waits
    /// for them. `value` is 1 when the file is wanted in pieces, because it could not be received.
    Want = 4,
    /// A response head ([`crate::head::ResponseHead`]).
    Head = 5,
    /// Response body bytes.
    Data = 6,
    /// A log record of the request; `value` is its level, [`SOURCE`] a flag.
    Log = 7,
    /// No response was begun: httpd answers with the status in `value`.
    Fail = 8,
    /// The response is complete. With [`KEEP`], `value` is the processor on which the daemon waits.
    End = 9,
    /// The response ends without being complete.
    Abort = 10,
    /// Nothing was run: this process drains or has old code.
    Requeue = 11,
    /// Part of a regular file: its descriptor comes with the frame (SCM_RIGHTS), the payload is a
    /// [`Extent`]. Takes the place of the body.
    File = 12,
    /// The whole request body as a regular file: its descriptor comes with the frame, the payload
    /// is an [`Extent`].
    BodyFile = 13,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        const KINDS: [Kind; 13] = [
            Kind::Request,
            Kind::Body,
            Kind::BodyError,
            Kind::Want,
            Kind::Head,
            Kind::Data,
            Kind::Log,
            Kind::Fail,
            Kind::End,
            Kind::Abort,
            Kind::Requeue,
            Kind::File,
            Kind::BodyFile,
        ];
        KINDS.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// What a request's time went into, and where it ran: the payload of its last frame where httpd has
/// asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Took {
    /// µs until a thread had taken it.
    pub queue: u64,
    /// µs in the application.
    pub application: u64,
    /// The process.
    pub pid: u32,
    /// The thread in its process, from 1.
    pub thread: u32,
}

impl Took {
    /// Bytes of it.
    pub const LENGTH: usize = 24;

    /// Its bytes.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let place = u64::from(self.thread) << 32 | u64::from(self.pid);
        let fields = [self.queue, self.application, place];
        for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// Reads it; `None` for a payload that is none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (chunks, []) = bytes.as_chunks::<8>() else { return None };
        let [queue, application, place] = <[[u8; 8]; 3]>::try_from(chunks).ok()?;
        let [pid, thread] = <[[u8; 4]; 2]>::try_from(place.as_chunks::<4>().0).ok()?;
        Some(Self {
            queue: u64::from_le_bytes(queue),
            application: u64::from_le_bytes(application),
            pid: u32::from_le_bytes(pid),
            thread: u32::from_le_bytes(thread),
        })
    }
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What follows.
    pub kind: Kind,
    /// [`LAST`], [`MORE`], [`KEEP`] or [`SOURCE`].
    pub flags: u8,
    /// Level, status, number of attempts or processor, by kind; otherwise 0.
    pub value: u16,
    /// Bytes of payload.
    pub length: u32,
    /// The request.
    pub request_id: u64,
}

impl Header {
    /// A header without flags and value.
    pub fn new(kind: Kind, request_id: u64, length: usize) -> Self {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        Self { kind, flags: 0, value: 0, length, request_id }
    }

    /// The same header with other flags.
    pub fn with_flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    /// The same header with another value.
    pub fn with_value(self, value: u16) -> Self {
        Self { value, ..self }
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER] {
        let [l0, l1, l2, l3] = self.length.to_le_bytes();
        let [v0, v1] = self.value.to_le_bytes();
        let [i0, i1, i2, i3, i4, i5, i6, i7] = self.request_id.to_le_bytes();
        [l0, l1, l2, l3, self.kind as u8, self.flags, v0, v1, i0, i1, i2, i3, i4, i5, i6, i7]
    }

    /// Reads a header; an unknown kind or a payload beyond [`MAX_PAYLOAD`] is malformed.
    pub fn decode(bytes: &[u8; HEADER]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "frame header");
        let length = reader.u32()?;
        let kind = Kind::from_number(reader.u8()?).ok_or(reader.malformed())?;
        let flags = reader.u8()?;
        let value = reader.u16()?;
        let request_id = reader.u64()?;
        if length as usize > MAX_PAYLOAD {
            return Err(reader.malformed());
        }
        Ok(Self { kind, flags, value, length, request_id })
    }
}

/// Which part of a file a [`Kind::File`] frame means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

impl Extent {
    /// Bytes of an encoded extent.
    pub const SIZE: usize = 16;

    /// The extent's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::SIZE);
        crate::wire::put_u64(&mut bytes, self.offset);
        crate::wire::put_u64(&mut bytes, self.length);
        bytes
    }

    /// Reads an extent.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "file extent");
        let (offset, length) = (reader.u64()?, reader.u64()?);
        let fits = offset.checked_add(length).is_some_and(|end| i64::try_from(end).is_ok());
        if fits && reader.is_empty() {
            Ok(Self { offset, length })
        } else {
            Err(reader.malformed())
        }
    }
}

/// A log record with the place in the code that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located<'a> {
    /// The file, as bytes.
    pub file: &'a [u8],
    /// Number of the line.
    pub line: u32,
    /// The record.
    pub record: &'a [u8],
}

impl<'a> Located<'a> {
    /// The bytes that stand in front of the record.
    pub fn encode_place(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.file.len() + 8);
        put_u32(&mut bytes, self.line);
        put_bytes(&mut bytes, self.file);
        bytes
    }

    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload, "log record");
        let (line, file) = (reader.u32()?, reader.bytes()?);
        Ok(Self { file, line, record: reader.rest() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_request_took_crosses_unchanged() {
        let took = Took { queue: 1, application: u64::MAX, pid: 77, thread: 3 };
        assert_eq!(Took::decode(&took.encode()), Some(took));
        assert_eq!(Took::decode(b""), None);
        assert_eq!(Took::decode(&[0; 23]), None);
        assert_eq!(Took::decode(&[0; 32]), None);
    }

    proptest! {
        #[test]
        fn a_header_survives_the_wire(
            kind in 1u8..=13, flags in any::<u8>(), value in any::<u16>(),
            length in 0..=MAX_PAYLOAD, id in any::<u64>(),
        ) {
            let header = Header::new(Kind::from_number(kind).unwrap(), id, length)
                .with_flags(flags).with_value(value);
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }

        #[test]
        fn decoding_anything_never_panics(bytes in any::<[u8; HEADER]>()) {
            Header::decode(&bytes).ok();
        }
    }

    #[test]
    fn an_extent_survives_the_wire_and_stays_within_a_file() {
        let extent = Extent { offset: 7, length: 1 << 40 };
        assert_eq!(Extent::decode(&extent.encode()), Ok(extent));
        let beyond = Extent { offset: u64::MAX, length: 1 };
        assert!(Extent::decode(&beyond.encode()).is_err());
        assert!(Extent::decode(&[0; 15]).is_err());
        assert!(Extent::decode(&[0; 17]).is_err());
    }

    #[test]
    fn a_record_keeps_its_place() {
        let located = Located { file: b"/a/b.py", line: 7, record: b"text" };
        let bytes = [&*located.encode_place(), located.record].concat();
        assert_eq!(Located::decode(&bytes), Ok(located));
        assert!(Located::decode(&bytes[..9]).is_err());
    }

    #[test]
    fn an_oversized_payload_is_refused() {
        let header = Header::new(Kind::Data, 1, MAX_PAYLOAD + 1);
        assert!(Header::decode(&header.encode()).is_err());
    }
}
