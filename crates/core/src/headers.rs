//! The headers of a response, in one block of memory: applications send a dozen of them.

use std::borrow::Cow;

use crate::wire::{self, Malformed, Reader};

/// Bytes that most responses' headers fit in.
const USUAL: usize = 256;

/// Headers in the application's order; names may repeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    /// Name and value of each, behind their lengths, as on the wire.
    bytes: Cow<'a, [u8]>,
}

impl<'a> Headers<'a> {
    /// Adds a header behind the others.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let bytes = self.bytes.to_mut();
        if bytes.is_empty() {
            bytes.reserve(USUAL);
        }
        wire::put_bytes(bytes, name);
        wire::put_bytes(bytes, value);
    }

    /// Names and values.
    pub fn iter(&self) -> Iter<'_> {
        Iter(Reader::new(&self.bytes, "headers"))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Removes the headers that `keep`, called with each in order, does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let positions = self.iter().enumerate();
        let unwanted: Vec<usize> = positions
            .filter(|(_, (name, value))| !keep(name, value))
            .map(|(position, _)| position)
            .collect();
        if !unwanted.is_empty() {
            let wanted = |(position, header)| (!unwanted.contains(&position)).then_some(header);
            *self = self.iter().enumerate().filter_map(wanted).collect();
        }
    }

    /// The same headers, which borrow nothing.
    pub(crate) fn into_owned(self) -> Headers<'static> {
        Headers { bytes: Cow::Owned(self.bytes.into_owned()) }
    }

    /// The bytes for the wire.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Headers that arrived; their bytes are checked here, so that [`Self::iter`] finds them all.
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "headers");
        while !reader.is_empty() {
            read(&mut reader)?;
        }
        Ok(Self { bytes: Cow::Borrowed(bytes) })
    }
}

fn read<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    Ok((reader.bytes()?, reader.bytes()?))
}

/// Iterator over names and values.
#[derive(Debug, Clone)]
pub struct Iter<'a>(Reader<'a>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() { None } else { read(&mut self.0).ok() }
    }
}

impl<'a> IntoIterator for &'a Headers<'_> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers<'_> {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.push(name.as_ref(), value.as_ref());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_are_kept() {
        let pairs = [("A", "1"), ("B", ""), ("A", "2")];
        let mut headers = Headers::from_iter(pairs);
        let expected = pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        assert!(headers.iter().eq(expected));
        headers.retain(|name, value| name != b"A" || value == b"2");
        assert_eq!(headers, Headers::from_iter([("B", ""), ("A", "2")]));
        headers.retain(|_, _| false);
        assert!(headers.is_empty() && headers == Headers::default());
    }
}
