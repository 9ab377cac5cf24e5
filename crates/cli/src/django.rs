//! What a server must know of a Django project: its settings are asked in a Python of their own.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use wsgi_httpd::User;

/// The question.
const QUESTION: &str = include_str!("django.py");

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Project {
    /// Module of the WSGI application.
    pub(crate) module: String,
    /// Its callable.
    pub(crate) callable: String,
    /// Module of the settings.
    pub(crate) settings: String,
    /// URL and directory of the static files, where httpd is to serve them.
    #[serde(rename = "static")]
    pub(crate) statics: Option<(String, String)>,
}

/// Asks the project in a folder, as the user who will run it.
pub(crate) fn ask(folder: &Path, python: &Path, user: Option<&User>) -> Result<Project> {
    let mut command = Command::new(python);
    command.args(["-c", QUESTION]).arg(folder).stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    let output = command
        .output()
        .with_context(|| format!("cannot start {} (see --python-home)", python.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let answer = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    let Some(answer) = answer.filter(|_| output.status.success()) else {
        let errors = String::from_utf8_lossy(&output.stderr);
        let why = errors.trim_end().lines().last().unwrap_or("it gave no answer");
        bail!("the Django project in {} cannot be used: {why}", folder.display());
    };
    Ok(answer)
}
