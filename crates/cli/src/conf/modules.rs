//! Which modules of httpd the server needs, and what to say when there is one missing.

use anyhow::{Result, bail};
use wsgi_httpd::Module;

use super::lines::Lines;
use crate::site::Site;

/// What every server needs.
const NEEDED: &[&str] = &["unixd", "authz_core", "mime", "alias", "dir", "rewrite"];

/// What files of --include-file and .htaccess usually expect; loaded where it is there.
const USUAL: &[&str] = &[
    "authn_core",
    "authz_host",
    "access_compat",
    "log_config",
    "env",
    "setenvif",
    "headers",
    "filter",
    "reqtimeout",
];

/// Writes the LoadModule lines, ours last.
pub(crate) fn load(site: &Site, lines: &mut Lines) -> Result<()> {
    load_one(site, lines, mpm(site)?, None)?;
    for name in NEEDED {
        load_one(site, lines, name, Some("every server needs it"))?;
    }
    let is_there = |name: &str| !matches!(site.httpd.module(name), Module::Missing(_));
    for name in USUAL.iter().filter(|name| is_there(name)) {
        load_one(site, lines, name, None)?;
    }
    for (names, reason) in wanted(site) {
        for name in names.iter().filter(|name| !(USUAL.contains(name) && is_there(name))) {
            load_one(site, lines, name, Some(reason))?;
        }
    }
    lines.put("LoadModule", &[&"wsgi_module", &site.installation.module])
}

/// The first of the preferred MPMs that there is; worker comes first for embedded applications,
/// as in mod_wsgi-express.
pub(crate) fn mpm(site: &Site) -> Result<&str> {
    let default: &[&str] = match site.options.application.embedded_mode {
        true => &["worker", "event", "prefork"],
        false => &["event", "worker", "prefork"],
    };
    let given = &site.options.capacity.server_mpm;
    let names: Vec<&str> = match given.is_empty() {
        true => default.to_vec(),
        false => given.iter().map(String::as_str).collect(),
    };
    let is_there =
        |name: &&str| !matches!(site.httpd.module(&format!("mpm_{name}")), Module::Missing(_));
    // An MPM that is part of httpd is listed by its bare name.
    let is_built_in = |name: &&str| site.httpd.module(name) == Module::BuiltIn;
    match names.iter().copied().find(|name| is_there(name) || is_built_in(name)) {
        Some(name) => Ok(match name {
            "worker" => "mpm_worker",
            "prefork" => "mpm_prefork",
            _ => "mpm_event",
        }),
        None => bail!(
            "this httpd has none of the MPMs {}: name another with --server-mpm",
            names.join(", ")
        ),
    }
}

fn load_one(site: &Site, lines: &mut Lines, name: &str, reason: Option<&str>) -> Result<()> {
    let bare = name.strip_prefix("mpm_").unwrap_or(name);
    match (site.httpd.module(name), reason) {
        (Module::BuiltIn, _) => Ok(()),
        (Module::File(path), _) => lines.put("LoadModule", &[&format!("{name}_module"), &path]),
        (Module::Missing(_), _) if site.httpd.module(bare) == Module::BuiltIn => Ok(()),
        (Module::Missing(path), reason) => bail!(
            "httpd has no module {name} ({} is missing), and {}: install it, or name the folder of \
             modules with --modules-directory",
            path.display(),
            reason.unwrap_or("it is needed")
        ),
    }
}

/// Modules for what was asked for, with the reason.
fn wanted(site: &Site) -> Vec<(&'static [&'static str], &'static str)> {
    let options = &site.options;
    let (listen, content) = (&options.listen, &options.content);
    let mut wanted: Vec<(&'static [&'static str], &'static str)> = Vec::new();
    let mut need = |is_wanted: bool, names: &'static [&'static str], reason: &'static str| {
        if is_wanted {
            wanted.push((names, reason));
        }
    };
    need(options.logs.access_log, &["log_config"], "--access-log needs it");
    need(listen.https_port.is_some(), &["socache_shmcb", "ssl"], "--https-port needs it");
    need(listen.hsts_policy.is_some(), &["headers"], "--hsts-policy needs it");
    let has_variables =
        !options.application.setenv.is_empty() || !options.application.passenv.is_empty();
    need(has_variables, &["env"], "--setenv and --passenv need it");
    need(listen.http2, &["http2"], "--http2 needs it");
    need(content.directory_listing, &["autoindex"], "--directory-listing needs it");
    need(content.compress_responses, &["filter", "deflate"], "--compress-responses needs it");
    need(options.logs.server_status, &["status"], "--server-status needs it");
    let has_proxy = !content.proxy_mount_point.is_empty() || !content.proxy_virtual_host.is_empty();
    need(has_proxy, &["headers", "proxy", "proxy_http"], "the --proxy options need it");
    let has_users = content.auth_user_script.is_some();
    need(has_users, &["authn_core", "authz_user"], "--auth-user-script needs it");
    let is_digest = content.auth_type == "Digest";
    need(has_users && is_digest, &["auth_digest"], "--auth-type Digest needs it");
    need(has_users && !is_digest, &["auth_basic"], "--auth-type Basic needs it");
    let cgi: &[&str] = match mpm(site) {
        Ok("mpm_prefork") => &["cgi"],
        _ => &["cgid"],
    };
    need(content.with_cgi, cgi, "--with-cgi needs it");
    wanted
}
