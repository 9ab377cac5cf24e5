//! Whether the server can have its ports.

use std::io::ErrorKind;
use std::net::TcpListener;

use anyhow::{Result, bail};

/// An error when a port cannot be had, with the option that names another one.
pub(super) fn check(host: Option<&str>, port: u16, option: &str) -> Result<()> {
    let error = match TcpListener::bind((host.unwrap_or("0.0.0.0"), port)) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::AddrInUse => bail!(
            "port {port} is in use: stop what listens there, or name another port with {option}"
        ),
        ErrorKind::PermissionDenied => bail!(
            "no permission for port {port}: ports below 1024 are root's; name another with {option}"
        ),
        _ => bail!(
            "cannot listen on port {port} of {}: {error}; see --host and {option}",
            host.unwrap_or("this machine")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_an_error_that_names_the_option() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = check(Some("127.0.0.1"), port, "--port").unwrap_err().to_string();
        assert!(text.contains("in use") && text.contains("--port"), "{text}");
    }
}
