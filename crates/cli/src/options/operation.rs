//! Logs, measuring, services, and where everything lies.

use std::path::PathBuf;

use clap::Args;

/// Logs and reports.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs and reports")]
pub(crate) struct Logs {
    /// Directory of the logs [default: the server root]
    #[arg(long, value_name = "DIR", conflicts_with = "log_to_terminal")]
    pub(crate) log_directory: Option<PathBuf>,

    /// Least level that is logged
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub(crate) log_level: String,

    /// Log to the terminal instead of files
    #[arg(long)]
    pub(crate) log_to_terminal: bool,

    /// Write an access log
    #[arg(long)]
    pub(crate) access_log: bool,

    /// Format of the access log: common, combined, or as of LogFormat
    #[arg(long, value_name = "FORMAT", default_value = "common")]
    pub(crate) access_log_format: String,

    /// Format of the error log, as of ErrorLogFormat
    #[arg(long, value_name = "FORMAT")]
    pub(crate) error_log_format: Option<String>,

    /// Form of what the application logs: text, or json for one object in a line each
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json"])]
    pub(crate) log_format: String,

    /// File name of the error log
    #[arg(long, value_name = "NAME", default_value = "error_log")]
    pub(crate) error_log_name: String,

    /// File name of the access log
    #[arg(long, value_name = "NAME", default_value = "access_log")]
    pub(crate) access_log_name: String,

    /// Write what httpd says before it has an error log into a file
    #[arg(long)]
    pub(crate) startup_log: bool,

    /// File name of that log
    #[arg(long, value_name = "NAME", default_value = "startup_log")]
    pub(crate) startup_log_name: String,

    /// Begin new log files when they have grown
    #[arg(long, conflicts_with = "log_to_terminal")]
    pub(crate) rotate_logs: bool,

    /// Size at which they have grown
    #[arg(long, value_name = "MB", default_value_t = 5)]
    pub(crate) max_log_size: u32,

    /// The program rotatelogs
    #[arg(long, value_name = "FILE")]
    pub(crate) rotatelogs_executable: Option<PathBuf>,

    /// Let applications read httpd's scoreboard
    #[arg(long)]
    pub(crate) server_metrics: bool,

    /// Serve /server-status to this machine
    #[arg(long)]
    pub(crate) server_status: bool,

    /// Socket for reports, as unix:/path
    #[arg(long, value_name = "SOCKET")]
    pub(crate) telemetry_service: Option<String>,

    /// Seconds between reports
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub(crate) telemetry_interval: f64,

    /// What reports contain (repeatable)
    #[arg(long, value_name = "OPTION")]
    pub(crate) telemetry_options: Vec<String>,

    /// Seconds after which a request is reported as slow
    #[arg(long, value_name = "SECONDS", requires = "telemetry_service")]
    pub(crate) slow_requests: Option<f64>,

    /// Run a script beside the application, in a process of its own (repeatable)
    #[arg(long, num_args = 2, value_names = ["NAME", "SCRIPT"])]
    pub(crate) service_script: Vec<String>,

    /// User of a service (repeatable)
    #[arg(long, num_args = 2, value_names = ["NAME", "USER"])]
    pub(crate) service_user: Vec<String>,

    /// Group of a service (repeatable)
    #[arg(long, num_args = 2, value_names = ["NAME", "GROUP"])]
    pub(crate) service_group: Vec<String>,
}

/// Files and programs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files and programs")]
pub(crate) struct Layout {
    /// Directory of everything the server writes [default: mod_wsgi_rs-HOST:PORT:UID in the
    /// temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) server_root: Option<PathBuf>,

    /// File of httpd's process number [default: httpd.pid in the server root]
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,

    /// More configuration of httpd, read last (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) include_file: Vec<PathBuf>,

    /// Rules of mod_rewrite, read before those of the server [default: rewrite.conf in the server
    /// root]
    #[arg(long, value_name = "FILE")]
    pub(crate) rewrite_rules: Option<PathBuf>,

    /// The program httpd [default: $HTTPD, that of apxs, or the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) httpd_executable: Option<PathBuf>,

    /// Directory of httpd's modules
    #[arg(long, value_name = "DIR")]
    pub(crate) modules_directory: Option<PathBuf>,

    /// File of MIME types
    #[arg(long, value_name = "FILE")]
    pub(crate) mime_types: Option<PathBuf>,

    /// Write the files and stop
    #[arg(long)]
    pub(crate) setup_only: bool,
}
