//! What the headers of trusted proxies change about a request: WSGITrustedProxyHeaders and
//! WSGITrustedProxies. Reading the two directives is the matter of `directives::proxies`.
//!
//! Invariant: of the headers that mean the same as one that is configured, the application sees
//! the one that was believed and no other. Names are never resolved.

use std::borrow::Cow;
use std::ffi::CStr;
use std::net::IpAddr;

use crate::directives::TrustedNetwork;

/// What a header stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The addresses of the client and of the proxies on the way: `REMOTE_ADDR`.
    ClientList,
    /// The address of the client: `REMOTE_ADDR`.
    Client,
    /// The host that was asked for: `HTTP_HOST`.
    Host,
    /// The name of the server: `SERVER_NAME`.
    Server,
    /// The port that was asked: `SERVER_PORT`.
    Port,
    /// Where the application is mounted: `SCRIPT_NAME`.
    ScriptName,
    /// `http` or `https`.
    Scheme,
    /// Whether the scheme is `https`.
    SchemeFlag,
}

impl Meaning {
    /// Whether one header of the two is to be believed at most.
    fn competes_with(self, other: Self) -> bool {
        let both = |one: Self, another: Self| {
            [self, other].into_iter().all(|meaning| meaning == one || meaning == another)
        };
        self == other
            || both(Self::ClientList, Self::Client)
            || both(Self::Scheme, Self::SchemeFlag)
    }
}

/// A header that proxies are known to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Its key in environs.
    pub key: &'static CStr,
    /// What it stands for.
    pub meaning: Meaning,
}

/// Every header that can be trusted.
pub static HEADERS: [ProxyHeader; 15] = {
    use Meaning::{Client, ClientList, Host, Port, Scheme, SchemeFlag, ScriptName, Server};
    const fn header(key: &'static CStr, meaning: Meaning) -> ProxyHeader {
        ProxyHeader { key, meaning }
    }
    [
        header(c"HTTP_X_FORWARDED_FOR", ClientList),
        header(c"HTTP_X_CLIENT_IP", Client),
        header(c"HTTP_X_REAL_IP", Client),
        header(c"HTTP_X_FORWARDED_HOST", Host),
        header(c"HTTP_X_HOST", Host),
        header(c"HTTP_X_FORWARDED_SERVER", Server),
        header(c"HTTP_X_FORWARDED_PORT", Port),
        header(c"HTTP_X_SCRIPT_NAME", ScriptName),
        header(c"HTTP_X_FORWARDED_SCRIPT_NAME", ScriptName),
        header(c"HTTP_X_FORWARDED_PROTO", Scheme),
        header(c"HTTP_X_FORWARDED_SCHEME", Scheme),
        header(c"HTTP_X_SCHEME", Scheme),
        header(c"HTTP_X_FORWARDED_HTTPS", SchemeFlag),
        header(c"HTTP_X_FORWARDED_SSL", SchemeFlag),
        header(c"HTTP_X_HTTPS", SchemeFlag),
    ]
};

/// What is configured for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust<'a> {
    /// WSGITrustedProxyHeaders; the last of those that compete counts.
    pub headers: &'a [&'static ProxyHeader],
    /// WSGITrustedProxies; None trusts every peer.
    pub proxies: Option<&'a [TrustedNetwork]>,
}

/// What changes in the environ of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded<'v> {
    /// `REMOTE_ADDR`.
    pub remote_addr: Option<&'v [u8]>,
    /// `HTTP_X_FORWARDED_FOR`, without what nobody vouches for.
    pub forwarded_for: Option<Cow<'v, [u8]>>,
    /// `HTTP_HOST`.
    pub host: Option<&'v [u8]>,
    /// `SERVER_NAME`.
    pub server_name: Option<&'v [u8]>,
    /// `SERVER_PORT`.
    pub server_port: Option<&'v [u8]>,
    /// `SCRIPT_NAME` and `mod_wsgi.mount_point`.
    pub script_name: Option<&'v [u8]>,
    /// The scheme, whatever the connection says.
    pub is_https: Option<bool>,
    /// The headers that the application does not see.
    hidden: Vec<&'static CStr>,
}

