//! Another root directory for a group's processes: `chroot=`. Only root can give one.

use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::OnceLock;

use crate::support::process::Process;
use crate::support::{Httpd, poll, rundir};

/// A directory with Python's standard library, where libpython looks for it, and an application.
fn jail() -> &'static Path {
    static JAIL: OnceLock<std::path::PathBuf> = OnceLock::new();
    JAIL.get_or_init(|| {
        let jail = rundir::run().path.join("jail");
        let code = "import sysconfig; print(sysconfig.get_path('stdlib'))";
        let library = rundir::output_of("/usr/bin/python3", &["-c", code]);
        let library = library.trim_start_matches('/');
        let exclude = ["test", "idlelib", "tkinter", "ensurepip", "dist-packages", "config-*"]
            .map(|name| format!("--exclude={library}/{name}"))
            .join(" ");
        let copy = format!(
            "mkdir -p '{0}/srv' && tar -C / {exclude} -cf - '{library}' | tar -C '{0}' -xf - && \
             cp '{1}/evaluate.py' '{1}/hello.py' '{0}/srv' && chmod -R a+rX '{0}'",
            jail.display(),
            rundir::run().apps.display()
        );
        let done = std::process::Command::new("/bin/sh").args(["-c", &copy]).status();
        assert!(done.expect("sh").success(), "{copy}");
        jail
    })
}

/// A server whose group `app` has the jail as its root directory; `lines` follow.
fn confined(jail: &Path, options: &str, lines: &str) -> Httpd {
    let jail = jail.display();
    Httpd::with(&format!(
        "WSGIDaemonProcess app threads=2 chroot={jail} {options}\n\
         WSGIScriptAlias /in {jail}/srv/evaluate.py process-group=app\n\
         {lines}"
    ))
    .start()
}

/// What an expression evaluates to below the root directory.
#[track_caller]
fn value(server: &Httpd, expression: &str) -> String {
    server.get(&format!("/in?{}", expression.replace(' ', "%20"))).ok()
}

