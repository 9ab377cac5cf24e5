//! The server itself: who it is, how much it serves, how long it waits, where it logs.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::lines::{Lines, file};
use super::modules;
use crate::site::Site;

/// Root, user, names and addresses.
pub(crate) fn identity(site: &Site, lines: &mut Lines) -> Result<()> {
    let listen = &site.options.listen;
    lines.put("ServerRoot", &[&site.root])?;
    lines.put("DefaultRuntimeDir", &[&site.root])?;
    lines.put("PidFile", &[&pid_file(site)?])?;
    lines.put("ServerName", &[&site.name()])?;
    lines.raw("ServerTokens ProductOnly\nServerSignature Off");
    if let Some(account) = &site.account {
        lines.put("User", &[&account.name])?;
        lines.put("Group", &[&format!("#{}", account.gid)])?;
    }
    lines.put("ListenBacklog", &[&site.options.capacity.server_backlog])?;
    lines.put("Listen", &[&site.address(listen.port)])?;
    if let Some(port) = listen.https_port {
        lines.put("Listen", &[&site.address(port), &"https"])?;
    }
    Ok(())
}

/// The file of httpd's process number.
pub(crate) fn pid_file(site: &Site) -> Result<PathBuf> {
    match &site.options.layout.pid_file {
        Some(path) => Ok(std::path::absolute(path)?),
        None => Ok(site.root.join("httpd.pid")),
    }
}

/// Connections served at once.
pub(crate) fn max_clients(site: &Site) -> u32 {
    let capacity = &site.options.capacity;
    let threads = capacity.processes.unwrap_or(1).saturating_mul(capacity.threads);
    let own = 10 + (threads + threads / 2).max(10);
    capacity.max_clients.unwrap_or(own).max(threads).max(1)
}

/// Processes and threads of httpd.
pub(crate) fn capacity(site: &Site, lines: &mut Lines) -> Result<()> {
    let (capacity, most) = (&site.options.capacity, max_clients(site));
    let is_prefork = modules::mpm(site)? == "mpm_prefork";
    let of = |share: Option<f64>, prefork: f64, others: f64| {
        let share = share.unwrap_or(if is_prefork { prefork } else { others });
        // A share of at most 1 of a u32 is a u32.
        (f64::from(most) * share).ceil() as u32
    };
    let initial = of(capacity.initial_workers, 0.05, 0.2).max(1);
    let least = of(capacity.minimum_spare_workers, 0.05, 0.2).max(1);
    let largest = of(capacity.maximum_spare_workers, 0.1, 0.6);
    if is_prefork {
        lines.put("ServerLimit", &[&most])?;
        lines.put("MaxRequestWorkers", &[&most])?;
        lines.put("StartServers", &[&initial])?;
        lines.put("MinSpareServers", &[&least])?;
        lines.put("MaxSpareServers", &[&largest.max(least + 1)])?;
    } else {
        let threads = if most <= 20 { 10.min(most) } else { most / (most / 20 + 1) };
        let servers = most.div_ceil(threads);
        lines.put("ServerLimit", &[&servers])?;
        lines.put("ThreadLimit", &[&threads])?;
        lines.put("ThreadsPerChild", &[&threads])?;
        lines.put("MaxRequestWorkers", &[&(servers * threads)])?;
        lines.put("StartServers", &[&initial.div_ceil(threads)])?;
        lines.put("MinSpareThreads", &[&least])?;
        lines.put("MaxSpareThreads", &[&largest.max(least + threads)])?;
    }
    if site.options.application.embedded_mode {
        lines.put("MaxConnectionsPerChild", &[&capacity.maximum_requests])?;
    }
    let keep = capacity.keep_alive_timeout;
    match keep {
        0 => lines.raw("KeepAlive Off"),
        _ => lines.put("KeepAliveTimeout", &[&keep])?,
    }
    lines.put("LimitRequestBody", &[&capacity.limit_request_body])
}

/// How long httpd waits for clients.
pub(crate) fn timeouts(site: &Site, lines: &mut Lines) -> Result<()> {
    let timeouts = &site.options.timeouts;
    lines.put("Timeout", &[&timeouts.socket_timeout.max(1)])?;
    let head = rate(timeouts.header_timeout, timeouts.header_max_timeout, timeouts.header_min_rate);
    let body = rate(timeouts.body_timeout, timeouts.body_max_timeout, timeouts.body_min_rate);
    lines.section("IfModule", &[&"reqtimeout_module"], |lines| {
        lines.raw(&format!("RequestReadTimeout header={head} body={body}"));
        Ok(())
    })
}

/// One part of RequestReadTimeout.
fn rate(first: u32, longest: u32, bytes: u32) -> String {
    match (first, longest) {
        (0, _) => "0".to_owned(),
        (_, 0) => format!("{first},MinRate={}", bytes.max(1)),
        (_, longest) => format!("{first}-{},MinRate={}", longest.max(first), bytes.max(1)),
    }
}

