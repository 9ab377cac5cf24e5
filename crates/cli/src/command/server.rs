//! `start-server` and `setup-server`.

use std::process::ExitCode;

use anyhow::Result;

use crate::options::Server;
use crate::site::Site;
use crate::{conf, files, run, terminal};

/// Serves in the foreground.
pub(crate) fn start(options: Server) -> Result<ExitCode> {
    if options.layout.setup_only {
        return set_up(options);
    }
    let site = Site::new(options)?;
    site.check_ports()?;
    files::write(&site)?;
    run::check(&site)?;
    summary(&site, false)?;
    run::serve(&site)
}

/// Writes the files.
pub(crate) fn set_up(options: Server) -> Result<ExitCode> {
    let site = Site::new(options)?;
    files::write(&site)?;
    run::check(&site)?;
    summary(&site, true)?;
    Ok(ExitCode::SUCCESS)
}

/// Says what there is and where.
fn summary(site: &Site, with_control: bool) -> Result<()> {
    let (logs, capacity) = (&site.options.logs, &site.options.capacity);
    let mut rows: Vec<(&str, String)> = Vec::new();
    rows.extend(site.urls().into_iter().map(|url| ("Server URL", url)));
    if logs.server_status {
        rows.push((
            "Server Status",
            format!("http://localhost:{}/server-status", site.options.listen.port),
        ));
    }
    rows.push(("Server Root", site.root.display().to_string()));
    rows.push(("Server Conf", files::configuration(site).display().to_string()));
    let target = |name: &str| -> Result<String> {
        match logs.log_to_terminal {
            true => Ok("the terminal".to_owned()),
            false => Ok(conf::log_file(site, name)?.display().to_string()),
        }
    };
    rows.push(("Error Log", format!("{} ({})", target(&logs.error_log_name)?, logs.log_level)));
    if logs.access_log {
        rows.push(("Access Log", target(&logs.access_log_name)?));
    }
    if with_control {
        for (title, name) in [
            ("Control Script", "apachectl"),
            ("Environment", "envvars"),
            ("Rewrite Rules", files::REWRITE_RULES),
        ] {
            rows.push((title, site.root.join(name).display().to_string()));
        }
    }
    rows.push((
        "Requests at once",
        requests(site, capacity.processes.unwrap_or(1), capacity.threads),
    ));
    rows.push((
        "Connections",
        format!("{} (httpd {})", conf::max_clients(site), site.httpd.version()),
    ));
    for (title, value) in rows {
        println!("{} {value}", terminal::strong(&format!("{title:<17}:")));
    }
    Ok(())
}

fn requests(site: &Site, processes: u32, threads: u32) -> String {
    match (site.script(), site.has_daemons()) {
        (None, _) => "files only".to_owned(),
        (Some(_), false) => "as many as connections (embedded)".to_owned(),
        (Some(_), true) => {
            format!("{} ({processes} processes * {threads} threads)", processes * threads)
        }
    }
}