one! {
    fn the_application_sees_nothing_but_its_root_directory() {
        ours!("its Python cannot start without home=");
        needs_root!();
        let server = confined(jail(), "", "");
        assert_eq!(value(&server, "sorted(imp('os').listdir('/'))"), "['srv', 'usr']");
        assert_eq!(value(&server, "environ['SCRIPT_FILENAME']"), "'/srv/evaluate.py'");
        // httpd's DocumentRoot lies outside.
        assert_eq!(value(&server, "environ.get('DOCUMENT_ROOT')"), "None");
        assert_eq!(value(&server, "imp('json').dumps([1])"), "'[1]'");
    }

    fn paths_below_the_root_directory_lose_what_leads_there() {
        ours!("its Python cannot start without home=");
        needs_root!();
        let root = jail().display();
        let server = confined(jail(), "", &format!("DocumentRoot {root}/srv"));
        assert_eq!(value(&server, "environ['DOCUMENT_ROOT']"), "'/srv'");
    }

    fn there_is_no_way_out() {
        ours!("its working directory stays where it was, outside");
        needs_root!();
        let server = confined(jail(), "", "");
        assert_eq!(value(&server, "imp('os').getcwd()"), "'/'");
        assert_eq!(value(&server, "sorted(imp('os').listdir('..'))"), "['srv', 'usr']");
        let refused = value(&server, "imp('os').chroot('/srv')");
        assert!(refused.starts_with("PermissionError"), "{refused}");
        let pid = value(&server, "imp('os').getpid()").parse().expect("a number");
        let process = Process::of(pid).expect("the process that just answered");
        assert!(!process.status("Uid").split_whitespace().any(|uid| uid == "0"));
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(process.status(set).trim_start_matches('0'), "", "{set}");
        }
    }

    fn a_script_below_is_loaded_at_start_by_its_name_there() {
        ours!("it takes the name outside");
        needs_root!();
        let script = jail().join("srv/hello.py").display().to_string();
        let server = confined(
            jail(),
            "",
            &format!("WSGIImportScript {script} process-group=app application-group=%{{GLOBAL}}"),
        );
        value(&server, "1");
        assert_eq!(server.log_count("'/srv/hello.py'"), 1);
    }

    fn a_venv_and_links_are_looked_for_below_the_root_directory() {
        ours!("its Python cannot start without home=");
        needs_root!();
        let jail = jail();
        let version = rundir::output_of("/bin/ls", &[&jail.join("usr/lib").display().to_string()]);
        let packages = jail.join("srv/venv/lib").join(&version).join("site-packages");
        std::fs::create_dir_all(&packages).expect("folder");
        std::fs::write(packages.join("of_the_venv.py"), "").expect("file");
        let settings =
            format!("home = /usr/lib\nversion = {}\n", version.trim_start_matches("python"));
        std::fs::write(jail.join("srv/venv/pyvenv.cfg"), settings).expect("file");
        // It leads to another place outside, where there is none.
        std::os::unix::fs::symlink("/srv/venv", jail.join("srv/link")).expect("link");
        let server = confined(jail, "python-home=/srv/link home=/srv/link", "");
        assert_eq!(value(&server, "imp('of_the_venv').__name__"), "'of_the_venv'");
        assert_eq!(value(&server, "imp('os').getcwd()"), "'/srv/venv'");
    }

    fn home_is_a_path_below_the_root_directory() {
        needs_root!();
        let server = confined(jail(), "home=/srv", "");
        assert_eq!(value(&server, "imp('os').getcwd()"), "'/srv'");
        assert_eq!(value(&server, "imp('sys').path[0]"), "'/srv'");
    }

    fn a_script_outside_is_refused() {
        ours!("its Python cannot start without home=");
        needs_root!();
        let server = confined(
            jail(),
            "",
            "WSGIScriptAlias /out @apps@/hello.py process-group=app",
        );
        server.expect_log("WSGI0081");
        assert!(server.get("/out").status() >= 500);
        server.wait_for_log("WSGI0081");
        assert_eq!(value(&server, "1 + 1"), "2");
    }

    fn a_root_directory_that_cannot_be_used_is_refused() {
        ours!("it finds out when the process starts");
        needs_root!();
        let contract = "Invalid chroot directory for WSGI daemon process.";
        let said = Httpd::refuses("WSGIDaemonProcess app chroot=@root@/nowhere");
        assert!(said.contains(contract) && said.contains("/nowhere"), "{said}");
        let closed = jail().join("closed");
        std::fs::create_dir_all(&closed).expect("folder");
        rundir::mode(&closed, 0o700);
        let said = Httpd::refuses(&format!("WSGIDaemonProcess app chroot={}", closed.display()));
        std::fs::remove_dir(&closed).expect("folder");
        assert!(said.contains(contract) && said.contains("may not enter"), "{said}");
        let root = jail().display();
        let said = Httpd::refuses(&format!("WSGIDaemonProcess app chroot={root} home=/tmp"));
        assert!(said.contains("Invalid home directory for WSGI daemon process."), "{said}");
    }

    fn a_root_directory_that_goes_costs_its_own_group_only() {
        ours!("its processes sleep 20 seconds before the next attempt");
        needs_root!();
        let folder = jail().with_file_name("closing");
        let copy = format!("cp -a '{}' '{}'", jail().display(), folder.display());
        rundir::output_of("/bin/sh", &["-c", &copy]);
        let server = confined(
            &folder,
            "user=daemon group=daemon home=/srv",
            "WSGIDaemonProcess other threads=1\n\
             WSGIScriptAlias /other @apps@/hello.py process-group=other application-group=x",
        );
        server.expect_log("WSGI0003").expect_log("WSGI1211").expect_log("WSGI1008");
        let pid = value(&server, "imp('os').getpid()").parse().expect("a number");
        // From now on for httpd, which looks for the script, and not for the group's user.
        let group = rundir::output_of("id", &["-g", crate::support::conf::user()]);
        chown(&folder, None, Some(group.parse().expect("a number"))).expect("chown");
        rundir::mode(&folder, 0o750);
        Process::of(pid).expect("the daemon").signal(libc::SIGKILL);
        server.wait_for_log("WSGI1211");
        let response = server.get("/in?1");
        assert_eq!(response.status(), 503);
        assert!(response.header("Retry-After").is_some());
        assert_eq!(server.get("/other").ok(), "Hello, WSGI\n");
        rundir::mode(&folder, 0o755);
        poll("the group to serve again", || {
            (server.get("/in?1").status() == 200).then_some(())
        });
    }
}
