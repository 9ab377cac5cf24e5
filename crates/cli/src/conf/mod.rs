//! The text of `httpd.conf`, part by part in httpd's own order.
//!
//! | file | holds |
//! |---|---|
//! | `lines` | lines and sections, every value a word of its own |
//! | `modules` | which modules of httpd are needed, and for what |
//! | `server` | address, processes, timeouts, logs |
//! | `python` | the process groups and their options |
//! | `hosts` | virtual hosts: names, TLS, redirections |
//! | `content` | what is served where, in each of them |

mod content;
mod hosts;
mod lines;
mod modules;
mod python;
mod server;

use anyhow::Result;

use crate::site::Site;
use lines::Lines;

/// The whole configuration.
pub(crate) use server::log_file;
pub(crate) use server::max_clients;

pub(crate) fn text(site: &Site) -> Result<String> {
    let mut lines = Lines::new();
    lines.comment("Written by mod-wsgi-rs, anew at each start: changes belong into a file of your");
    lines.comment("own, named with --include-file.");
    server::identity(site, &mut lines)?;
    modules::load(site, &mut lines)?;
    server::capacity(site, &mut lines)?;
    server::timeouts(site, &mut lines)?;
    server::logs(site, &mut lines)?;
    server::defaults(site, &mut lines)?;
    python::groups(site, &mut lines)?;
    hosts::write(site, &mut lines)?;
    for file in &site.options.layout.include_file {
        lines.put("Include", &[&std::path::absolute(file)?])?;
    }
    Ok(lines.text())
}
