//! A server, completely decided: what follows from the options, from who calls and from the machine.
//! Whatever can be known to be wrong is an error here, before anything is written or started.

mod account;
mod certificate;
mod ports;

use std::path::{self, Path, PathBuf};
use std::{env, io};

use anyhow::{Context, Result, bail};
use wsgi_httpd::{Httpd, User, Wanted};

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
    pub(crate) fn new(mut options: Server) -> Result<Self> {
        // httpd takes a path that is not complete for one below the server's folder.
        if let Some(given) = &mut options.content.document_root {
            folder(Some(given), "--document-root")?;
            *given = path::absolute(&*given)?;
        }
        let installation = Installation::find()?;
        let httpd = Httpd::find(&Wanted {
            program: options.layout.httpd_executable.as_deref().map(program).transpose()?,
            modules: options.layout.modules_directory.as_deref().map(path::absolute).transpose()?,
            apxs: None,
        })?;
        let account = account::account(&options)?;
        let given = &options.application;
        let python_home = installation::python_home(given.python_home.as_deref());
        let start = folder(given.working_directory.as_deref(), "--working-directory")?;
        let application = application(&options, &start)?;
        let mut working_directory = start;
        let mut django = None;
        if let Application::Django(folder) = &application {
            let python = installation::interpreter(python_home.as_deref());
            django = Some(django::ask(folder, &python, account.as_ref())?);
            if given.working_directory.is_none() {
                working_directory.clone_from(folder);
            }
        }
        Ok(Self {
            root: root(&options)?,
            mount: mount(&given.mount_point)?,
            process_group: process_group(&options),
            certificate: certificate::certificate(&options)?,
            options,
            httpd,
            installation,
            application,
            django,
            account,
            working_directory,
            python_home,
        })
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
        ports::check(listen.host.as_deref(), listen.port, "--port")?;
        match listen.https_port {
            Some(port) => ports::check(listen.host.as_deref(), port, "--https-port"),
            None => Ok(()),
        }
    }
}

/// An IPv6 address as part of a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// What is to be served, found where modules are looked for.
fn application(options: &Server, start: &Path) -> Result<Application> {
    let given = &options.application;
    let mut places = vec![start.to_path_buf()];
    places.extend(given.python_path.iter().cloned());
    let app = given.app.as_deref().or(given.entry_point.as_deref());
    Application::find(app, given.application_type, &places)
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

/// A program as a full path, unless it is a name to be looked for.
fn program(given: &Path) -> io::Result<PathBuf> {
    if given.components().count() > 1 { path::absolute(given) } else { Ok(given.to_path_buf()) }
}

fn root(options: &Server) -> Result<PathBuf> {
    let Some(given) = &options.layout.server_root else {
        return Ok(usual_root(options.listen.host.as_deref(), options.listen.port));
    };
    path::absolute(given).with_context(|| format!("cannot use {}", given.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_lose_their_last_slash() {
        assert_eq!(mount("/").unwrap(), "");
        assert_eq!(mount("/shop/").unwrap(), "/shop");
        assert!(mount("shop").is_err());
    }
}
