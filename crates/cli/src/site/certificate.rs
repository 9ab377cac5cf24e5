//! The certificate of the server and its key.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::options::Server;

/// Certificate and key, when there is to be TLS.
pub(super) fn certificate(options: &Server) -> Result<Option<(PathBuf, PathBuf)>> {
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
