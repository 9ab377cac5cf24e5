//! Where the server listens, what it is called, and TLS.

use std::path::PathBuf;

use clap::Args;

/// Addresses, names, TLS.
#[derive(Debug, Args)]
#[command(next_help_heading = "Address, names and TLS")]
pub(crate) struct Listen {
    /// Address to listen on [default: all]
    #[arg(long, value_name = "IP")]
    pub(crate) host: Option<String>,

    /// Port for HTTP
    #[arg(long, value_name = "PORT", default_value_t = 8000, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,

    /// Speak HTTP/2 as well
    #[arg(long)]
    pub(crate) http2: bool,

    /// Port for HTTPS; needs a certificate and its key
    #[arg(long, alias = "ssl-port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) https_port: Option<u16>,

    /// Certificate of the server (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ssl_certificate_file: Option<PathBuf>,

    /// Key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ssl_certificate_key_file: Option<PathBuf>,

    /// Both at once: BASE.crt and BASE.key
    #[arg(long, value_name = "BASE", conflicts_with_all = ["ssl_certificate_file", "ssl_certificate_key_file"])]
    pub(crate) ssl_certificate: Option<PathBuf>,

    /// Certificates between the server's and the root's
    #[arg(long, value_name = "FILE")]
    pub(crate) ssl_certificate_chain_file: Option<PathBuf>,

    /// Authority of the certificates that clients must have
    #[arg(long, value_name = "FILE")]
    pub(crate) ssl_ca_certificate_file: Option<PathBuf>,

    /// Ask for a client's certificate below this URL only (repeatable)
    #[arg(long, value_name = "URL", requires = "ssl_ca_certificate_file")]
    pub(crate) ssl_verify_client: Vec<String>,

    /// Give applications the SSL_* variables
    #[arg(long)]
    pub(crate) ssl_environment: bool,

    /// Redirect HTTP to HTTPS
    #[arg(long, requires = "https_port")]
    pub(crate) https_only: bool,

    /// Value of the header Strict-Transport-Security
    #[arg(long, value_name = "PARAMETERS", requires = "https_only")]
    pub(crate) hsts_policy: Option<String>,

    /// Name of the server: requests for other names are denied
    #[arg(long, value_name = "HOSTNAME")]
    pub(crate) server_name: Option<String>,

    /// Another name of the server, also with * (repeatable)
    #[arg(long, value_name = "HOSTNAME", requires = "server_name")]
    pub(crate) server_alias: Vec<String>,

    /// Answer requests from this machine whatever name they are for
    #[arg(long)]
    pub(crate) allow_localhost: bool,
}
