//! Numbers as text, for the request path: no allocation, no formatting machinery.

use std::ops::Deref;

/// Longest number: `u64::MAX` in decimal.
const LONGEST: usize = 20;

/// The text of a number.
#[derive(Debug, Clone, Copy)]
pub struct Digits {
    bytes: [u8; LONGEST],
    start: usize,
}

impl Digits {
    /// In decimal.
    pub fn decimal(number: u64) -> Self {
        Self::new(number, 10)
    }

    /// In hexadecimal, lower-case.
    pub fn hexadecimal(number: u64) -> Self {
        Self::new(number, 16)
    }

    #[inline]
    fn new(mut number: u64, base: u64) -> Self {
        let mut bytes = [b'0'; LONGEST];
        let mut start = LONGEST;
        for place in bytes.iter_mut().rev() {
            let digit = u8::try_from(number % base).unwrap_or_default();
            *place = if digit < 10 { b'0' + digit } else { b'a' - 10 + digit };
            number /= base;
            start -= 1;
            if number == 0 {
                break;
            }
        }
        Self { bytes, start }
    }
}

impl Deref for Digits {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 7, 9, 10, 15, 16, 255, 1_763_700_000_000_000, u64::MAX] {
            assert_eq!(&*Digits::decimal(number), number.to_string().as_bytes());
            assert_eq!(&*Digits::hexadecimal(number), format!("{number:x}").as_bytes());
        }
    }
}
