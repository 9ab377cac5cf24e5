//! Rules of mod_wsgi_rs that need neither httpd nor Python: configuration, the wire between
//! httpd and daemon processes, and the seam between a request and the engine that answers it.
#![forbid(unsafe_code)]

pub mod directives;
pub mod mapping;
