//! One datagram: a header and fields. What does not fit any more is left out.

use crate::wire;

/// Longest datagram.
pub const LONGEST: usize = 8192;

/// Longest text of a field; what is beyond is cut off.
const LONGEST_TEXT: usize = 1024;

/// What a datagram is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// What was counted in an interval.
    Tick = 2,
    /// A request that takes or took long.
    Slow = 4,
    /// The process has begun.
    Started = 5,
    /// It is about to end.
    Stopping = 6,
    /// It ends.
    Stopped = 7,
    /// The state of an interpreter's garbage collector.
    Collector = 8,
    /// One of its collections.
    Collection = 9,
}

/// A datagram being made.
#[derive(Debug, Clone)]
pub struct Datagram(Vec<u8>);

impl Datagram {
    /// A datagram of process `pid`, the `seq`-th of it; `stamp` is seconds since the epoch.
    pub fn new(kind: Kind, pid: u32, seq: u32, stamp: f64) -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(b"WSGI");
        bytes.extend_from_slice(&[1, kind as u8]);
        // Flags, of which there are none.
        wire::put_u16(&mut bytes, 0);
        wire::put_u32(&mut bytes, pid);
        wire::put_u32(&mut bytes, seq);
        bytes.extend_from_slice(&stamp.to_le_bytes());
        Self(bytes)
    }

    /// Adds a number.
    pub fn count(&mut self, id: u16, value: u64) {
        self.field(id, 1, None, &value.to_le_bytes());
    }

    /// Adds a number with a fraction.
    pub fn float(&mut self, id: u16, value: f64) {
        self.field(id, 2, None, &value.to_le_bytes());
    }

    /// Adds a text, unless it is empty.
    pub fn text(&mut self, id: u16, text: &str) {
        let text = text.get(..text.floor_char_boundary(LONGEST_TEXT)).unwrap_or_default();
        if !text.is_empty() {
            self.field(id, 4, Some(text.len()), text.as_bytes());
        }
    }

    /// Adds an array of numbers; one that is too large for the format is its largest.
    pub fn counts(&mut self, id: u16, values: impl ExactSizeIterator<Item = u64>) {
        let length = values.len();
        let number = |value| i32::try_from(value).unwrap_or(i32::MAX).to_le_bytes();
        let bytes: Vec<u8> = values.flat_map(number).collect();
        self.field(id, 5, Some(length), &bytes);
    }

    /// Adds an array of numbers with fractions.
    pub fn floats(&mut self, id: u16, values: impl ExactSizeIterator<Item = f64>) {
        let length = values.len();
        let bytes: Vec<u8> = values.flat_map(f64::to_le_bytes).collect();
        self.field(id, 6, Some(length), &bytes);
    }

    /// `length` is that of a text in bytes or of an array in elements.
    fn field(&mut self, id: u16, class: u8, length: Option<usize>, value: &[u8]) {
        let before = self.0.len();
        wire::put_u16(&mut self.0, id);
        self.0.push(class);
        if let Some(length) = length {
            // No length beyond the type's fits a datagram.
            wire::put_u16(&mut self.0, u16::try_from(length).unwrap_or(u16::MAX));
        }
        self.0.extend_from_slice(value);
        if self.0.len() > LONGEST {
            self.0.truncate(before);
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut datagram = Datagram::new(Kind::Slow, 0x0102, 3, 1.5);
        datagram.count(20, 5);
        datagram.float(21, -2.0);
        datagram.text(1, "\u{e4}");
        datagram.text(2, "");
        datagram.counts(90, [7, u64::MAX].into_iter());
        datagram.floats(111, [0.5].into_iter());
        let mut expected = b"WSGI\x01\x04\0\0\x02\x01\0\0\x03\0\0\0".to_vec();
        expected.extend_from_slice(&1.5f64.to_le_bytes());
        expected.extend_from_slice(&[20, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend_from_slice(&[21, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xc0]);
        expected.extend_from_slice(&[1, 0, 4, 2, 0, 0xc3, 0xa4]);
        expected.extend_from_slice(&[90, 0, 5, 2, 0, 7, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]);
        expected.extend_from_slice(&[111, 0, 6, 1, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f]);
        assert_eq!(datagram.bytes(), expected);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut datagram = Datagram::new(Kind::Slow, 0, 0, 0.0);
        let header = datagram.bytes().len();
        datagram.text(1, &"\u{20ac}".repeat(1000));
        assert_eq!(datagram.bytes().len(), header + 5 + LONGEST_TEXT / 3 * 3);
    }

    proptest! {
        #[test]
        fn whatever_is_added_it_stays_a_datagram(
            fields in proptest::collection::vec((0u8..5, 0usize..3000), 0..60),
        ) {
            let mut datagram = Datagram::new(Kind::Tick, 0, 0, 0.0);
            for (class, length) in fields {
                match class {
                    0 => datagram.count(1, 1),
                    1 => datagram.float(2, 1.0),
                    2 => datagram.text(3, &"x".repeat(length)),
                    3 => datagram.counts(4, (0..length).map(|_| 1).collect::<Vec<_>>().into_iter()),
                    _ => datagram.floats(5, (0..length).map(|_| 1.0).collect::<Vec<_>>().into_iter()),
                }
                prop_assert!(datagram.bytes().len() <= LONGEST);
            }
        }
    }
}
