//! Tests of what the headers of trusted proxies change, with the rules as properties.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The networks of our proxies.
fn networks() -> Vec<TrustedNetwork> {
    let network = |(address, prefix): (&str, u8)| TrustedNetwork {
        address: address.parse().unwrap(),
        prefix,
    };
    [("10.0.0.0", 8), ("2001:db8::", 32)].map(network).to_vec()
}

/// A request with headers, as environ keys.
struct Sent(BTreeMap<&'static CStr, Vec<u8>>);

impl Sent {
    fn of(headers: &[(&'static CStr, &[u8])]) -> Self {
        Self(headers.iter().map(|(key, value)| (*key, value.to_vec())).collect())
    }

    fn forwarded(&self, listed: &[&CStr], are_named: bool, peer: &str) -> Forwarded<'_> {
        let headers: Vec<_> = listed.iter().map(|key| header(key)).collect();
        let proxies = are_named.then(networks);
        let trust = Trust { headers: &headers, proxies: proxies.as_deref() };
        Forwarded::of(trust, peer.as_bytes(), |key| self.0.get(key).map(Vec::as_slice))
    }
}

fn header(key: &CStr) -> &'static ProxyHeader {
    HEADERS.iter().find(|header| header.key == key).unwrap()
}

const FOR: &CStr = c"HTTP_X_FORWARDED_FOR";

/// A list, `REMOTE_ADDR` and the new list where proxies are named, `REMOTE_ADDR` where not.
type ListCase = (&'static str, Option<(&'static str, &'static str)>, Option<&'static str>);

#[test]
fn the_list_of_clients_is_read_from_the_right() {
    let cases: [ListCase; 14] = [
        ("1.1.1.1", Some(("1.1.1.1", "1.1.1.1")), Some("1.1.1.1")),
        ("9.9.9.9, 1.1.1.1", Some(("1.1.1.1", "1.1.1.1")), Some("9.9.9.9")),
        ("9.9.9.9, 1.1.1.1, 10.0.0.1", Some(("1.1.1.1", "1.1.1.1, 10.0.0.1")), Some("9.9.9.9")),
        (
            "9.9.9.9,1.1.1.1 ,10.0.0.1,\t10.0.0.2",
            Some(("1.1.1.1", "1.1.1.1, 10.0.0.1, 10.0.0.2")),
            Some("9.9.9.9"),
        ),
        ("10.0.0.1", Some(("10.0.0.1", "10.0.0.1")), Some("10.0.0.1")),
        ("10.0.0.2, 10.0.0.1", Some(("10.0.0.2", "10.0.0.2, 10.0.0.1")), Some("10.0.0.2")),
        // An untrusted one between trusted ones ends the walk.
        ("10.0.0.3, 1.1.1.1, 10.0.0.1", Some(("1.1.1.1", "1.1.1.1, 10.0.0.1")), Some("10.0.0.3")),
        // Names are not looked up, and ports make no address.
        ("9.9.9.9, localhost", Some(("localhost", "localhost")), Some("9.9.9.9")),
        ("unknown, 10.0.0.1", Some(("unknown", "unknown, 10.0.0.1")), Some("unknown")),
        ("1.1.1.1, 10.0.0.1:80", Some(("10.0.0.1:80", "10.0.0.1:80")), Some("1.1.1.1")),
        ("1.1.1.1, 2001:DB8::1", Some(("1.1.1.1", "1.1.1.1, 2001:DB8::1")), Some("1.1.1.1")),
        (
            "1.1.1.1, ::ffff:10.0.0.1",
            Some(("1.1.1.1", "1.1.1.1, ::ffff:10.0.0.1")),
            Some("1.1.1.1"),
        ),
        (", ,1.1.1.1,,", Some(("1.1.1.1", "1.1.1.1")), Some("1.1.1.1")),
        (" , ", None, None),
    ];
    for (value, with_proxies, without) in cases {
        let sent = Sent::of(&[(FOR, value.as_bytes())]);
        let found = sent.forwarded(&[FOR], true, "10.0.0.9");
        assert_eq!(found.remote_addr, with_proxies.map(|(addr, _)| addr.as_bytes()), "{value}");
        let list = with_proxies.map(|(_, list)| list.as_bytes());
        assert_eq!(found.forwarded_for.as_deref(), list, "{value}");
        assert!(!found.hides(FOR.to_bytes()), "{value}");
        let found = sent.forwarded(&[FOR], false, "anything");
        assert_eq!(found.remote_addr, without.map(str::as_bytes), "{value}");
        assert_eq!(found.forwarded_for, None, "{value}");
    }
}

#[test]
fn only_trusted_peers_are_believed() {
    let sent = Sent::of(&[(FOR, b"1.1.1.1"), (c"HTTP_X_REAL_IP", b"2.2.2.2")]);
    for peer in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1%eth0"] {
        let found = sent.forwarded(&[FOR], true, peer);
        assert_eq!(found.remote_addr, Some(&b"1.1.1.1"[..]), "{peer}");
    }
    for peer in ["11.0.0.1", "2001:db9::1", "", "localhost", "10.0.0.1:80", "10.0.0.1%x"] {
        let found = sent.forwarded(&[FOR], true, peer);
        let nothing = Forwarded { hidden: found.hidden.clone(), ..Forwarded::default() };
        assert_eq!(found, nothing, "{peer}");
        for key in ["HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP"] {
            assert!(found.hides(key.as_bytes()), "{peer}: {key}");
        }
    }
}

