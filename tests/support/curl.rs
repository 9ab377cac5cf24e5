//! TLS and HTTP/2 through `curl`, and the certificate they need.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::builder::Builder;
use super::{Httpd, Port, conf, rundir};

/// Whether httpd has HTTP/2: mod_http2 works with threads only.
fn has_http_2() -> bool {
    conf::mpm() != "prefork"
}

/// A server with a second port for TLS and HTTP/2 on both, and the lines given.
pub fn secure(lines: &str, port: &Port) -> Builder {
    let (certificate, key) = certificate();
    let protocols = if has_http_2() { "h2 h2c http/1.1" } else { "http/1.1" };
    Httpd::with(&format!(
        "Protocols {protocols}\nLogLevel ssl:error\nListen 127.0.0.1:{port}\nSSLSessionCache none\n\
         SSLRandomSeed startup builtin\n{lines}\n\
         <VirtualHost 127.0.0.1:{port}>\nServerName localhost\nSSLEngine On\n\
         SSLCertificateFile {}\nSSLCertificateKeyFile {}\n</VirtualHost>",
        certificate.display(),
        key.display(),
        port = port.number,
    ))
    .modules(if has_http_2() {
        &["socache_shmcb", "ssl", "http2"]
    } else {
        &["socache_shmcb", "ssl"]
    })
}

/// Its base addresses with curl's option for the protocol, and its version: TLS and, where httpd
/// has it, HTTP/2 over TLS and plain.
pub fn ways(server: &Httpd, port: &Port) -> Vec<(String, &'static str, &'static str)> {
    let all = [
        (format!("https://localhost:{}", port.number), "--http1.1", "1.1"),
        (format!("https://localhost:{}", port.number), "--http2", "2"),
        (format!("http://localhost:{}", server.port()), "--http2-prior-knowledge", "2"),
    ];
    all.into_iter().filter(|way| has_http_2() || way.2 != "2").collect()
}

/// What curl made of a request.
pub struct Answer {
    /// curl's exit code: 18 partial file, 56 receive error, 92 HTTP/2 stream error.
    pub exit: i32,
    /// Status code.
    pub status: u16,
    /// `1.1`, `2`.
    pub version: String,
    /// Head of the answer as text.
    pub head: String,
    /// Body.
    pub body: Vec<u8>,
    /// curl's own words when it failed.
    pub error: String,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Runs curl with the arguments, never using a proxy or the user's settings.
pub fn curl(arguments: &[&str]) -> Answer {
    let folder = tempfile::tempdir_in(&rundir::run().path).expect("folder for curl");
    let (head, body) = (folder.path().join("head"), folder.path().join("body"));
    let done = Command::new("curl")
        .args(["-q", "--noproxy", "*", "-sS", "-k", "--max-time", "30"])
        .args(["-w", "%{http_code} %{http_version}"])
        .arg("-D")
        .arg(&head)
        .arg("-o")
        .arg(&body)
        .args(arguments)
        .output()
        .expect("curl");
    let words = String::from_utf8_lossy(&done.stdout).into_owned();
    let (status, version) = words.split_once(' ').unwrap_or(("0", ""));
    Answer {
        exit: done.status.code().unwrap_or(-1),
        status: status.parse().unwrap_or(0),
        version: version.to_owned(),
        head: std::fs::read_to_string(&head).unwrap_or_default(),
        body: std::fs::read(&body).unwrap_or_default(),
        error: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

fn spawn(arguments: &[&str]) -> Child {
    Command::new("curl")
        .args(["-q", "--noproxy", "*", "-sS", "-k", "-N", "--max-time", "30"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl")
}

/// Runs curl and hands each piece of the body to `arrived` as it comes.
pub fn streamed(arguments: &[&str], mut arrived: impl FnMut(&str)) {
    let mut child = spawn(arguments);
    let mut output = child.stdout.take().expect("output of curl");
    let mut block = [0_u8; 4_096];
    while let Ok(count) = output.read(&mut block) {
        if count == 0 {
            break;
        }
        arrived(&String::from_utf8_lossy(&block[..count]));
    }
    assert!(child.wait().expect("curl").success(), "curl failed");
}

/// Runs curl and kills it in the middle of the body.
pub fn aborted(arguments: &[&str]) {
    let mut child = spawn(arguments);
    let mut output = child.stdout.take().expect("output of curl");
    output.read_exact(&mut [0_u8; 100_000]).expect("the beginning of a body");
    child.kill().expect("curl");
    child.wait().expect("curl");
}

/// Runs curl, which stops reading after the first bytes until `meanwhile` is done; gives its exit
/// code and the body as far as it came.
pub fn paused(arguments: &[&str], meanwhile: impl FnOnce()) -> (i32, Vec<u8>) {
    let mut child = spawn(arguments);
    let mut output = child.stdout.take().expect("output of curl");
    let mut body = vec![0_u8; 1];
    output.read_exact(&mut body).expect("the beginning of a body");
    meanwhile();
    output.read_to_end(&mut body).expect("the body");
    (child.wait().expect("curl").code().unwrap_or(-1), body)
}

/// The same where all of the body must come.
pub fn slowly(arguments: &[&str], meanwhile: impl FnOnce()) -> Vec<u8> {
    let (exit, body) = paused(arguments, meanwhile);
    assert_eq!(exit, 0, "curl failed");
    body
}

/// A self-signed certificate for localhost with its key, made once per run.
pub fn certificate() -> &'static (PathBuf, PathBuf) {
    static PAIR: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let folder: &Path = &rundir::run().path;
        let (certificate, key) = (folder.join("localhost.crt"), folder.join("localhost.key"));
        let done = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        (certificate, key)
    })
}
