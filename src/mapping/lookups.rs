//! What `%{SERVER}`, `%{HOST}`, `%{RESOURCE}` and `%{ENV:name}` stand for in a request.

use wsgi_core::mapping::{self, Lookups};

use crate::apache::{Request, text::c_string};

/// Lookups in one request.
pub(crate) struct RequestLookups<'r> {
    request: Request<'r>,
    ignores_case: bool,
}

impl<'r> RequestLookups<'r> {
    /// `ignores_case` is `WSGICaseSensitivity Off`.
    pub(crate) fn new(request: Request<'r>, ignores_case: bool) -> Self {
        Self { request, ignores_case }
    }
}

impl Lookups for RequestLookups<'_> {
    fn server_name(&self) -> String {
        let server = self.request.server().and_then(|server| server.hostname());
        server.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn hostname(&self) -> Option<String> {
        Some(self.request.hostname()?.to_string_lossy().to_ascii_lowercase())
    }

    fn port(&self) -> u16 {
        self.request.server_port()
    }

    fn script_name(&self) -> String {
        let uri = self.request.uri().unwrap_or_default().to_bytes();
        let path_info = self.request.path_info().unwrap_or_default().to_bytes();
        let name = mapping::script_name(uri, path_info);
        let name = String::from_utf8_lossy(&name).into_owned();
        if self.ignores_case { name.to_lowercase() } else { name }
    }

    fn variable(&self, name: &str) -> Option<String> {
        let key = c_string(name);
        let of_request =
            self.request.notes().and_then(|notes| notes.get(&key)).or_else(|| {
                self.request.environment().and_then(|environment| environment.get(&key))
            });
        match of_request {
            Some(value) => Some(value.to_string_lossy().into_owned()),
            None => std::env::var(name).ok(),
        }
    }
}
