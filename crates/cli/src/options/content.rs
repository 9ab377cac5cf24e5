//! What is served besides the application, and how.

use std::path::PathBuf;

use clap::Args;

/// Files, pages and other servers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Content")]
pub(crate) struct Content {
    /// Directory of static files; a file there is served instead of the application
    #[arg(long, value_name = "DIR")]
    pub(crate) document_root: Option<PathBuf>,

    /// File that is served for a directory of static files
    #[arg(long, value_name = "FILE")]
    pub(crate) directory_index: Option<String>,

    /// List directories of static files
    #[arg(long)]
    pub(crate) directory_listing: bool,

    /// What .htaccess files may override, as of AllowOverride (repeatable)
    #[arg(long, value_name = "TYPE")]
    pub(crate) allow_override: Vec<String>,

    /// Serve a file or directory at a URL (repeatable)
    #[arg(long, num_args = 2, value_names = ["URL", "PATH"])]
    pub(crate) url_alias: Vec<String>,

    /// URL of the page for a status (repeatable)
    #[arg(long, num_args = 2, value_names = ["STATUS", "URL"])]
    pub(crate) error_document: Vec<String>,

    /// httpd's error pages replace those of the application
    #[arg(long)]
    pub(crate) error_override: bool,

    /// Script that answers for files with an extension (repeatable)
    #[arg(long, num_args = 2, value_names = ["EXTENSION", "SCRIPT"])]
    pub(crate) add_handler: Vec<String>,

    /// Accept request bodies of unknown length
    #[arg(long)]
    pub(crate) chunked_request: bool,

    /// Whether the application sees HEAD as GET
    #[arg(long, value_name = "WHEN", default_value = "Auto", ignore_case = true, value_parser = ["Off", "On", "Auto"])]
    pub(crate) map_head_to_get: String,

    /// Compress text, JSON and scripts
    #[arg(long)]
    pub(crate) compress_responses: bool,

    /// Send files by sendfile
    #[arg(long)]
    pub(crate) enable_sendfile: bool,

    /// Run .cgi files among the static ones
    #[arg(long)]
    pub(crate) with_cgi: bool,

    /// Pass a URL path on to another server (repeatable)
    #[arg(long, alias = "proxy-url-alias", num_args = 2, value_names = ["PATH", "URL"])]
    pub(crate) proxy_mount_point: Vec<String>,

    /// Pass a host name on to another server (repeatable)
    #[arg(long, num_args = 2, value_names = ["HOSTNAME", "URL"])]
    pub(crate) proxy_virtual_host: Vec<String>,

    /// Header of a proxy in front that is believed (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(crate) trust_proxy_header: Vec<String>,

    /// Address or network of a proxy that is believed (repeatable) [default: every peer]
    #[arg(long, value_name = "ADDRESS", requires = "trust_proxy_header")]
    pub(crate) trust_proxy: Vec<String>,

    /// Script whose allow_access decides about hosts
    #[arg(long, value_name = "SCRIPT")]
    pub(crate) host_access_script: Option<PathBuf>,

    /// Script whose check_password or get_realm_hash knows the users
    #[arg(long, value_name = "SCRIPT")]
    pub(crate) auth_user_script: Option<PathBuf>,

    /// How users log in
    #[arg(long, value_name = "TYPE", default_value = "Basic", value_parser = ["Basic", "Digest"])]
    pub(crate) auth_type: String,

    /// Script whose groups_for_user knows the groups of users
    #[arg(long, value_name = "SCRIPT", requires = "auth_user_script")]
    pub(crate) auth_group_script: Option<PathBuf>,

    /// Group that users must be in
    #[arg(long, value_name = "NAME", default_value = "wsgi")]
    pub(crate) auth_group: String,
}
