//! Numbers as text and back, for the request path: no allocation, no formatting machinery.

use std::ops::Deref;

/// Longest number: `u64::MAX` in decimal.
const LONGEST: usize = 20;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The text of a number.
#[derive(Debug, Clone, Copy)]
pub struct Digits {
    bytes: [u8; LONGEST],
    start: usize,
}

impl Digits {
    /// In decimal.
    pub fn decimal(number: u64) -> Self {
        Self::new::<10>(number)
    }

    /// In hexadecimal, lower-case.
    pub fn hexadecimal(number: u64) -> Self {
        Self::new::<16>(number)
    }

    fn new<const BASE: u64>(mut number: u64) -> Self {
        let mut bytes = [0; LONGEST];
        let mut start = LONGEST;
        for place in bytes.iter_mut().rev() {
            let digit = usize::try_from(number % BASE).unwrap_or_default();
            *place = DIGITS.get(digit).copied().unwrap_or_default();
            number /= BASE;
            start -= 1;
            if number == 0 {
                break;
            }
        }
        Self { bytes, start }
    }
}

/// The number that decimal digits mean; `None` where there is none, something else, or more than
/// `i64` holds, as httpd counts bytes.
pub fn parse(text: &[u8]) -> Option<u64> {
    let digits = text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    });
    digits.filter(|number| !text.is_empty() && i64::try_from(*number).is_ok())
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
    fn numbers_are_read_as_httpd_counts_bytes() {
        assert_eq!(parse(b"0"), Some(0));
        assert_eq!(parse(b"0012"), Some(12));
        assert_eq!(parse(b"9223372036854775807"), Some(9_223_372_036_854_775_807));
        let bad =
            ["", "-1", "+1", " 1", "1.0", "0x1", "9223372036854775808", "99999999999999999999"];
        for text in bad {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 7, 9, 10, 15, 16, 255, 1_763_700_000_000_000, u64::MAX] {
            assert_eq!(&*Digits::decimal(number), number.to_string().as_bytes());
            assert_eq!(&*Digits::hexadecimal(number), format!("{number:x}").as_bytes());
        }
    }
}
