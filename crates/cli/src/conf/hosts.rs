//! Virtual hosts: the names the server answers to, TLS, and redirections between them.

use anyhow::Result;

use super::content;
use super::lines::Lines;
use super::python::pairs;
use crate::site::Site;

/// All virtual hosts, the one that takes what no other does first.
pub(crate) fn write(site: &Site, lines: &mut Lines) -> Result<()> {
    let listen = &site.options.listen;
    if listen.http2 {
        lines.raw("Protocols h2 h2c http/1.1");
    }
    if content::has_proxies(site) {
        let timeouts = &site.options.timeouts;
        let timeout = timeouts.proxy_timeout.unwrap_or(timeouts.socket_timeout).max(1);
        lines.put("ProxyTimeout", &[&timeout])?;
    }
    let ports = [(Some(listen.port), false), (listen.https_port, true)];
    for (port, is_tls) in ports.into_iter().filter_map(|(port, is_tls)| Some((port?, is_tls))) {
        port_of(site, lines, port, is_tls)?;
    }
    Ok(())
}

/// The virtual hosts of one port.
fn port_of(site: &Site, lines: &mut Lines, port: u16, is_tls: bool) -> Result<()> {
    let listen = &site.options.listen;
    if listen.server_name.is_some() {
        host(site, lines, port, is_tls, |lines| {
            lines.raw("ServerName _wsgi_");
            let who = if listen.allow_localhost { "Require local" } else { "Require all denied" };
            if listen.allow_localhost {
                content::write(site, lines)?;
            }
            lines.raw(&format!("<Location />\n    {who}\n</Location>"));
            Ok(())
        })?;
    }
    host(site, lines, port, is_tls, |lines| {
        if let Some(name) = &listen.server_name {
            lines.put("ServerName", &[name])?;
            for alias in &listen.server_alias {
                lines.put("ServerAlias", &[alias])?;
            }
        }
        match (is_tls, listen.https_only, listen.https_port) {
            (false, true, Some(https)) => redirect(lines, https),
            _ => own_content(site, lines, is_tls),
        }
    })?;
    if let Some(parent) = listen.server_name.as_deref().and_then(|name| name.strip_prefix("www.")) {
        host(site, lines, port, is_tls, |lines| {
            lines.put("ServerName", &[&parent])?;
            let scheme = if is_tls { "https" } else { "http" };
            lines
                .put("Redirect", &[&"permanent", &"/", &format!("{scheme}://www.{parent}:{port}/")])
        })?;
    }
    for (name, url) in pairs(&site.options.content.proxy_virtual_host) {
        host(site, lines, port, is_tls, |lines| {
            lines.put("ServerName", &[&name])?;
            content::proxy(lines, "/", url)
        })?;
    }
    Ok(())
}

/// What the server is there for.
fn own_content(site: &Site, lines: &mut Lines, is_tls: bool) -> Result<()> {
    if let Some(policy) = site.options.listen.hsts_policy.as_ref().filter(|_| is_tls) {
        lines.put("Header", &[&"always", &"set", &"Strict-Transport-Security", policy])?;
    }
    content::write(site, lines)
}

/// From HTTP to HTTPS, under the name that the client used, to what the client wrote: in REQUEST_URI
/// its escapes are gone.
fn redirect(lines: &mut Lines, https: u16) -> Result<()> {
    let port = if https == 443 { String::new() } else { format!(":{https}") };
    lines.raw("RewriteEngine On");
    lines.raw(r#"RewriteCond %{THE_REQUEST} "^\S+ (?:[a-zA-Z]+://[^/ ]*)?(/[^?\s]*)""#);
    lines.raw(&format!("RewriteRule ^ https://%{{SERVER_NAME}}{port}%1 [R=301,L,NE]"));
    Ok(())
}

/// One virtual host.
fn host(
    site: &Site,
    lines: &mut Lines,
    port: u16,
    is_tls: bool,
    inside: impl FnOnce(&mut Lines) -> Result<()>,
) -> Result<()> {
    lines.section("VirtualHost", &[&format!("*:{port}")], |lines| {
        if is_tls {
            tls(site, lines)?;
        }
        inside(lines)
    })
}

/// TLS with the server's certificate, and clients' certificates where they are asked for.
fn tls(site: &Site, lines: &mut Lines) -> Result<()> {
    let listen = &site.options.listen;
    let Some((certificate, key)) = &site.certificate else { return Ok(()) };
    lines.raw("SSLEngine On");
    lines.put("SSLCertificateFile", &[certificate])?;
    lines.put("SSLCertificateKeyFile", &[key])?;
    if let Some(chain) = &listen.ssl_certificate_chain_file {
        lines.put("SSLCertificateChainFile", &[&super::lines::file(chain)?])?;
    }
    if let Some(authority) = &listen.ssl_ca_certificate_file {
        lines.put("SSLCACertificateFile", &[&super::lines::file(authority)?])?;
        let everywhere = listen.ssl_verify_client.is_empty();
        lines.put("SSLVerifyClient", &[&if everywhere { "require" } else { "none" }])?;
        for url in &listen.ssl_verify_client {
            lines.section("Location", &[url], |lines| {
                lines.raw("SSLVerifyClient require");
                Ok(())
            })?;
        }
    }
    if listen.ssl_environment {
        lines.raw("SSLOptions +StdEnvVars");
    }
    Ok(())
}
