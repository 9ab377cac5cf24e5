//! The process groups: the application's own and those of services, with their options.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::lines::{Lines, Setting, Word, file};
use crate::site::Site;

/// Everything about processes with Python.
pub(crate) fn groups(site: &Site, lines: &mut Lines) -> Result<()> {
    whole_server(site, lines)?;
    services(site, lines)?;
    if site.script().is_none() {
        return Ok(());
    }
    if site.has_daemons() {
        lines.raw("WSGIRestrictEmbedded On");
        let settings = daemon(site)?;
        let mut line: Vec<&dyn Word> = vec![&site.process_group];
        line.extend(words(&settings));
        lines.put("WSGIDaemonProcess", &line)?;
    } else {
        lines.put("WSGIPythonPath", &[&python_path(site)?])?;
    }
    imports(site, lines)
}

/// Words for a line.
pub(crate) fn words<W: Word>(options: &[W]) -> Vec<&dyn Word> {
    options.iter().map(|option| option as &dyn Word).collect()
}

/// Directives that hold for all interpreters.
fn whole_server(site: &Site, lines: &mut Lines) -> Result<()> {
    let (given, logs) = (&site.options.application, &site.options.logs);
    if let Some(home) = &site.python_home {
        lines.put("WSGIPythonHome", &[home])?;
    }
    for filter in &given.python_warnings {
        lines.put("WSGIPythonWarnings", &[filter])?;
    }
    if let Some(eggs) = given.python_eggs.as_ref().filter(|_| given.embedded_mode) {
        lines.put("WSGIPythonEggs", &[&file(eggs)?])?;
    }
    if let Some(seconds) = given.switch_interval {
        lines.put("WSGISwitchInterval", &[&seconds])?;
    }
    if given.free_threading {
        lines.raw("WSGIFreeThreading On");
    }
    if given.orphan_interpreter {
        lines.raw("WSGIDestroyInterpreter Off");
    }
    if logs.server_metrics {
        lines.raw("WSGIServerMetrics On");
    }
    if let Some(socket) = &logs.telemetry_service {
        if !socket.starts_with("unix:/") {
            bail!("--telemetry-service {socket}: write unix: and the full path of a socket");
        }
        let interval = format!("interval={}", logs.telemetry_interval);
        lines.put("WSGITelemetryService", &[socket, &interval])?;
    }
    if !logs.telemetry_options.is_empty() {
        lines.put("WSGITelemetryOptions", &words(&logs.telemetry_options))?;
    }
    if let Some(seconds) = logs.slow_requests {
        lines.put("WSGISlowRequests", &[&seconds])?;
    }
    Ok(())
}

/// Directories for sys.path, separated as Python separates them.
fn python_path(site: &Site) -> Result<String> {
    let mut folders = Vec::new();
    if site.options.application.embedded_mode {
        folders.push(site.working_directory.clone());
    }
    for folder in &site.options.application.python_path {
        folders.push(file(folder)?);
    }
    let joined = env::join_paths(&folders).context("--python-path")?;
    joined.into_string().ok().context("--python-path: a directory's name is not UTF-8")
}

/// The options of the application's WSGIDaemonProcess.
fn daemon(site: &Site) -> Result<Vec<Setting>> {
    let (given, capacity) = (&site.options.application, &site.options.capacity);
    let mut settings = vec![
        Setting("display-name", "%{GROUP}".to_owned()),
        Setting("home", text(&site.working_directory)?),
    ];
    settings.extend(capacity.processes.map(|number| Setting("processes", number.to_string())));
    settings.push(Setting("threads", capacity.threads.to_string()));
    settings.push(Setting("listen-backlog", capacity.daemon_backlog.to_string()));
    settings.push(Setting("maximum-requests", capacity.maximum_requests.to_string()));
    settings.extend(timeouts(site));
    settings.extend(python_path_setting(site)?);
    if let Some(eggs) = &given.python_eggs {
        settings.push(Setting("python-eggs", text(&file(eggs)?)?));
    }
    if let Some(locale) = &given.locale {
        settings.push(Setting("lang", locale.clone()));
        settings.push(Setting("locale", locale.clone()));
    }
    if site.options.logs.log_format != "text" {
        settings.push(Setting("log-format", site.options.logs.log_format.clone()));
    }
    if site.options.logs.server_metrics {
        settings.push(Setting("server-metrics", "On".to_owned()));
    }
    let variables = variables(site).into_iter();
    settings.extend(variables.map(|(name, value)| Setting("env", format!("{name}={value}"))));
    Ok(settings)
}

/// A path that a configuration can name.
fn text(path: &Path) -> Result<String> {
    let text = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(text.to_owned())
}

fn python_path_setting(site: &Site) -> Result<Option<Setting>> {
    let path = python_path(site)?;
    Ok((!path.is_empty()).then_some(Setting("python-path", path)))
}

