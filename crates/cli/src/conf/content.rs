//! What a virtual host serves: files, the application, other servers, and who may.
//!
//! Static files win over the application: rules of mod_rewrite, which run before any mapping of
//! URLs, send a request for a file that is there to that file. Everything else is an ordinary
//! WSGIScriptAlias, so the application sees its URLs as it would anywhere.

use std::path::Path;

use anyhow::Result;

use super::lines::{Lines, Setting, file};
use super::python::{group, interpreter, pairs, parts, words};
use crate::files::REWRITE_RULES;
use crate::site::Site;

/// Everything.
pub(crate) fn write(site: &Site, lines: &mut Lines) -> Result<()> {
    let root = site.document_root();
    lines.put("DocumentRoot", &[&root])?;
    permit_files(site, lines, &root)?;
    aliases(site, lines)?;
    for (path, url) in pairs(&site.options.content.proxy_mount_point) {
        proxy(lines, path, url)?;
    }
    rules(site, lines, &root)?;
    pages(site, lines)?;
    handlers(site, lines)?;
    application(site, lines)?;
    access(site, lines)?;
    if site.options.logs.server_status {
        lines.raw("<Location /server-status>\n    SetHandler server-status\n    Require local\n</Location>");
    }
    Ok(())
}

/// The directory of static files.
fn permit_files(site: &Site, lines: &mut Lines, root: &Path) -> Result<()> {
    let content = &site.options.content;
    lines.section("Directory", &[&root.to_path_buf()], |lines| {
        lines.raw("Require all granted");
        let mut options = vec!["FollowSymLinks"];
        if content.directory_listing {
            options.push("Indexes");
        }
        if content.with_cgi {
            options.push("ExecCGI");
            lines.raw("AddHandler cgi-script .cgi");
        }
        lines.raw(&format!("Options {}", options.join(" ")));
        match content.allow_override.is_empty() {
            true => lines.raw("AllowOverride None"),
            false => lines.put("AllowOverride", &words(&content.allow_override))?,
        }
        match &content.directory_index {
            Some(index) => lines.put("DirectoryIndex", &[index]),
            None if site.script().is_none() => lines.put("DirectoryIndex", &[&"index.html"]),
            None => {
                lines.raw("DirectoryIndex disabled");
                Ok(())
            }
        }
    })
}

/// Files and directories at URLs of their own, the longest URL first.
fn aliases(site: &Site, lines: &mut Lines) -> Result<()> {
    let mut aliases: Vec<(&str, &str)> = pairs(&site.options.content.url_alias).collect();
    let collected = site.django.as_ref().and_then(|project| project.statics.as_ref());
    if let Some((url, folder)) = collected.filter(|(_, folder)| Path::new(folder).is_dir()) {
        aliases.push((url, folder));
    }
    aliases.sort_by_key(|(url, _)| std::cmp::Reverse(url.len()));
    for (url, path) in aliases {
        let path = file(path)?;
        let is_folder = path.is_dir();
        let url = if is_folder { url.trim_end_matches('/') } else { url };
        lines.put("Alias", &[&if url.is_empty() { "/" } else { url }, &path])?;
        match parts(&path).filter(|_| !is_folder) {
            Some((folder, name)) => permit_file(lines, &folder, &name)?,
            None => lines.section("Directory", &[&path], |lines| {
                lines.raw("Require all granted");
                Ok(())
            })?,
        }
    }
    Ok(())
}

fn permit_file(lines: &mut Lines, folder: &Path, name: &str) -> Result<()> {
    lines.section("Directory", &[&folder.to_path_buf()], |lines| {
        lines.section("Files", &[&name], |lines| {
            lines.raw("Require all granted");
            Ok(())
        })
    })
}

/// Rules of the user, then those by which files win over the application.
fn rules(site: &Site, lines: &mut Lines, root: &Path) -> Result<()> {
    let own = match &site.options.layout.rewrite_rules {
        Some(path) => file(path)?,
        None => site.root.join(REWRITE_RULES),
    };
    lines.raw("RewriteEngine On");
    lines.put("Include", &[&own])?;
    let content = &site.options.content;
    if site.script().is_none() || content.document_root.is_none() {
        return Ok(());
    }
    let target = format!("{}%{{REQUEST_URI}}", root.display());
    lines.put("RewriteCond", &[&target, &"-f"])?;
    lines.put("RewriteRule", &[&"^", &target, &"[L]"])?;
    if let Some(index) = &content.directory_index {
        let page = format!("{target}/{index}");
        lines.put("RewriteCond", &[&page, &"-f"])?;
        lines.put("RewriteRule", &[&"^", &target, &"[L]"])?;
    }
    if content.directory_listing {
        // Not the root of the application itself.
        lines.put("RewriteCond", &[&"%{REQUEST_URI}", &format!("!^{}/?$", site.mount)])?;
        lines.put("RewriteCond", &[&target, &"-d"])?;
        lines.put("RewriteRule", &[&"^", &target, &"[L]"])?;
    }
    Ok(())
}

/// Error pages.
fn pages(site: &Site, lines: &mut Lines) -> Result<()> {
    for (status, url) in pairs(&site.options.content.error_document) {
        lines.put("ErrorDocument", &[&status, &url])?;
    }
    Ok(())
}

