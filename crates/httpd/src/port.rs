//! The port `serve` listens on.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, anyhow};

/// The port tried first.
pub const FIRST: u16 = 8000;

/// How many ports are tried when none was named.
const TRIES: u16 = 100;

/// The ports to try in order: the named one only, or the first and those after it.
pub fn candidates(named: Option<u16>) -> impl Iterator<Item = u16> {
    match named {
        Some(port) => port..=port,
        None => FIRST..=FIRST.saturating_add(TRIES),
    }
}

/// An error when somebody else has the port.
pub fn check(port: u16) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(anyhow!(
            "cannot listen on port {port} of 127.0.0.1: {error}. Name another with --port, or leave \
             --port away to get the next free one"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_noticed() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(check(port).unwrap_err().to_string().contains("--port"));
        drop(listener);
        check(port).unwrap();
    }

    #[test]
    fn a_named_port_is_the_only_candidate() {
        assert_eq!(candidates(Some(81)).collect::<Vec<_>>(), [81]);
        assert_eq!(candidates(None).next(), Some(FIRST));
    }
}
