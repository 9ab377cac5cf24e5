//! Version numbers: the contract's level that applications test for, and our own.

/// The level of the contract we implement, as `mod_wsgi.version` and the `mod_wsgi/…` server
/// token report it.
pub const CONTRACT: (u32, u32, u32) = (6, 1, 1);

/// Our own version, as `mod_wsgi.rs_version` and the start-up line report it.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// The contract's level as text, e.g. `6.1.1`.
pub fn contract_text() -> String {
    let (major, minor, patch) = CONTRACT;
    format!("{major}.{minor}.{patch}")
}
