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

/// A plain decimal number such as `0.005` or `5`: no exponent, no sign, no `inf`.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    if !plain || !has_digit {
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
