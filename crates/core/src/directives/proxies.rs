//! WSGITrustedProxyHeaders and WSGITrustedProxies. Several lines of one scope add up.

use std::net::IpAddr;

use super::line::Line;
use super::scoped::TrustedNetwork;
use super::site::{ConfigError, Notice};
use super::value::{integer, shown};
use crate::forwarded::HEADERS;

/// WSGITrustedProxyHeaders name [name...]. A name that cannot be a header is refused: the
/// original crashes on it at request time.
pub(crate) fn headers(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for name in line.take_all()? {
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !is_name {
            return Err(ConfigError(format!(
                "WSGITrustedProxyHeaders: {} is not a header name, expected letters, digits and '-'",
                shown(&name)
            )));
        }
        let key = format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_"));
        match HEADERS.iter().find(|header| header.key.to_bytes() == key.as_bytes()) {
            Some(header) => known.push(header),
            None => unknown.push(shown(&name)),
        }
    }
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        line.warn(Notice::warning(
            1040,
            format!("WSGITrustedProxyHeaders: nothing is known that {unknown} could replace"),
        ));
    }
    line.scoped().trusted_proxy_headers.get_or_insert_default().extend(known);
    Ok(())
}

/// WSGITrustedProxies addr[/mask] [...].
pub(crate) fn networks(line: &mut Line<'_>) -> Result<(), ConfigError> {
    let mut networks = Vec::new();
    for text in line.take_all()? {
        let network = network(&text).map_err(|why| {
            ConfigError(format!(
                "Unable to parse trusted proxy IP address/subnet of \"{}\". {why}",
                text.escape_debug()
            ))
        })?;
        networks.push(network);
    }
    line.scoped().trusted_proxies.get_or_insert_default().extend(networks);
    Ok(())
}

/// An address, a CIDR, or an address with a netmask.
fn network(text: &str) -> Result<TrustedNetwork, &'static str> {
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    };
    if let (Some(network), None) = (partial(address), mask) {
        return Ok(network);
    }
    let address: IpAddr =
        address.parse().map_err(|_| "An IPv4 or IPv6 address is expected, host names are not")?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match mask {
        None => bits,
        Some(mask) => prefix(mask, address, bits).ok_or("The network mask is invalid")?,
    };
    Ok(canonical(TrustedNetwork { address: first_address(address, prefix), prefix }))
}

/// IPv4 addresses written as IPv6 ones (`::ffff:10.0.0.0/104`) are IPv4 addresses.
fn canonical(network: TrustedNetwork) -> TrustedNetwork {
    match (network.address.to_canonical(), network.prefix.checked_sub(96)) {
        (address @ IpAddr::V4(_), Some(prefix)) if network.address.is_ipv6() => {
            TrustedNetwork { address, prefix }
        }
        _ => network,
    }
}

/// The first one to three numbers of an IPv4 address, as in `10.` or `192.168`.
fn partial(text: &str) -> Option<TrustedNetwork> {
    let numbers: Vec<&str> = text.strip_suffix('.').unwrap_or(text).split('.').collect();
    if numbers.len() > 3 {
        return None;
    }
    let mut octets = [0u8; 4];
    for (octet, number) in octets.iter_mut().zip(&numbers) {
        *octet = u8::try_from(integer(number, 0..=255)?).ok()?;
    }
    let prefix = u8::try_from(numbers.len() * 8).ok()?;
    Some(TrustedNetwork { address: IpAddr::from(octets), prefix })
}

/// The length of a mask given as a number of bits or as an address.
fn prefix(mask: &str, address: IpAddr, bits: u8) -> Option<u8> {
    if let Some(number) = integer(mask, 0..=i64::from(bits)) {
        return u8::try_from(number).ok();
    }
    let (ones, zeros) = match (mask.parse().ok()?, address) {
        (IpAddr::V4(mask), IpAddr::V4(_)) => {
            (mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros())
        }
        (IpAddr::V6(mask), IpAddr::V6(_)) => {
            (mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros())
        }
        _ => return None,
    };
    // Ones, then zeros, nothing else.
    (ones + zeros == u32::from(bits)).then(|| u8::try_from(ones).ok()).flatten()
}

/// The address with the bits outside of the prefix cleared.
fn first_address(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

impl TrustedNetwork {
    /// Whether an address belongs to the network, in one of the ways it can be written.
    pub fn contains(&self, address: IpAddr) -> bool {
        let holds = |address: IpAddr| {
            self.address.is_ipv4() == address.is_ipv4()
                && first_address(address, self.prefix) == self.address
        };
        holds(address.to_canonical()) || holds(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_three_forms() {
        let cases = [
            ("10.1.2.3", "10.1.2.3", 32),
            ("10.1.2.3/8", "10.0.0.0", 8),
            ("10.1.2.3/255.255.0.0", "10.1.0.0", 16),
            ("10.1.2.3/0", "0.0.0.0", 0),
            ("10.1.2.3/0.0.0.0", "0.0.0.0", 0),
            ("10", "10.0.0.0", 8),
            ("10.1.", "10.1.0.0", 16),
            ("10.1.2", "10.1.2.0", 24),
            ("::1", "::1", 128),
            ("2001:DB8::1/32", "2001:db8::", 32),
            ("2001:db8::1/ffff::", "2001::", 16),
            ("::1/0", "::", 0),
            ("::ffff:10.1.2.3", "10.1.2.3", 32),
            ("::ffff:10.1.2.3/104", "10.0.0.0", 8),
            ("::ffff:10.1.2.3/95", "::fffe:0:0", 95),
        ];
        for (text, address, prefix) in cases {
            let expected = TrustedNetwork { address: address.parse().unwrap(), prefix };
            assert_eq!(network(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            ".",
            "localhost",
            "300.",
            "10..1",
            "1.2.3.4.5",
            "10.1/16",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/x",
            "/8",
        ] {
            assert!(network(text).is_err(), "{text}");
        }
        for text in ["10.0.0.0/255.0.255.0", "10.0.0.0/ffff::", "::/255.0.0.0", "10.0.0.0/-1"] {
            assert!(network(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_contain_their_addresses() {
        let contains =
            |text: &str, address: &str| network(text).unwrap().contains(address.parse().unwrap());
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("0.0.0.0/0", "11.0.0.1"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8:1::"));
        assert!(!contains("2001:db8::/32", "2001:db9::"));
        assert!(contains("::1", "::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(!contains("10.0.0.0/8", "::10.1.2.3"));
        assert!(contains("::/0", "::ffff:10.1.2.3"));
    }
}
