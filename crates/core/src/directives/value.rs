//! Reading single values strictly: a number is digits and nothing else, and fits.

use std::ops::RangeInclusive;

/// How much of a bad value an error text repeats.
const SHOWN: usize = 200;

/// `On` or `Off` in any case.
pub(crate) fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("on") {
        Some(true)
    } else if text.eq_ignore_ascii_case("off") {
        Some(false)
    } else {
        None
    }
}

/// A whole number in decimal digits with an optional minus, within `range`.
pub(crate) fn integer(text: &str, range: RangeInclusive<i64>) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| range.contains(number))
}

/// A user or group id in decimal digits. The largest number means "no change" to the system
/// calls that would take it, so it is none.
pub(crate) fn id(text: &str) -> Option<u32> {
    let number = integer(text, 0..=i64::from(u32::MAX - 1))?;
    u32::try_from(number).ok()
}

/// A decimal number such as `0.005`, `5` or `5e-3`: no `inf`, no `nan`.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
    if !text.bytes().all(is_plain) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A value as an error text shows it: quoted, short, without control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    let escaped: String = short
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect();
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn flags_are_on_and_off() {
        for text in ["On", "on", "ON"] {
            assert_eq!(flag(text), Some(true));
        }
        for text in ["Off", "off", "oFF"] {
            assert_eq!(flag(text), Some(false));
        }
        for text in ["", "1", "yes", "true", " on", "on "] {
            assert_eq!(flag(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_strict() {
        assert_eq!(integer("0", 0..=9), Some(0));
        assert_eq!(integer("007", 0..=9), Some(7));
        assert_eq!(integer("-5", -9..=9), Some(-5));
        for text in ["", "-", "+1", "1x", " 1", "1 ", "0x1", "1.0", "10", "-1", "٣"] {
            assert_eq!(integer(text, 0..=9), None, "{text}");
        }
        assert_eq!(integer("99999999999999999999", 0..=i64::MAX), None);
        assert_eq!(id("4294967294"), Some(u32::MAX - 1));
        assert_eq!(id("4294967295"), None);
    }

    #[test]
    fn decimals_are_numbers() {
        assert_eq!(decimal("0.005"), Some(0.005));
        assert_eq!(decimal("5"), Some(5.0));
        assert_eq!(decimal(".5"), Some(0.5));
        assert_eq!(decimal("5e-3"), Some(0.005));
        assert_eq!(decimal("-1"), Some(-1.0));
        for text in ["", ".", "e5", "1s", "inf", "nan", "1.2.3", "0x1", " 1", "1e999"] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(decimal(&"9".repeat(400)), None);
    }

    #[test]
    fn bad_values_cannot_write_to_the_terminal() {
        assert_eq!(shown("a\x1b[2J\nb"), r"'a\u{1b}[2J\nb'");
        assert!(shown(&"ä".repeat(1000)).chars().count() < 210);
    }

    proptest! {
        #[test]
        fn every_number_in_range_is_read(number: i64) {
            prop_assert_eq!(integer(&number.to_string(), i64::MIN..=i64::MAX), Some(number));
        }
    }
}