/// Its timeouts and buffers; what is 0 is left to the module.
fn timeouts(site: &Site) -> impl Iterator<Item = Setting> + use<> {
    let given = &site.options.timeouts;
    let always = [
        ("deadlock-timeout", given.deadlock_timeout),
        ("shutdown-timeout", given.shutdown_timeout),
        ("graceful-timeout", given.graceful_timeout),
        ("connect-timeout", given.connect_timeout),
        ("response-flush-delay", given.response_flush_delay),
    ];
    let others = [
        ("startup-timeout", given.startup_timeout),
        ("request-timeout", given.request_timeout),
        ("interrupt-timeout", given.interrupt_timeout),
        ("restart-interval", given.restart_interval),
        ("cpu-time-limit", given.cpu_time_limit),
        ("eviction-timeout", given.eviction_timeout),
        ("inactivity-timeout", given.inactivity_timeout),
        ("socket-timeout", given.socket_timeout),
        ("queue-timeout", given.queue_timeout),
        ("response-socket-timeout", given.response_socket_timeout),
        ("send-buffer-size", given.send_buffer_size),
        ("receive-buffer-size", given.receive_buffer_size),
        ("header-buffer-size", given.header_buffer_size),
        ("response-buffer-size", given.response_buffer_size),
    ];
    let others = others.into_iter().filter(|(_, value)| *value != 0);
    always.into_iter().chain(others).map(|(name, value)| Setting(name, value.to_string()))
}

/// What the processes of the application find in their environment.
fn variables(site: &Site) -> Vec<(&'static str, String)> {
    let listen = &site.options.listen;
    let mut variables = vec![
        ("MOD_WSGI_EXPRESS", "true".to_owned()),
        ("MOD_WSGI_SERVER_NAME", listen.server_name.clone().unwrap_or_default()),
        ("MOD_WSGI_SERVER_ALIASES", listen.server_alias.join(" ")),
    ];
    if site.options.application.reload_on_changes {
        variables.push(("MOD_WSGI_RELOADER_ENABLED", "true".to_owned()));
    }
    if let Some(project) = &site.django {
        variables.push(("DJANGO_SETTINGS_MODULE", project.settings.clone()));
    }
    variables
}

/// Which process group runs the application.
pub(crate) fn group(site: &Site) -> Setting {
    let name = if site.has_daemons() { site.process_group.as_str() } else { "%{GLOBAL}" };
    Setting("process-group", name.to_owned())
}

/// Which interpreter runs it.
pub(crate) fn interpreter(site: &Site) -> Setting {
    Setting("application-group", site.options.application.application_group.clone())
}

/// Scripts that are loaded when processes start.
fn imports(site: &Site, lines: &mut Lines) -> Result<()> {
    let (group, interpreter) = (group(site), interpreter(site));
    // Groups that depend on the request have no interpreter yet.
    let is_fixed = interpreter.1 == "%{GLOBAL}" || !interpreter.1.contains("%{");
    if site.options.application.reload_on_changes && is_fixed {
        let script = site.root.join("reloader.py");
        lines.put("WSGIImportScript", &[&script, &group, &interpreter])?;
    }
    if let Some(script) = site.script().filter(|_| is_fixed) {
        lines.put("WSGIImportScript", &[&script, &group, &interpreter])?;
    }
    Ok(())
}

/// Scripts that run beside the application.
fn services(site: &Site, lines: &mut Lines) -> Result<()> {
    let logs = &site.options.logs;
    for (name, script) in pairs(&logs.service_script) {
        let group = format!("service:{name}");
        let script = file(script)?;
        let mut settings = vec![
            Setting("threads", "0".to_owned()),
            Setting("display-name", "%{GROUP}".to_owned()),
            Setting("home", text(&site.working_directory)?),
        ];
        settings.extend(python_path_setting(site)?);
        let (user, own) = (of(&logs.service_user, name), of(&logs.service_group, name));
        settings.extend(user.map(|user| Setting("user", user.to_owned())));
        settings.extend(own.map(|own| Setting("group", own.to_owned())));
        let mut line: Vec<&dyn Word> = vec![&group];
        line.extend(words(&settings));
        lines.put("WSGIDaemonProcess", &line)?;
        let group = Setting("process-group", group.clone());
        let interpreter = Setting("application-group", "%{GLOBAL}".to_owned());
        lines.put("WSGIImportScript", &[&script, &group, &interpreter])?;
    }
    Ok(())
}

/// The values of an option that takes two at a time.
pub(crate) fn pairs(values: &[String]) -> impl Iterator<Item = (&str, &str)> {
    values.chunks_exact(2).filter_map(|pair| match pair {
        [first, second] => Some((first.as_str(), second.as_str())),
        _ => None,
    })
}

/// What is said about a service.
fn of<'v>(values: &'v [String], name: &str) -> Option<&'v str> {
    pairs(values).filter(|(known, _)| *known == name).map(|(_, value)| value).last()
}

/// The folder and the name of a script, for the section that permits it.
pub(crate) fn parts(script: &Path) -> Option<(PathBuf, String)> {
    Some((script.parent()?.to_path_buf(), script.file_name()?.to_str()?.to_owned()))
}
