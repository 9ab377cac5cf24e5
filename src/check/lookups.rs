//! What the first request of an application would know about itself.

use wsgi_core::mapping::Lookups;

use crate::apache::Server;

/// A request for this URL.
pub(super) struct FirstRequest<'c> {
    pub(super) server: Server<'c>,
    pub(super) url: &'c str,
}

impl Lookups for FirstRequest<'_> {
    fn server_name(&self) -> String {
        self.server.hostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn hostname(&self) -> Option<String> {
        Some(self.server_name())
    }

    fn port(&self) -> u16 {
        80
    }

    fn script_name(&self) -> String {
        self.url.trim_end_matches('/').to_owned()
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}
