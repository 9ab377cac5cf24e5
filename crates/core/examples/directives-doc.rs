//! Prints docs/directives.md.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    io::stdout().write_all(wsgi_core::directives::document::page().as_bytes())
}
