//! The developer's commands: `cargo xtask serve` as the README has it, `install`, `uninstall`.
//!
//! Enabled by `WSGI_TEST_XTASK=1`, which `cargo xtask test` sets; once, on the event MPM.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Mutex;

use crate::support::process::{self, Process};
use crate::support::{Connection, Httpd, Response, poll, rundir};

/// Ends a test, by name, where the developer's commands are not to be run.
macro_rules! needs_xtask {
    () => {
        let asked = std::env::var("WSGI_TEST_XTASK").is_ok_and(|value| value == "1");
        if !asked
            || $crate::support::original::is_original()
            || $crate::support::conf::mpm() != "event"
        {
            $crate::support::original::skipped(
                "needs WSGI_TEST_XTASK=1, our module and the event MPM",
            );
            return;
        }
    };
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A command line run by a shell in the repository, without any network: what it needs is there.
pub fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]).current_dir(repository());
    command.env("CARGO_NET_OFFLINE", "true");
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    // What cargo tells a test about its own package is not for the cargo started here.
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).process_group(0);
    command
}

/// A running `cargo xtask serve`.
struct Serve {
    child: Child,
    lines: Vec<String>,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Serve {
    /// Runs a serve line and reads its output up to the address.
    fn start(line: &str) -> Serve {
        let mut child = shell(line).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut serve = Serve { child, lines: Vec::new(), output, port: 0 };
        while serve.port == 0 {
            let mut text = String::new();
            let count = serve.output.read_line(&mut text).unwrap();
            assert!(count > 0, "{line} ended without an address:\n{}", serve.lines.concat());
            if let Some(rest) = text.trim().strip_prefix("http://127.0.0.1:") {
                serve.port = rest.trim_end_matches('/').parse().unwrap();
            }
            serve.lines.push(text);
        }
        serve
    }

    /// Ctrl-C in its terminal: a signal to the process group made for the command.
    fn press_ctrl_c(&self) {
        process::signal_group(self.child.id() as i32, libc::SIGINT);
    }

    fn get(&self, target: &str) -> Response {
        let mut connection = Connection::open(self.port);
        connection.request("GET", target, &[("Connection", "close")], b"");
        connection.response()
    }

    /// Presses Ctrl-C; asserts exit 0 and that nothing is left.
    fn interrupt(mut self) {
        let tree = process::tree(self.child.id() as i32);
        assert!(tree.len() >= 3, "{tree:?}");
        let httpd = tree.iter().find(|one| one.command().contains("httpd.conf")).unwrap();
        let command = httpd.command();
        let folder = command.split(' ').skip_while(|word| *word != "-d").nth(1).unwrap();
        let folder = PathBuf::from(folder);
        assert!(folder.exists());
        self.press_ctrl_c();
        // Its output must be read, or it could block on a full pipe.
        let mut rest = String::new();
        while self.output.read_line(&mut rest).unwrap() > 0 {}
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}{rest}", self.lines.concat());
        poll("its processes to be gone", || {
            tree.iter().all(|one: &Process| !one.is_alive()).then_some(())
        });
        assert!(!folder.exists(), "{} is left", folder.display());
    }
}

impl Drop for Serve {
    /// A test that failed half-way leaves nothing running either.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.press_ctrl_c();
            self.child.wait().ok();
        }
    }
}

/// A port that is ours, and what holds it.
fn own_port() -> (u16, TcpListener) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    (listener.local_addr().unwrap().port(), listener)
}

/// The addresses a page links to on its own server.
fn links(page: &str) -> Vec<String> {
    let quoted = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    quoted
        .filter(|link| !["http", "#", "data:"].iter().any(|other| link.starts_with(other)))
        .map(str::to_owned)
        .collect()
}

