//! A server, completely decided: what follows from the options, from who calls and from the machine.
//! Whatever can be known to be wrong is an error here, before anything is written or started.

use std::env;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wsgi_httpd::{Httpd, User, Wanted, group, is_root};

use crate::application::Application;
use crate::django::{self, Project};
use crate::installation::{self, Installation};
use crate::options::Server;

/// The server.
#[derive(Debug)]
pub(crate) struct Site {
    /// What was asked for.
    pub(crate) options: Server,
    /// The httpd that serves.
    pub(crate) httpd: Httpd,
    /// The module.
    pub(crate) installation: Installation,
    /// What is served.
    pub(crate) application: Application,
    /// What is known of it when it is a Django project.
    pub(crate) django: Option<Project>,
    /// Whom httpd's children and the application run as, when root starts them.
    pub(crate) account: Option<User>,
    /// Everything that is written lies here.
    pub(crate) root: PathBuf,
    /// Where the application runs.
    pub(crate) working_directory: PathBuf,
    /// Its Python, if it is not the module's own choice.
    pub(crate) python_home: Option<PathBuf>,
    /// The URL path of the application: empty for the root.
    pub(crate) mount: String,
    /// The name of the process group.
    pub(crate) process_group: String,
    /// Certificate and key.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
}

impl Site {
    /// Decides everything.
    pub(crate) fn new(options: Server) -> Result<Self> {
        let installation = Installation::find()?;
        let httpd = Httpd::find(&Wanted {
            program: options.layout.httpd_executable.clone(),
            modules: options.layout.modules_directory.clone(),
            apxs: None,
        })?;
        let account = account(&options)?;
        let given = &options.application;
        let python_home = installation::python_home(given.python_home.as_deref());
        let start = folder(given.working_directory.as_deref(), "--working-directory")?;
        let mut places = vec![start.clone()];
        places.extend(given.python_path.iter().cloned());
        let app = given.app.as_deref().or(given.entry_point.as_deref());
        let application = Application::find(app, given.application_type, &places)?;
        let django = match &application {
            Application::Django(folder) => {
                let python = installation::interpreter(python_home.as_deref());
                Some(django::ask(folder, &python, account.as_ref())?)
            }
            _ => None,
        };
        let working_directory = match (&application, &given.working_directory) {
            (Application::Django(folder), None) => folder.clone(),
            _ => start,
        };
        let certificate = certificate(&options)?;
        let site = Self {
            root: root(&options)?,
            mount: mount(&given.mount_point)?,
            process_group: process_group(&options),
            options,
            httpd,
            installation,
            application,
            django,
            account,
            working_directory,
            python_home,
            certificate,
        };
        Ok(site)
    }

    /// The name that the server has in its own configuration and in what is shown.
    pub(crate) fn name(&self) -> &str {
        let listen = &self.options.listen;
        listen.server_name.as_deref().or(listen.host.as_deref()).unwrap_or("localhost")
    }

    /// The callable of the script.
    pub(crate) fn callable(&self) -> &str {
        match &self.application {
            Application::Script(_) => &self.options.application.callable_object,
            // Ours is called so in the scripts that we write.
            _ => "application",
        }
    }

    /// The script that httpd is to run; none for static files.
    pub(crate) fn script(&self) -> Option<PathBuf> {
        match &self.application {
            Application::Script(path) => Some(path.clone()),
            Application::Static(_) => None,
            _ => Some(self.root.join("application.wsgi")),
        }
    }

    /// The directory of static files.
    pub(crate) fn document_root(&self) -> PathBuf {
        match (&self.application, &self.options.content.document_root) {
            (Application::Static(path), _) => path.clone(),
            (_, Some(path)) => path.clone(),
            _ => self.root.join("htdocs"),
        }
    }

    /// Whether daemon processes run the application.
    pub(crate) fn has_daemons(&self) -> bool {
        self.script().is_some() && !self.options.application.embedded_mode
    }

    /// Where people reach it.
    pub(crate) fn urls(&self) -> Vec<String> {
        let listen = &self.options.listen;
        let path = format!("{}/", self.mount);
        let mut urls = vec![format!("http://{}:{}{path}", bracketed(self.name()), listen.port)];
        if let Some(port) = listen.https_port {
            urls.push(format!("https://{}:{port}{path}", bracketed(self.name())));
        }
        urls
    }

    /// The value of Listen for a port.
    pub(crate) fn address(&self, port: u16) -> String {
        match &self.options.listen.host {
            Some(host) => format!("{}:{port}", bracketed(host)),
            None => port.to_string(),
        }
    }

    /// An error when the ports cannot be had.
    pub(crate) fn check_ports(&self) -> Result<()> {
        let listen = &self.options.listen;
        check_port(listen.host.as_deref(), listen.port, "--port")?;
        match listen.https_port {
            Some(port) => check_port(listen.host.as_deref(), port, "--https-port"),
            None => Ok(()),
        }
    }
}