/// Scripts that answer for files with an extension.
fn handlers(site: &Site, lines: &mut Lines) -> Result<()> {
    for (number, (extension, script)) in (1_u32..).zip(pairs(&site.options.content.add_handler)) {
        let script = file(script)?;
        let name = format!("wsgi-extension-{number}");
        let group = group(site);
        let interpreter = interpreter(site);
        lines.put("AddHandler", &[&name, &extension])?;
        lines.put("WSGIHandlerScript", &[&name, &script, &group, &interpreter])?;
        if let Some((folder, file)) = parts(&script) {
            permit_file(lines, &folder, &file)?;
        }
    }
    Ok(())
}

/// The application itself.
fn application(site: &Site, lines: &mut Lines) -> Result<()> {
    let Some(script) = site.script() else { return Ok(()) };
    let content = &site.options.content;
    let url = if site.mount.is_empty() { "/" } else { site.mount.as_str() };
    let callable = Setting("callable-object", site.callable().to_owned());
    lines.put("WSGIScriptAlias", &[&url, &script, &group(site), &interpreter(site), &callable])?;
    if let Some((folder, name)) = parts(&script) {
        permit_file(lines, &folder, &name)?;
    }
    lines.raw("WSGIPassAuthorization On");
    lines.put("WSGIMapHEADToGET", &[&content.map_head_to_get])?;
    let switches = [
        (content.chunked_request, "WSGIChunkedRequest On"),
        (content.error_override, "WSGIErrorOverride On"),
        (content.enable_sendfile, "WSGIEnableSendfile On"),
        (
            site.options.application.disable_reloading || site.options.application.embedded_mode,
            "WSGIScriptReloading Off",
        ),
    ];
    for (_, line) in switches.iter().filter(|(is_on, _)| *is_on) {
        lines.raw(line);
    }
    let lists = [
        ("WSGITrustedProxyHeaders", &content.trust_proxy_header),
        ("WSGITrustedProxies", &content.trust_proxy),
    ];
    for (name, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
        lines.put(name, &words(values))?;
    }
    for url in &site.options.timeouts.ignore_activity {
        lines.section("Location", &[url], |lines| {
            lines.raw("WSGIIgnoreActivity On");
            Ok(())
        })?;
    }
    for (name, value) in pairs(&site.options.application.setenv) {
        lines.put("SetEnv", &[&name, &value])?;
    }
    for name in &site.options.application.passenv {
        lines.put("PassEnv", &[name])?;
    }
    Ok(())
}

/// Who may use it.
fn access(site: &Site, lines: &mut Lines) -> Result<()> {
    let content = &site.options.content;
    if content.host_access_script.is_none() && content.auth_user_script.is_none() {
        return Ok(());
    }
    lines.section("Location", &[&"/"], |lines| {
        if let Some(script) = &content.host_access_script {
            lines.put("WSGIAccessScript", &[&file(script)?])?;
        }
        let Some(script) = &content.auth_user_script else { return Ok(()) };
        let kind = content.auth_type.as_str();
        lines.put("AuthType", &[&kind])?;
        lines.put("AuthName", &[&format!("{}:{}", site.name(), site.options.listen.port)])?;
        lines.raw(&format!("Auth{kind}Provider wsgi"));
        lines.put("WSGIAuthUserScript", &[&file(script)?])?;
        match &content.auth_group_script {
            Some(groups) => {
                lines.put("WSGIAuthGroupScript", &[&file(groups)?])?;
                lines.put("Require", &[&"wsgi-group", &content.auth_group])
            }
            None => {
                lines.raw("Require valid-user");
                Ok(())
            }
        }
    })
}

/// Whether requests are passed on to other servers.
pub(crate) fn has_proxies(site: &Site) -> bool {
    let content = &site.options.content;
    !content.proxy_mount_point.is_empty() || !content.proxy_virtual_host.is_empty()
}

/// A URL path of another server.
pub(crate) fn proxy(lines: &mut Lines, path: &str, url: &str) -> Result<()> {
    let bare = path.trim_end_matches('/');
    let url = format!("{}/", url.trim_end_matches('/'));
    let slashed = format!("{bare}/");
    if !bare.is_empty() {
        lines.put("RedirectMatch", &[&"302", &format!("^{bare}$"), &slashed])?;
    }
    lines.put("ProxyPass", &[&slashed, &url, &"upgrade=websocket"])?;
    lines.put("ProxyPassReverse", &[&slashed, &url])?;
    lines.section("Location", &[&slashed], |lines| {
        lines.raw("Require all granted");
        lines.raw("RequestHeader set X-Forwarded-Port expr=%{SERVER_PORT}");
        lines.raw("RequestHeader set X-Forwarded-Scheme https \"expr=%{HTTPS} == 'on'\"");
        // Not what a client says of itself.
        lines.raw("RequestHeader unset X-Forwarded-Scheme \"expr=%{HTTPS} != 'on'\"");
        if !bare.is_empty() {
            lines.put("RequestHeader", &[&"set", &"X-Forwarded-Prefix", &bare])?;
        }
        Ok(())
    })
}
