//! What `mod-wsgi-rs` refuses: one line that says what is wrong and what to do, exit code 1, nothing
//! left running.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::command::{self, folder, refused, run};
use crate::support::{conf, ports, process, rundir};

const HELLO: &str = "
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'hello']
";

/// The line with which a server is refused; nothing of it runs afterwards.
#[track_caller]
fn refuses(folder: &Path, arguments: &[&str]) -> String {
    let port = ports::take();
    let number = port.number.to_string();
    let root = folder.join("root");
    let mut all =
        vec!["start-server", "--host", "127.0.0.1", "--server-root", root.to_str().unwrap()];
    if !arguments.contains(&"--user") {
        all.extend(command::identity());
    }
    if !arguments.contains(&"--port") {
        all.extend(["--port", &number]);
    }
    all.extend(arguments);
    let line = refused(&run(folder, &all));
    assert_eq!(process::users_of(&root), [], "left running");
    line
}

fn script(folder: &Path) -> String {
    let path = folder.join("app.wsgi");
    fs::write(&path, HELLO).unwrap();
    path.display().to_string()
}

#[track_caller]
fn assert_says(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
}

one! {
    fn options_that_are_not_here_are_explained() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        let line = refuses(folder.path(), &[&script, "--enable-gdb"]);
        assert_says(&line, &["no --enable-gdb", "gdb -p", "mod-wsgi-rs status"]);
        let line = refuses(folder.path(), &[&script, "--service-log-file", "a", "b"]);
        assert_says(&line, &["no --service-log-file", "error log"]);
    }

    fn an_unknown_application() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        assert_says(&refuses(path, &["nowhere/app.wsgi"]), &["nowhere/app.wsgi", "no such file", "name a script"]);
        assert_says(&refuses(path, &["app.wsgi"]), &["no application \"app.wsgi\"", "check the path"]);
        assert_says(&refuses(path, &["--application-type", "django", "."]), &["manage.py"]);
        fs::write(path.join("manage.py"), "print('no settings')").unwrap();
        assert_says(&refuses(path, &["."]), &["DJANGO_SETTINGS_MODULE"]);
    }

    fn a_port_in_use_or_of_root() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let line = refuses(folder.path(), &[&script, "--port", &port]);
        assert_says(&line, &[&format!("port {port} is in use"), "--port"]);
        let line = refuses(folder.path(), &[&script, "--host", "192.0.2.1"]);
        assert_says(&line, &["192.0.2.1", "--host"]);
    }

    fn root_without_a_user_and_a_user_without_root() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        assert_says(&refuses(folder.path(), &[&script, "--user", "no-such-user"]), &["no-such-user", "--user"]);
        needs_root!();
        let line = refused(&run(folder.path(), &["start-server", &script]));
        assert_says(&line, &["root", "--user"]);
        assert_says(&refuses(folder.path(), &[&script, "--user", "root"]), &["root", "another user"]);
        // As somebody else, who may not become a third.
        let mut other = Command::new("setpriv");
        other.args(["--reuid", conf::user(), "--clear-groups", "--"]).arg(command::program());
        other.args(["start-server", &script, "--user", "daemon"]).current_dir(folder.path());
        assert_says(&refused(&other.output().unwrap()), &["no permission to run as daemon", "sudo"]);
    }

    fn a_working_directory_that_the_user_may_not_enter() {
        needs_command!();
        needs_root!();
        let folder = folder();
        let script = script(folder.path());
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        rundir::mode(&closed, 0o700);
        let line = refuses(folder.path(), &[&script, "--working-directory", closed.to_str().unwrap()]);
        assert_says(&line, &[closed.to_str().unwrap(), conf::user()]);
    }

    fn no_httpd() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        let line = refuses(folder.path(), &[&script, "--httpd-executable", "/nowhere/httpd"]);
        assert_says(&line, &["/nowhere/httpd", "--httpd-executable"]);
        let line = refuses(folder.path(), &[&script, "--httpd-executable", "/bin/true"]);
        assert_says(&line, &["/bin/true is no httpd", "--httpd-executable"]);
    }

    fn a_module_for_another_httpd() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        let staged = folder.path().join("staged");
        rundir::copy(rundir::run().module.parent().unwrap(), &staged);
        let module = staged.join("mod_wsgi_rs.so");
        let mut bytes = fs::read(&module).unwrap();
        // The module's record: its magic number's major part stands 40 bytes before the cookie.
        let cookie = 0x4150_3234_u64.to_le_bytes();
        let number = 20_120_211_u32.to_le_bytes();
        let at = (40..bytes.len() - 8)
            .find(|at| bytes[*at..*at + 8] == cookie && bytes[*at - 40..*at - 36] == number)
            .expect("the module's record");
        bytes[at - 40..at - 36].copy_from_slice(&20_110_101_u32.to_le_bytes());
        fs::write(&module, bytes).unwrap();
        let port = ports::take();
        let number = port.number.to_string();
        let mut arguments = vec!["start-server", script.as_str(), "--port", number.as_str()];
        arguments.extend(command::identity());
        let mut other = Command::new(staged.join("mod_wsgi_rs/mod-wsgi-rs"));
        other.args(arguments).env("TMPDIR", folder.path()).current_dir(folder.path());
        let line = refused(&other.output().unwrap());
        assert_says(&line, &["built for another httpd", "20110101", "20120211", "install"]);
    }

    fn a_configuration_that_needs_a_missing_module() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        let more = folder.path().join("more.conf");
        fs::write(&more, "ProxyPass /a http://localhost/\n").unwrap();
        let line = refuses(folder.path(), &[&script, "--include-file", more.to_str().unwrap()]);
        assert_says(&line, &["ProxyPass on line 1 of", "LoadModule proxy_module", "mod_proxy.so"]);
        fs::write(&more, "ProxiPass /a http://localhost/\n").unwrap();
        let line = refuses(folder.path(), &[&script, "--include-file", more.to_str().unwrap()]);
        assert_says(&line, &["ProxiPass on line 1 of", "spelling"]);
        // A folder of modules without TLS.
        let modules = folder.path().join("modules");
        fs::create_dir(&modules).unwrap();
        for entry in fs::read_dir(conf::libexec()).unwrap().flatten() {
            if entry.file_name() != "mod_http2.so" {
                std::os::unix::fs::symlink(entry.path(), modules.join(entry.file_name())).unwrap();
            }
        }
        let line = refuses(folder.path(), &[&script, "--http2", "--modules-directory", modules.to_str().unwrap()]);
        assert_says(&line, &["mod_http2.so", "--http2 needs it", "install it"]);
    }

    fn a_daemon_program_without_its_python_library() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        let staged = folder.path().join("staged");
        rundir::copy(rundir::run().module.parent().unwrap(), &staged);
        // What the dynamic loader does without the library.
        for entry in fs::read_dir(staged.join("mod_wsgi_rs")).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("wsgi-daemon-") {
                fs::remove_file(entry.path()).unwrap();
                fs::write(entry.path(), "#!/bin/sh\necho no libpython >&2\nexit 127\n").unwrap();
                rundir::mode(&entry.path(), 0o755);
            }
        }
        let command = staged.join("mod_wsgi_rs/mod-wsgi-rs");
        let port = ports::take();
        let number = port.number.to_string();
        let mut arguments = vec!["start-server", script.as_str(), "--port", number.as_str()];
        arguments.extend(command::identity());
        let line = refused(&command::other(&command, folder.path(), &arguments).output().unwrap());
        assert_says(&line, &["wsgi-daemon-3.", "a shared library is missing", "install"]);
    }

    fn a_certificate_without_its_port_or_key() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        let line = refuses(folder.path(), &[&script, "--ssl-certificate", "/nowhere/site"]);
        assert_says(&line, &["--https-port"]);
        let line = refuses(folder.path(), &[&script, "--https-port", "443"]);
        assert_says(&line, &["--ssl-certificate-file"]);
        let line = refuses(folder.path(), &[&script, "--https-port", "443", "--ssl-certificate", "/nowhere/site"]);
        assert_says(&line, &["/nowhere/site.crt"]);
    }

    fn a_venv_of_a_python_that_is_not_installed() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        let venv = folder.path().join("venv");
        fs::create_dir_all(venv.join("bin")).unwrap();
        fs::create_dir_all(venv.join("lib/python3.4/site-packages")).unwrap();
        fs::write(venv.join("pyvenv.cfg"), "home = /usr/bin\nversion = 3.4.1\n").unwrap();
        let line = refuses(folder.path(), &[&script, "--python-home", venv.to_str().unwrap()]);
        assert_says(&line, &[venv.to_str().unwrap(), "3.4"]);
    }

    fn a_server_root_of_somebody_else() {
        needs_command!();
        let folder = folder();
        let script = script(folder.path());
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        rundir::mode(&root, 0o777);
        assert_says(&refuses(folder.path(), &[&script]), &["remove it", "--server-root"]);
    }
}
