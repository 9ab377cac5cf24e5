//! Prints a page made from the tables of directives and options: docs/directives.md, or with the
//! argument `daemon-options` docs/daemon-options.md.

use std::io::{self, Write};

use wsgi_core::directives::document;

fn main() -> io::Result<()> {
    let page = match std::env::args().nth(1).as_deref() {
        Some("daemon-options") => document::daemon_options(),
        _ => document::directives(),
    };
    io::stdout().write_all(page.as_bytes())
}