/// An IPv6 address as part of a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn check_port(host: Option<&str>, port: u16, option: &str) -> Result<()> {
    let error = match TcpListener::bind((host.unwrap_or("0.0.0.0"), port)) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::AddrInUse => bail!(
            "port {port} is in use: stop what listens there, or name another port with {option}"
        ),
        ErrorKind::PermissionDenied => bail!(
            "no permission for port {port}: ports below 1024 are root's; name another with {option}"
        ),
        _ => bail!(
            "cannot listen on port {port} of {}: {error}; see --host and {option}",
            host.unwrap_or("this machine")
        ),
    }
}

/// Whom everything runs as; none is the one who calls.
fn account(options: &Server) -> Result<Option<User>> {
    let given = &options.application;
    let group = match &given.group {
        Some(name) => Some(
            group(name).with_context(|| format!("there is no group \"{name}\" (see --group)"))?,
        ),
        None => None,
    };
    let Some(name) = &given.user else {
        if is_root() {
            bail!(
                "started as root, and applications do not run as root: name their user with \
                 --user (Debian's for httpd is www-data)"
            );
        }
        let own = rustix::process::getegid().as_raw();
        if group.is_some_and(|group| group != own) {
            bail!("only root can change the group: leave --group away, or start this with sudo");
        }
        return Ok(None);
    };
    let mut user =
        User::named(name).with_context(|| format!("there is no user \"{name}\" (see --user)"))?;
    if !is_root() {
        if user.uid == rustix::process::geteuid().as_raw() {
            return Ok(None);
        }
        bail!(
            "no permission to run as {name}: only root can; leave --user away, or start this with sudo"
        );
    }
    if user.uid == 0 {
        bail!("--user {name} is root, and applications do not run as root: name another user");
    }
    user.gid = group.unwrap_or(user.gid);
    Ok(Some(user))
}

/// An existing directory as a full path; the current one when none is given.
fn folder(given: Option<&Path>, option: &str) -> Result<PathBuf> {
    let path = given.unwrap_or(Path::new("."));
    let full = path
        .canonicalize()
        .with_context(|| format!("cannot enter {} (see {option})", path.display()))?;
    match full.is_dir() {
        true => Ok(full),
        false => bail!("{} is not a directory (see {option})", path.display()),
    }
}

fn root(options: &Server) -> Result<PathBuf> {
    let Some(given) = &options.layout.server_root else {
        return Ok(usual_root(options.listen.host.as_deref(), options.listen.port));
    };
    std::path::absolute(given).with_context(|| format!("cannot use {}", given.display()))
}

/// The server root where none is named.
pub(crate) fn usual_root(host: Option<&str>, port: u16) -> PathBuf {
    let host = host.unwrap_or("localhost");
    let user = rustix::process::getuid().as_raw();
    env::temp_dir().join(format!("mod_wsgi_rs-{host}-{port}-{user}"))
}

fn mount(given: &str) -> Result<String> {
    if !given.starts_with('/') {
        bail!("--mount-point {given}: a URL path begins with /");
    }
    Ok(given.trim_end_matches('/').to_owned())
}

fn process_group(options: &Server) -> String {
    let listen = &options.listen;
    let host = listen.server_name.as_deref().or(listen.host.as_deref()).unwrap_or("localhost");
    let given = options.application.process_group.clone();
    given.unwrap_or_else(|| format!("{host}:{}", listen.port))
}

/// Certificate and key, when there is to be TLS.
fn certificate(options: &Server) -> Result<Option<(PathBuf, PathBuf)>> {
    let listen = &options.listen;
    let with_end = |base: &Path, end: &str| {
        let mut name = base.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let pair = match (&listen.ssl_certificate, &listen.ssl_certificate_file) {
        (Some(base), _) => Some((with_end(base, ".crt"), with_end(base, ".key"))),
        (None, Some(file)) => {
            let key = listen.ssl_certificate_key_file.clone();
            Some((
                file.clone(),
                key.context("the certificate has no key: name it with --ssl-certificate-key-file")?,
            ))
        }
        (None, None) => None,
    };
    match (listen.https_port, pair) {
        (None, None) => Ok(None),
        (None, Some(_)) => bail!("a certificate needs --https-port: name the port"),
        (Some(_), None) => bail!(
            "--https-port needs a certificate: name it with --ssl-certificate-file and \
             --ssl-certificate-key-file"
        ),
        (Some(_), Some((certificate, key))) => {
            for file in [&certificate, &key] {
                std::fs::File::open(file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
            }
            Ok(Some((std::path::absolute(certificate)?, std::path::absolute(key)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_an_error_that_names_the_option() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = check_port(Some("127.0.0.1"), port, "--port").unwrap_err().to_string();
        assert!(text.contains("in use") && text.contains("--port"), "{text}");
    }

    #[test]
    fn mount_points_lose_their_last_slash() {
        assert_eq!(mount("/").unwrap(), "");
        assert_eq!(mount("/shop/").unwrap(), "/shop");
        assert!(mount("shop").is_err());
    }
}
