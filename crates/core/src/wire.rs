//! Byte-level reading and writing shared by the codecs: little-endian integers and
//! length-prefixed byte strings. Reading never panics and never trusts a length.

/// The bytes do not form what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

/// Marks an absent byte string where a length would stand.
const ABSENT: u32 = u32::MAX;

/// Bytes of a number and a length.
const NUMBERED: usize = 6;

pub(crate) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// The length of a byte string, and as much of it as the length says: httpd bounds every string far
/// below 4 GiB, a longer one is cut.
fn bounded(bytes: Option<&[u8]>) -> (u32, &[u8]) {
    let Some(bytes) = bytes else { return (ABSENT, b"") };
    match u32::try_from(bytes.len()) {
        Ok(length) if length < ABSENT => (length, bytes),
        _ => (ABSENT - 1, bytes.get(..ABSENT as usize - 1).unwrap_or(bytes)),
    }
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_optional(out, Some(bytes));
}

pub(crate) fn put_optional(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let (length, bytes) = bounded(bytes);
    out.reserve(size_of::<u32>() + bytes.len());
    put_u32(out, length);
    out.extend_from_slice(bytes);
}

/// Appends a number and a byte string, most of a request head, in one piece.
pub(crate) fn put_numbered(out: &mut Vec<u8>, number: u16, bytes: Option<&[u8]>) {
    let (length, bytes) = bounded(bytes);
    let ([a, b], [c, d, e, f]) = (number.to_le_bytes(), length.to_le_bytes());
    out.reserve(NUMBERED + bytes.len());
    out.extend_from_slice(&[a, b, c, d, e, f]);
    out.extend_from_slice(bytes);
}

/// A cursor over received bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) fn malformed(&self) -> Malformed {
        Malformed(self.what)
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed(self.what))?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed(self.what))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        self.optional()?.ok_or(Malformed(self.what))
    }

    pub(crate) fn optional(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let length = self.u32()?;
        self.of_length(length)
    }

    /// A byte string whose length was read.
    #[inline]
    fn of_length(&mut self, length: u32) -> Result<Option<&'a [u8]>, Malformed> {
        match length {
            ABSENT => Ok(None),
            length => self.take(length as usize).map(Some),
        }
    }

    /// What [`put_numbered`] has written.
    #[inline]
    pub(crate) fn numbered(&mut self) -> Result<(u16, Option<&'a [u8]>), Malformed> {
        let [a, b, c, d, e, f] = self.array::<NUMBERED>()?;
        let bytes = self.of_length(u32::from_le_bytes([c, d, e, f]))?;
        Ok((u16::from_le_bytes([a, b]), bytes))
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
