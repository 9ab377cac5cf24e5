//! The folder of a server: its configuration, the scripts httpd runs, and apachectl.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wsgi_httpd::program::quoted;

use crate::application::Application;
use crate::conf;
use crate::site::Site;

/// The user's own rules; made once, never overwritten.
pub(crate) const REWRITE_RULES: &str = "rewrite.conf";

/// Python that ends its process when a file of the application changes.
const RELOADER: &str = include_str!("../../../python/mod_wsgi_rs/reloader.py");

/// The page that shows that the server works.
const DEMO: [(&str, &str); 2] = [
    ("application.wsgi", include_str!("../../../examples/hello/hello.wsgi")),
    ("page.html", include_str!("../../../examples/hello/page.html")),
];

/// Writes everything.
pub(crate) fn write(site: &Site) -> Result<()> {
    make_root(&site.root)?;
    make_folder(&site.root.join("htdocs"))?;
    if let Some(folder) = &site.options.logs.log_directory {
        make_folder(folder)?;
    }
    let put = |name: &str, text: &str, mode| put(&site.root.join(name), text, mode);
    match script(site) {
        Some(text) => put("application.wsgi", &text, 0o644)?,
        None if site.application == Application::Demo => {
            for (name, text) in DEMO {
                put(name, text, 0o644)?;
            }
        }
        None => {}
    }
    if site.options.application.reload_on_changes {
        put("reloader.py", &format!("{RELOADER}\n\nstart_reloader()\n"), 0o644)?;
    }
    for (name, text) in [
        (REWRITE_RULES, "# Rules of mod_rewrite for the whole server.\n"),
        ("envvars", "# Variables for httpd and the application: export NAME=value\n"),
    ] {
        if !site.root.join(name).exists() {
            put(name, text, 0o644)?;
        }
    }
    put("apachectl", &apachectl(site)?, 0o755)?;
    // Values of --setenv may be secrets.
    put("httpd.conf", &conf::text(site)?, 0o600)
}

/// The configuration.
pub(crate) fn configuration(site: &Site) -> PathBuf {
    site.root.join("httpd.conf")
}

/// The words that have this server's httpd read its configuration; it complains on standard error.
pub(crate) fn httpd(site: &Site) -> Result<Vec<String>> {
    let mut words = vec![text(&site.httpd.program)?, "-d".to_owned(), text(&site.root)?];
    words.extend(["-f".to_owned(), text(&configuration(site))?]);
    Ok(words)
}

/// The words that start it: its complaints may belong into a file.
pub(crate) fn starting_httpd(site: &Site) -> Result<Vec<String>> {
    let mut words = httpd(site)?;
    if site.options.logs.startup_log {
        let log = conf::log_file(site, &site.options.logs.startup_log_name)?;
        words.extend(["-E".to_owned(), text(&log)?]);
    }
    Ok(words)
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a path is not UTF-8")?.to_owned())
}

/// The script of an application that has none of its own.
fn script(site: &Site) -> Option<String> {
    let module = |module: &str, callable: &str| {
        format!(
            "\"\"\"{module}:{callable} for httpd; written by mod-wsgi-rs, anew at each start.\"\"\"\n\n\
             import importlib\n\napplication = importlib.import_module(\"{module}\").{callable}\n"
        )
    };
    match (&site.application, &site.django) {
        (Application::Django(_), Some(project)) => Some(module(&project.module, &project.callable)),
        (Application::Module { module: name, callable }, _) => {
            let option = &site.options.application.callable_object;
            Some(module(name, callable.as_ref().unwrap_or(option)))
        }
        (Application::Paste(path), _) => Some(format!(
            "\"\"\"A Paste application for httpd; written by mod-wsgi-rs, anew at each start.\"\"\"\n\n\
             from paste.deploy import loadapp\n\napplication = loadapp({})\n",
            // A string of JSON is one of Python.
            serde_json::Value::from(format!("config:{}", path.display()))
        )),
        _ => None,
    }
}

/// The control script.
fn apachectl(site: &Site) -> Result<String> {
    let line =
        |words: Vec<String>| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let (httpd, test) = (line(starting_httpd(site)?), line(httpd(site)?));
    let root = quoted(&site.root.display().to_string());
    Ok(format!(
        "#!/bin/sh\n\
         # Starts and stops the server in {root}; written by mod-wsgi-rs.\n\
         # Variables for httpd and the application belong into the file envvars.\n\
         . {root}/envvars\n\
         case \"$1\" in\n\
         start|stop|restart|graceful|graceful-stop)\n    \
             command=$1\n    \
             shift\n    \
             exec {httpd} -k \"$command\" \"$@\"\n    ;;\n\
         configtest)\n    exec {test} -t\n    ;;\n\
         *)\n    exec {httpd} \"$@\"\n    ;;\n\
         esac\n"
    ))
}

/// The server's folder. Its usual name can be known in advance, and everybody may write to the
/// temporary directory: what somebody else made there is not used.
fn make_root(root: &Path) -> Result<()> {
    make_folder(root)?;
    let found = fs::symlink_metadata(root).with_context(|| format!("{}", root.display()))?;
    let own = rustix::process::geteuid().as_raw();
    if !found.is_dir() || found.uid() != own || found.mode() & 0o022 != 0 {
        bail!(
            "{} was not made by this user alone: remove it, or name another folder with \
             --server-root",
            root.display()
        );
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
        // Whatever the umask is: httpd's user must enter.
        Ok(()) => Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?),
    }
}

/// Writes a file by a rename: a running httpd may be reading the old one.
fn put(path: &Path, text: &str, mode: u32) -> Result<()> {
    let temporary = path.with_extension(format!("new{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(&temporary)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        fs::rename(&temporary, path)
    };
    let written = write();
    if written.is_err() {
        // In a container the next start may have the same process number.
        fs::remove_file(&temporary).ok();
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_that_others_could_have_made_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        make_root(&root).unwrap();
        make_root(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(make_root(&root).unwrap_err().to_string().contains("--server-root"));
        let link = folder.path().join("link");
        symlink("/etc", &link).unwrap();
        assert!(make_root(&link).is_err());
    }

    #[test]
    fn a_file_has_its_mode_and_no_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("httpd.conf");
        put(&path, "one", 0o600).unwrap();
        put(&path, "two", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("httpd.conf");
        fs::create_dir(&path).unwrap();
        put(&path, "text", 0o600).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
