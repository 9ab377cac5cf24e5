//! The application and the Python it runs in.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What an entry point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A file of Python.
    Script,
    /// A module, with the callable after a colon.
    Module,
    /// A Paste Deploy ini file.
    Paste,
    /// A directory of static files.
    Static,
    /// A Django project: the directory of manage.py.
    Django,
}

/// The application.
#[derive(Debug, Args)]
#[command(next_help_heading = "Application")]
pub(crate) struct Application {
    /// Script, package.module:callable, Django project, or directory of static files
    #[arg(value_name = "APP")]
    pub(crate) app: Option<String>,

    /// The same as APP
    #[arg(long, value_name = "APP", conflicts_with = "app")]
    pub(crate) entry_point: Option<String>,

    /// What APP is, where that is not plain
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(crate) application_type: Option<Kind>,

    /// Name of the callable
    #[arg(long, value_name = "NAME", default_value = "application")]
    pub(crate) callable_object: String,

    /// Name of the interpreter
    #[arg(long, value_name = "NAME", default_value = "%{GLOBAL}")]
    pub(crate) application_group: String,

    /// Name of the process group [default: HOST:PORT]
    #[arg(long, value_name = "NAME")]
    pub(crate) process_group: Option<String>,

    /// URL path of the application
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub(crate) mount_point: String,

    /// Run the application inside httpd's own processes
    #[arg(long)]
    pub(crate) embedded_mode: bool,

    /// Directory the application runs in, first on sys.path [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) working_directory: Option<PathBuf>,

    /// Directory for sys.path (repeatable)
    #[arg(long, value_name = "DIR")]
    pub(crate) python_path: Vec<PathBuf>,

    /// Python installation or virtual environment [default: $VIRTUAL_ENV, or the Python of the command]
    #[arg(long, value_name = "DIR")]
    pub(crate) python_home: Option<PathBuf>,

    /// Directory for unpacked eggs
    #[arg(long, value_name = "DIR")]
    pub(crate) python_eggs: Option<PathBuf>,

    /// Warning filter as of python -W (repeatable)
    #[arg(long, value_name = "FILTER")]
    pub(crate) python_warnings: Vec<String>,

    /// Seconds after which a thread is asked to give up Python's lock
    #[arg(long, value_name = "SECONDS")]
    pub(crate) switch_interval: Option<f64>,

    /// Run a free-threaded Python without its lock
    #[arg(long)]
    pub(crate) free_threading: bool,

    /// End processes without ending their interpreters
    #[arg(long)]
    pub(crate) orphan_interpreter: bool,

    /// Locale of the application's processes
    #[arg(long, alias = "lang", value_name = "NAME")]
    pub(crate) locale: Option<String>,

    /// Entry for the environ of every request (repeatable)
    #[arg(long, num_args = 2, value_names = ["NAME", "VALUE"])]
    pub(crate) setenv: Vec<String>,

    /// Variable of this environment for the environ of every request (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(crate) passenv: Vec<String>,

    /// Reload when any loaded Python file changes
    #[arg(long)]
    pub(crate) reload_on_changes: bool,

    /// Do not reload when the script itself changes
    #[arg(long, conflicts_with = "reload_on_changes")]
    pub(crate) disable_reloading: bool,

    /// User the application runs as; needed when root starts it
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// Group the application runs as [default: that of the user]
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,

    /// Start without loading the application once to see that it loads
    #[arg(long)]
    pub(crate) skip_check: bool,
}
