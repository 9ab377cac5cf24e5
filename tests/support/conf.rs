//! The text of `httpd.conf`: the least that lets httpd serve, plus what a test asks for.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::rundir::{self, is_root, output_of};

/// Where the Python of a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In httpd's children.
    Embedded,
    /// In a daemon process group named `app`.
    Daemon,
}

impl Mode {
    /// The configuration lines that choose the placement.
    pub fn conf(self) -> &'static str {
        match self {
            Mode::Embedded => "",
            Mode::Daemon => "WSGIDaemonProcess app processes=1 threads=5\nWSGIProcessGroup app\n",
        }
    }

    /// True in daemon mode.
    pub fn is_daemon(self) -> bool {
        self == Mode::Daemon
    }

    /// One of two values, by placement.
    pub fn pick<T>(self, embedded: T, daemon: T) -> T {
        if self.is_daemon() { daemon } else { embedded }
    }
}

/// Modules every server loads.
const MODULES: &[&str] = &[
    "authz_core",
    "mime",
    "dir",
    "alias",
    "env",
    "setenvif",
    "rewrite",
    "headers",
    "log_config",
    "unixd",
];

/// Folder of httpd's modules.
pub fn libexec() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| PathBuf::from(output_of(&apxs(), &["-q", "LIBEXECDIR"])))
}

/// The `apxs` in use.
fn apxs() -> String {
    std::env::var("APXS").unwrap_or_else(|_| "apxs".to_owned())
}

/// The httpd program.
pub fn httpd_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let apxs = apxs();
        let folder = output_of(&apxs, &["-q", "SBINDIR"]);
        let name = output_of(&apxs, &["-q", "PROGNAME"]);
        Path::new(&folder).join(if name.is_empty() { "apache2" } else { &name })
    })
}

/// The MPM of this run: `MPM`, default event.
pub fn mpm() -> String {
    std::env::var("MPM").unwrap_or_else(|_| "event".to_owned())
}

/// The user httpd's children and daemons run as when the suite is root.
pub fn user() -> &'static str {
    static USER: OnceLock<String> = OnceLock::new();
    USER.get_or_init(|| {
        let known = !output_of("id", &["-u", "www-data"]).is_empty();
        if known { "www-data" } else { "nobody" }.to_owned()
    })
}

/// The group that goes with [`user`].
pub fn group() -> String {
    output_of("id", &["-gn", user()])
}

/// One `LoadModule` line, or nothing for a module built into httpd.
fn load(text: &mut String, name: &str) {
    let file = libexec().join(format!("mod_{name}.so"));
    if file.exists() {
        writeln!(text, "LoadModule {name}_module {}", file.display()).expect("text");
    }
}

/// What a configuration file is made of.
pub struct Parts<'a> {
    /// ServerRoot of this server.
    pub root: &'a Path,
    /// Port of plain HTTP.
    pub port: u16,
    /// Further modules.
    pub modules: &'a [String],
    /// The module to load, when it is not the one under test.
    pub module: Option<&'a Path>,
    /// Lines that replace the default number of children and threads.
    pub sizing: Option<&'a str>,
    /// The test's lines, after those of the placement.
    pub body: &'a str,
}

/// The whole text of `httpd.conf`.
pub fn text(parts: &Parts<'_>) -> String {
    let mut text = String::new();
    load(&mut text, &format!("mpm_{}", mpm()));
    for name in MODULES.iter().copied().chain(parts.modules.iter().map(String::as_str)) {
        load(&mut text, name);
    }
    let module = parts.module.unwrap_or(&rundir::run().module).display();
    writeln!(text, "LoadModule wsgi_module {module}").expect("text");
    text.push_str(FRAME);
    if is_root() {
        writeln!(text, "User {}\nGroup {}", user(), group()).expect("text");
    }
    if super::original::is_original() {
        // Its default prefix is compiled in; ours is below DefaultRuntimeDir or needs no file.
        text.push_str("WSGISocketPrefix @root@/run/wsgi\n");
    }
    text.push_str(parts.sizing.unwrap_or_else(|| sizing()));
    text.push_str(parts.body);
    substitute(&text, parts.root, parts.port)
}

/// Replaces `@root@`, `@apps@`, `@port@`, `@venv@`, `@level@`, `@user@` and `@group@`.
pub fn substitute(text: &str, root: &Path, port: u16) -> String {
    let level = match std::env::var("LOG").as_deref() {
        Ok("trace") => "trace6",
        _ if super::original::is_original() => "info",
        _ => "debug",
    };
    let mut text = text
        .replace("@root@", &root.display().to_string())
        .replace("@apps@", &rundir::run().apps.display().to_string())
        .replace("@port@", &port.to_string())
        .replace("@level@", level);
    if text.contains("@user@") || text.contains("@group@") {
        text = text.replace("@user@", user()).replace("@group@", &group());
    }
    if text.contains("@venv@") {
        let venv = rundir::venv().expect("a test with @venv@ checks for WSGI_TEST_VENV first");
        text = text.replace("@venv@", &venv.display().to_string());
    }
    text
}

/// Small numbers of children and threads: enough for every test.
fn sizing() -> &'static str {
    match mpm().as_str() {
        "prefork" => "StartServers 2\nMinSpareServers 1\nMaxSpareServers 4\nMaxRequestWorkers 8\n",
        _ => {
            "StartServers 1\nServerLimit 2\nThreadsPerChild 10\nMinSpareThreads 1\n\
             MaxSpareThreads 20\nMaxRequestWorkers 20\n"
        }
    }
}

/// One child; with prefork that is one request at a time.
pub fn one_child() -> &'static str {
    match mpm().as_str() {
        "prefork" => "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\nMaxRequestWorkers 1\n",
        _ => {
            "StartServers 1\nServerLimit 1\nThreadsPerChild 10\nMinSpareThreads 1\n\
             MaxSpareThreads 10\nMaxRequestWorkers 10\n"
        }
    }
}

/// Room for 64 requests at a time, in two children where children have threads.
pub fn many_clients() -> &'static str {
    match mpm().as_str() {
        "prefork" => {
            "StartServers 16\nMinSpareServers 8\nMaxSpareServers 64\nServerLimit 64\n\
             MaxRequestWorkers 64\n"
        }
        _ => {
            "StartServers 2\nServerLimit 8\nThreadsPerChild 32\nMinSpareThreads 1\n\
             MaxSpareThreads 64\nMaxRequestWorkers 64\n"
        }
    }
}

/// The part that does not vary.
const FRAME: &str = r#"
ServerRoot "@root@"
DefaultRuntimeDir "@root@/run"
PidFile "@root@/run/httpd.pid"
ServerName localhost
ServerAdmin admin@localhost
Listen 127.0.0.1:@port@
ErrorLog "@root@/error.log"
LogLevel info wsgi:@level@
LogFormat "%m %U %>s %X" brief
CustomLog "@root@/access.log" brief
TypesConfig /dev/null
DocumentRoot "@root@/htdocs"
Timeout 20
KeepAliveTimeout 20
GracefulShutdownTimeout 10
SetEnv TEST_ROOT "@root@"
SetEnv TEST_OUT "@root@/out"
<Directory />
    Require all granted
    AllowOverride None
</Directory>
"#;