impl<'v> Forwarded<'v> {
    /// What the headers of a request from `peer` change; `value` gives the value of a header.
    pub fn of(
        trust: Trust<'_>,
        peer: &[u8],
        value: impl Fn(&'static CStr) -> Option<&'v [u8]>,
    ) -> Self {
        let mut changes = Self::default();
        let mut kept: Vec<&'static ProxyHeader> = Vec::new();
        if trust.proxies.is_none_or(|proxies| is_trusted(peer, proxies)) {
            for header in trust.headers.iter().copied() {
                let Some(value) = value(header.key) else { continue };
                changes.apply(header.meaning, value, trust.proxies);
                kept.retain(|other| !other.meaning.competes_with(header.meaning));
                kept.push(header);
            }
        }
        let competes = |header: &ProxyHeader| {
            trust.headers.iter().any(|listed| listed.meaning.competes_with(header.meaning))
        };
        let hidden = HEADERS.iter().filter(|header| competes(header) && !kept.contains(header));
        changes.hidden.extend(hidden.map(|header| header.key));
        changes
    }

    /// Whether the application does not see this environ entry.
    pub fn hides(&self, key: &[u8]) -> bool {
        key.starts_with(b"HTTP_X_") && self.hidden.iter().any(|hidden| hidden.to_bytes() == key)
    }

    fn apply(&mut self, meaning: Meaning, value: &'v [u8], proxies: Option<&[TrustedNetwork]>) {
        match meaning {
            Meaning::ClientList => self.take_list(value, proxies),
            Meaning::Client => (self.remote_addr, self.forwarded_for) = (Some(value), None),
            Meaning::Host => self.host = Some(value),
            Meaning::Server => self.server_name = Some(value),
            Meaning::Port => self.server_port = Some(value),
            Meaning::ScriptName => self.script_name = Some(value),
            Meaning::Scheme => {
                self.is_https = choice(value, [&["https"], &["http"]]).or(self.is_https);
            }
            Meaning::SchemeFlag => {
                let words: [&[&str]; 2] = [&["on", "true", "1"], &["off", "false", "0"]];
                self.is_https = choice(value, words).or(self.is_https);
            }
        }
    }

    /// X-Forwarded-For: every proxy has added at the end whom it was asked by.
    fn take_list(&mut self, value: &'v [u8], proxies: Option<&[TrustedNetwork]>) {
        let elements: Vec<&[u8]> = elements(value).collect();
        let Some(proxies) = proxies else {
            self.remote_addr = elements.first().copied().or(self.remote_addr);
            return;
        };
        // Who is named by the leftmost of our own proxies, which has seen him.
        let trusted = elements.iter().rev().take_while(|one| is_trusted(one, proxies)).count();
        let known = (trusted + 1).min(elements.len());
        let Some(vouched) = elements.get(elements.len() - known..) else { return };
        let Some(client) = vouched.first() else { return };
        self.remote_addr = Some(client);
        self.forwarded_for = Some(match vouched {
            [only] => Cow::Borrowed(*only),
            all => Cow::Owned(all.join(&b", "[..])),
        });
    }
}

/// The elements of a list header that are not empty.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|one| !one.is_empty())
}

/// True for one of the first words, false for one of the second, whatever the case of letters.
fn choice(value: &[u8], [yes, no]: [&[&str]; 2]) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|w| value.eq_ignore_ascii_case(w.as_bytes()));
    if is_one_of(yes) { Some(true) } else { is_one_of(no).then_some(false) }
}

/// Whether a text is an address of these networks; names are not looked up.
fn is_trusted(address: &[u8], proxies: &[TrustedNetwork]) -> bool {
    let address = std::str::from_utf8(address).ok().and_then(|text| {
        // httpd names the zone of a link-local peer.
        let of_zone = || text.split_once('%')?.0.parse().ok().map(IpAddr::V6);
        text.parse().ok().or_else(of_zone)
    });
    address.is_some_and(|address| proxies.iter().any(|network| network.contains(address)))
}

#[cfg(test)]
mod tests;