/// The logs.
pub(crate) fn logs(site: &Site, lines: &mut Lines) -> Result<()> {
    let logs = &site.options.logs;
    lines.put("LogLevel", &[&logs.log_level])?;
    lines.put("ErrorLog", &[&error_log(site)?])?;
    if let Some(format) = &logs.error_log_format {
        lines.put("ErrorLogFormat", &[format])?;
    }
    if !logs.access_log {
        return Ok(());
    }
    let format = match logs.access_log_format.as_str() {
        "common" => "%h %l %u %t \"%r\" %>s %b",
        "combined" => "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"",
        own => own,
    };
    let target = match logs.log_to_terminal {
        true => terminal("/dev/stdout", ""),
        false => rotated(site, log_file(site, &logs.access_log_name)?)?,
    };
    lines.put("CustomLog", &[&target, &format])
}

/// The value of ErrorLog.
fn error_log(site: &Site) -> Result<String> {
    let logs = &site.options.logs;
    match logs.log_to_terminal {
        true => Ok(terminal("/dev/stderr", " >&2")),
        false => rotated(site, log_file(site, &logs.error_log_name)?),
    }
}

/// A terminal, file or pipe that we have; a socket cannot be opened by its name and gets a program
/// that writes to it.
fn terminal(name: &str, redirection: &str) -> String {
    match std::fs::OpenOptions::new().append(true).open(name) {
        Ok(_) => name.to_owned(),
        Err(_) => format!("|$exec cat{redirection}"),
    }
}

/// The file of a log.
pub(crate) fn log_file(site: &Site, name: &str) -> Result<PathBuf> {
    let folder = match &site.options.logs.log_directory {
        Some(folder) => std::path::absolute(folder)?,
        None => site.root.clone(),
    };
    if name.contains('/') {
        bail!("\"{name}\" is no name of a log file: name its folder with --log-directory");
    }
    Ok(folder.join(name))
}

/// The same with a new file now and then.
fn rotated(site: &Site, path: PathBuf) -> Result<String> {
    let logs = &site.options.logs;
    let text = path.display().to_string();
    if !logs.rotate_logs {
        return Ok(text);
    }
    let program = match &logs.rotatelogs_executable {
        Some(program) => file(program)?,
        None => rotatelogs(&site.httpd.program)?,
    };
    if text.contains(char::is_whitespace) {
        bail!("--rotate-logs cannot write to {text}: it has a space in it");
    }
    Ok(format!("|{} {text}.%Y-%m-%d-%H_%M_%S {}M", program.display(), logs.max_log_size))
}

/// rotatelogs is installed with httpd, or among the programs of users.
fn rotatelogs(httpd: &Path) -> Result<PathBuf> {
    let folders = [httpd.parent().unwrap_or(Path::new("/")), Path::new("/usr/bin")];
    match folders.iter().map(|folder| folder.join("rotatelogs")).find(|path| path.exists()) {
        Some(path) => Ok(path),
        None => bail!(
            "no rotatelogs found: install it (Debian: apache2-utils), or name it with \
             --rotatelogs-executable"
        ),
    }
}

/// What holds everywhere: nothing is served that is not named.
pub(crate) fn defaults(site: &Site, lines: &mut Lines) -> Result<()> {
    lines.raw("HostnameLookups Off\nMaxMemFree 64");
    if let Some(types) = mime_types(site)? {
        lines.put("TypesConfig", &[&types])?;
    }
    lines.section("Directory", &[&"/"], |lines| {
        lines.raw("AllowOverride None\nRequire all denied");
        Ok(())
    })?;
    // A document root may have .htaccess and .htpasswd.
    lines.raw("<FilesMatch \"^\\.ht\">\n    Require all denied\n</FilesMatch>");
    if site.options.content.compress_responses {
        lines.raw(
            "AddOutputFilterByType DEFLATE text/plain text/html text/xml text/css text/javascript \
             application/xhtml+xml application/javascript application/json",
        );
    }
    let switch = if site.options.content.enable_sendfile { "On" } else { "Off" };
    lines.put("EnableSendfile", &[&switch])?;
    if site.options.logs.server_metrics {
        lines.raw("ExtendedStatus On");
    }
    Ok(())
}

fn mime_types(site: &Site) -> Result<Option<PathBuf>> {
    if let Some(given) = &site.options.layout.mime_types {
        return file(given).map(Some);
    }
    let beside = site.httpd.configuration.as_ref().map(|folder| folder.join("mime.types"));
    let known = [beside, Some(PathBuf::from("/etc/mime.types")), Some(PathBuf::from("/dev/null"))];
    Ok(known.into_iter().flatten().find(|path| path.exists()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_reading_are_written_as_httpd_has_them() {
        assert_eq!(rate(15, 30, 500), "15-30,MinRate=500");
        assert_eq!(rate(15, 0, 500), "15,MinRate=500");
        assert_eq!(rate(0, 30, 500), "0");
    }
}