one! {
    fn the_serve_line_of_the_readme_shows_the_page_and_ends_cleanly() {
        needs_xtask!();
        let readme = fs::read_to_string(repository().join("README.md")).unwrap();
        let line = readme.lines().map(str::trim).find(|line| line.starts_with("cargo xtask serve"));
        let serve = Serve::start(line.expect("README has a serve line"));
        let page = serve.get("/").ok();
        assert!(page.contains("<html") && page.contains("wsgi.version"), "{page}");
        let links = links(&page);
        assert!(links.len() >= 3, "{links:?}");
        for link in links {
            let target = format!("/{}", link.trim_start_matches('/'));
            let status = serve.get(&target).status();
            let is_error = target.contains("err");
            assert!(status == 200 || is_error && status >= 400, "{target}: {status}");
        }
        serve.interrupt();
    }

    fn serve_takes_a_script_of_a_private_folder_and_runs_it_embedded() {
        needs_xtask!();
        // 0700, as a home is: httpd's user may not read it there.
        let folder = tempfile::tempdir().unwrap();
        rundir::mode(folder.path(), 0o700);
        let script = folder.path().join("own.wsgi");
        fs::copy(repository().join("tests/apps/environ.py"), &script).unwrap();
        let serve = Serve::start(&format!("cargo xtask serve {} --embedded", script.display()));
        let text = serve.get("/some/path").ok();
        assert!(text.contains("'PATH_INFO'\tstr\t'/some/path'"), "{text}");
        assert!(text.contains("'mod_wsgi.process_group'\tstr\t''"), "{text}");
        serve.interrupt();
    }

    fn serve_avoids_a_taken_port_unless_it_was_named() {
        needs_xtask!();
        // Somebody else may have had the port, and given it back since: then once more.
        let (_taken, serve) = poll("a port that stays taken", || {
            let taken = TcpListener::bind(("127.0.0.1", 8000));
            let serve = Serve::start("cargo xtask serve");
            (taken.is_ok() || serve.port != 8000).then_some((taken, serve))
        });
        assert_ne!(serve.port, 8000);
        assert!(serve.lines.concat().contains("8000"), "{}", serve.lines.concat());
        serve.interrupt();
        let (port, listener) = own_port();
        let done = shell(&format!("cargo xtask serve --port {port}")).output().unwrap();
        drop(listener);
        assert!(!done.status.success());
        let text = String::from_utf8_lossy(&done.stderr);
        assert!(text.contains(&port.to_string()), "{text}");
    }
}

/// An `apxs` that names folders of ours for what an installation writes.
fn apxs(folder: &Path) -> PathBuf {
    for name in ["modules", "etc/mods-available", "etc/mods-enabled"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    rundir::mode(folder, 0o755);
    let path = folder.join("apxs");
    let real = std::env::var("APXS").unwrap_or_else(|_| "apxs".to_owned());
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in\n*LIBEXECDIR*) echo {0}/modules ;;\n\
         *SYSCONFDIR*) echo {0}/etc ;;\n*) exec {real} \"$@\" ;;\nesac\n",
        folder.display()
    );
    fs::write(&path, text).unwrap();
    rundir::mode(&path, 0o755);
    path
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let text = rundir::output_of("find", &[folder.to_str().unwrap(), "-type", "f"]);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

pub fn succeeded(done: &Output) -> String {
    let text = [done.stdout.as_slice(), done.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(done.status.success(), "{text}");
    text
}

/// A package of what the stage holds, built once; its file.
pub fn built(kind: &'static str, end: &str) -> PathBuf {
    static FILES: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut files = FILES.lock().unwrap();
    let build = || {
        let line = format!("cargo xtask {kind} --no-build");
        let text = succeeded(&shell(&line).output().unwrap());
        let file = text.lines().find_map(|line| line.strip_prefix("xtask: wrote "));
        PathBuf::from(file.expect(&text))
    };
    let file = files.entry(kind).or_insert_with(build).clone();
    assert!(file.display().to_string().ends_with(end), "{}", file.display());
    file
}

one! {
    fn install_puts_the_module_in_place_and_uninstall_removes_exactly_that() {
        needs_xtask!();
        let folder = tempfile::tempdir_in(&rundir::run().path).unwrap();
        let apxs = apxs(folder.path());
        fs::write(folder.path().join("modules/mod_other.so"), "of somebody else").unwrap();
        let before = files(folder.path());
        let line = format!("cargo xtask install --apxs {}", apxs.display());
        succeeded(&shell(&line).output().unwrap());
        let module = folder.path().join("modules/mod_wsgi_rs.so");
        assert!(module.exists());
        let load = fs::read_to_string(folder.path().join("etc/mods-available/wsgi_rs.load")).unwrap();
        assert!(load.contains("# Conflicts: wsgi"), "{load}");
        let load_line = load.lines().find(|line| line.starts_with("LoadModule")).unwrap();
        assert_eq!(load_line, format!("LoadModule wsgi_module {}", module.display()));
        // The installed module serves, through the line that was written for it.
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/hello.py",
        )
        .module(&module)
        .start();
        assert_eq!(server.get("/").ok(), "Hello, WSGI\n");
        drop(server);
        let line = format!("cargo xtask uninstall --apxs {}", apxs.display());
        succeeded(&shell(&line).output().unwrap());
        assert_eq!(files(folder.path()), before);
    }
}
