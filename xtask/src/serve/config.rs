//! The configuration of the private httpd.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use wsgi_httpd::Apxs;
use wsgi_httpd::word::quoted;

use super::folder::Folder;

/// Modules that some systems build into httpd and others load: loaded where they are files.
const MODULES: &[&str] = &["mpm_event", "unixd", "log_config", "authz_core"];

/// Where httpd writes its number, below its folder; it does so when it has its port.
pub(crate) const PID_FILE: &str = "run/httpd.pid";

/// Writes `httpd.conf` into the folder.
pub(crate) fn write(folder: &Folder, port: u16, is_embedded: bool) -> Result<()> {
    let text = text(folder, &Apxs::new(None).modules()?, port, is_embedded)?;
    fs::write(folder.root().join("httpd.conf"), text)?;
    Ok(())
}

/// The lines of the configuration.
fn text(folder: &Folder, modules: &Path, port: u16, is_embedded: bool) -> Result<String> {
    let root = quoted(folder.root())?;
    let log = quoted(&folder.log())?;
    let mut conf = format!(
        "ServerRoot {root}\nDefaultRuntimeDir run\nPidFile {PID_FILE}\n\
         ServerName localhost\nListen 127.0.0.1:{port}\n"
    );
    for name in MODULES {
        let file = modules.join(format!("mod_{name}.so"));
        if file.exists() {
            writeln!(conf, "LoadModule {name}_module {}", quoted(&file)?)?;
        }
    }
    writeln!(
        conf,
        "LoadModule wsgi_module {}",
        quoted(&folder.root().join("module/mod_wsgi_rs.so"))?
    )?;
    if let Some(user) = folder.user() {
        writeln!(conf, "User {}\nGroup #{}", user.name, user.gid)?;
    }
    write!(
        conf,
        "LogLevel warn wsgi:info\nErrorLog {log}\nErrorLogFormat \"[%t] [%-m:%l] [pid %P] %M\"\n\
         CustomLog {log} \"%t %h \\\"%r\\\" %>s %B bytes, %D us\"\n"
    )?;
    conf.push_str("WSGIChunkedRequest On\n");
    if !is_embedded {
        conf.push_str(
            "WSGIDaemonProcess serve processes=2 threads=5 display-name=%{GROUP}\n\
             WSGIProcessGroup serve\n",
        );
    }
    let script = folder.script();
    let above = script.parent().unwrap_or(Path::new("/"));
    write!(
        conf,
        "WSGIApplicationGroup %{{GLOBAL}}\nWSGIScriptAlias / {}\n\
         <Directory {}>\nRequire all granted\n</Directory>\n",
        quoted(script)?,
        quoted(above)?
    )?;
    Ok(conf)
}