#[test]
fn the_last_listed_of_a_kind_counts_and_hides_the_others() {
    let sent = Sent::of(&[(FOR, b"1.1.1.1"), (c"HTTP_X_REAL_IP", b"2.2.2.2")]);
    let found = sent.forwarded(&[FOR, c"HTTP_X_REAL_IP"], true, "10.0.0.1");
    assert_eq!(found.remote_addr, Some(&b"2.2.2.2"[..]));
    assert_eq!(found.forwarded_for, None);
    assert!(found.hides(FOR.to_bytes()) && !found.hides(b"HTTP_X_REAL_IP"));
    let found = sent.forwarded(&[c"HTTP_X_REAL_IP", FOR], true, "10.0.0.1");
    assert_eq!(found.remote_addr, Some(&b"1.1.1.1"[..]));
    assert!(!found.hides(FOR.to_bytes()) && found.hides(b"HTTP_X_REAL_IP"));
    // Listed and not sent: nothing to believe, and synonyms are hidden all the same.
    let found = sent.forwarded(&[c"HTTP_X_CLIENT_IP"], false, "");
    assert_eq!(found.remote_addr, None);
    assert!(found.hides(FOR.to_bytes()) && found.hides(b"HTTP_X_REAL_IP"));
    assert!(!found.hides(b"HTTP_X_FORWARDED_HOST") && !found.hides(b"HTTP_HOST"));
}

#[test]
fn schemes_are_words_or_flags() {
    let scheme = [("https", Some(true)), ("HTTP", Some(false)), ("on", None), ("", None)];
    let flag = [("On", Some(true)), ("TRUE", Some(true)), ("1", Some(true)), ("https", None)];
    let off = [("off", Some(false)), ("False", Some(false)), ("0", Some(false)), ("2", None)];
    for (key, cases) in [
        (c"HTTP_X_FORWARDED_PROTO", scheme),
        (c"HTTP_X_SCHEME", scheme),
        (c"HTTP_X_FORWARDED_HTTPS", flag),
        (c"HTTP_X_HTTPS", off),
    ] {
        for (value, expected) in cases {
            let sent = Sent::of(&[(key, value.as_bytes())]);
            assert_eq!(sent.forwarded(&[key], false, "").is_https, expected, "{key:?}: {value}");
        }
    }
}

#[test]
fn the_other_headers_replace_what_they_name() {
    let values: [(&CStr, &[u8]); 4] = [
        (c"HTTP_X_FORWARDED_HOST", b"a.test, b.test"),
        (c"HTTP_X_FORWARDED_SERVER", b"srv"),
        (c"HTTP_X_FORWARDED_PORT", b"8443"),
        (c"HTTP_X_SCRIPT_NAME", b"/mounted"),
    ];
    let keys = values.map(|(key, _)| key);
    let sent = Sent::of(&values);
    let found = sent.forwarded(&keys, false, "");
    let all = [found.host, found.server_name, found.server_port, found.script_name];
    assert_eq!(all, values.map(|(_, value)| Some(value)));
}

/// An element that is trusted, untrusted or no address.
fn element() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["10.1.1.1", "2001:db8::5", "1.1.1.1", "::1", "junk", "", " "])
}

proptest! {
    #[test]
    fn what_nobody_vouches_for_is_never_believed(
        list in proptest::collection::vec(element(), 0..8),
    ) {
        let text = list.join(",");
        let sent = Sent::of(&[(FOR, text.as_bytes())]);
        let found = sent.forwarded(&[FOR], true, "10.0.0.1");
        let networks = networks();
        let given: Vec<&str> =
            list.iter().map(|one| one.trim()).filter(|one| !one.is_empty()).collect();
        let Some(kept) = &found.forwarded_for else {
            prop_assert!(given.is_empty() && found.remote_addr.is_none());
            return Ok(());
        };
        let kept: Vec<&str> = std::str::from_utf8(kept).unwrap().split(", ").collect();
        // The end of what was sent, and all but its first element are proxies of ours.
        prop_assert!(given.ends_with(&kept));
        prop_assert_eq!(found.remote_addr, Some(kept[0].as_bytes()));
        prop_assert!(kept[1..].iter().all(|one| is_trusted(one.as_bytes(), &networks)));
        // Nothing more could have been believed.
        let is_whole = kept.len() == given.len();
        prop_assert!(is_whole || !is_trusted(kept[0].as_bytes(), &networks));
    }

    #[test]
    fn a_header_is_kept_or_hidden_with_its_synonyms(
        listed in proptest::collection::vec(0..HEADERS.len(), 0..6),
        sent in proptest::collection::vec(0..HEADERS.len(), 0..15),
        peer in proptest::sample::select(vec!["10.0.0.1", "1.1.1.1", "x"]),
    ) {
        let values: Vec<(&CStr, &[u8])> =
            sent.iter().map(|at| (HEADERS[*at].key, &b"on"[..])).collect();
        let sent = Sent::of(&values);
        let keys: Vec<&CStr> = listed.iter().map(|at| HEADERS[*at].key).collect();
        let found = sent.forwarded(&keys, true, peer);
        for header in &HEADERS {
            let rivals = |key: &&CStr| self::header(key).meaning.competes_with(header.meaning);
            let is_concerned = keys.iter().any(rivals);
            let last = keys.iter().rev().filter(|key| rivals(key)).find(|key| sent.0.contains_key(**key));
            let is_kept = peer == "10.0.0.1" && last == Some(&header.key);
            prop_assert_eq!(found.hides(header.key.to_bytes()), is_concerned && !is_kept);
        }
    }

    #[test]
    fn no_value_panics(value in proptest::collection::vec(any::<u8>(), 0..60), at in 0..HEADERS.len()) {
        let key = HEADERS[at].key;
        let sent = Sent::of(&[(key, &value)]);
        for are_named in [false, true] {
            sent.forwarded(&[key], are_named, "10.0.0.1");
        }
    }
}
