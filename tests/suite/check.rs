//! `mod-wsgi-rs check` and `httpd -t -D WSGI_CHECK`: every mounted application is tried where it would
//! run, and nothing is served.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::command::{self, folder, refused, run};
use crate::support::{conf, poll, process, rundir};

/// Checks a configuration with these lines; the exit code and what was said.
pub(crate) fn check(folder: &Path, lines: &str) -> (Option<i32>, String) {
    check_with(folder, &[], lines)
}

/// The same with further modules.
pub(crate) fn check_with(folder: &Path, modules: &[&str], lines: &str) -> (Option<i32>, String) {
    fs::create_dir_all(folder.join("run")).unwrap();
    fs::create_dir_all(folder.join("htdocs")).unwrap();
    let body = conf::substitute(lines, folder, 18_000);
    let modules: Vec<String> = modules.iter().map(|name| (*name).to_owned()).collect();
    let parts = conf::Parts {
        root: folder,
        port: 18_000,
        modules: &modules,
        module: None,
        sizing: None,
        body: &body,
    };
    let file = folder.join("httpd.conf");
    fs::write(&file, conf::text(&parts)).unwrap();
    let output: Output = run(folder, &["check", file.to_str().unwrap()]);
    assert_eq!(process::users_of(folder), [], "left running");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// The line about a script.
#[track_caller]
pub(crate) fn line<'t>(text: &'t str, script: &str) -> &'t str {
    let found = text.lines().find(|line| line.starts_with("WSGI check") && line.contains(script));
    found.unwrap_or_else(|| panic!("nothing about {script} in\n{text}"))
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

pub(crate) const HELLO: &str = "def application(environ, start_response):\n    pass\n";

one! {
    fn every_application_is_tried_where_it_would_run() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        write(path, "good.py", &format!("import mod_wsgi, os\nopen('{}/facts', 'a').write(\
            repr([mod_wsgi.process_group, mod_wsgi.application_group, os.getuid(), os.getcwd()]) + '\\n')\n{HELLO}",
            path.join("run").display()));
        rundir::mode(&{ fs::create_dir_all(path.join("run")).unwrap(); path.join("run") }, 0o777);
        write(path, "embedded.py", HELLO);
        write(path, "section.py", HELLO);
        let (code, text) = check(path, "
            WSGIDaemonProcess shop threads=3 home=@root@ display-name=%{GROUP}
            WSGIDaemonProcess other
            WSGIScriptAlias /shop @root@/good.py process-group=shop application-group=%{GLOBAL}
            WSGIScriptAlias /named @root@/good.py process-group=shop application-group=own
            WSGIScriptAlias /in @root@/embedded.py
            WSGIScriptAlias /section @root@/section.py
            <Location /section>\nWSGIProcessGroup other\n</Location>
            <VirtualHost *:18000>\nServerName a.example\nWSGIProcessGroup shop\n</VirtualHost>");
        assert_eq!(code, Some(0), "{text}");
        let user = if rundir::is_root() { conf::user().to_owned() } else { rundir::output_of("id", &["-un"]) };
        assert!(line(&text, "/shop").contains("(process group shop, Python 3."), "{text}");
        assert!(line(&text, "/shop").contains(&format!("user {user})")), "{text}");
        assert!(line(&text, "/in").contains("(embedded, Python"), "{text}");
        assert!(line(&text, "/section").contains("process group other"), "{text}");
        assert!(text.contains("Syntax OK"), "{text}");
        let facts = fs::read_to_string(path.join("run/facts")).unwrap();
        let uid = rundir::output_of("id", &["-u", &user]);
        let here = path.display();
        assert_eq!(facts, format!("['shop', '', {uid}, '{here}']\n['shop', 'own', {uid}, '{here}']\n"));
    }

    fn what_would_not_work_is_named_with_its_reason_and_ends_with_1() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        write(path, "missing.py", "import os\nimport no_such_module\n");
        write(path, "syntax.py", "def application(:\n");
        write(path, "nothing.py", "app = 1\n");
        write(path, "number.py", "application = 1\n");
        write(path, "leaves.py", "raise SystemExit(3)\n");
        write(path, "good.py", HELLO);
        let (code, text) = check(path, "
            WSGIDaemonProcess app
            WSGIProcessGroup app
            WSGIScriptAlias /1 @root@/missing.py
            WSGIScriptAlias /2 @root@/syntax.py
            WSGIScriptAlias /3 @root@/nothing.py
            WSGIScriptAlias /4 @root@/number.py
            WSGIScriptAlias /5 @root@/leaves.py
            WSGIScriptAlias /6 @root@/not_there.py
            WSGIScriptAlias /7 @root@/good.py
            WSGIScriptAlias /8 @root@/good.py process-group=unknown");
        assert_eq!(code, Some(1), "{text}");
        let says = |script, words: &str| assert!(line(&text, script).contains(words), "{words} in\n{text}");
        says("missing.py", "ModuleNotFoundError: No module named 'no_such_module'; install it");
        says("missing.py", "httpd.conf:");
        says("syntax.py", "SyntaxError");
        says("nothing.py", "it has no \"application\"");
        says("number.py", "\"application\" is not callable");
        says("leaves.py", "SystemExit");
        says("not_there.py", "No such file");
        says("/7 ", "check ok: /7");
        says("/8 ", "no WSGIDaemonProcess defines its process group");
        assert!(text.contains("    Traceback (most recent call last):"), "{text}");
    }

    fn permissions_on_the_way_to_a_script_count_for_the_user_of_the_group() {
        needs_command!();
        needs_root!();
        let folder = folder();
        let path = folder.path();
        fs::create_dir(path.join("closed")).unwrap();
        write(path, "closed/app.py", HELLO);
        rundir::mode(&path.join("closed"), 0o700);
        write(path, "own.py", HELLO);
        rundir::mode(&path.join("own.py"), 0o600);
        let (code, text) = check(path, "
            WSGIDaemonProcess app
            WSGIProcessGroup app
            WSGIScriptAlias /1 @root@/closed/app.py
            WSGIScriptAlias /2 @root@/own.py");
        assert_eq!(code, Some(1), "{text}");
        let closed = format!("may not enter {}", path.join("closed").display());
        assert!(line(&text, "/1 ").contains(&closed), "{text}");
        assert!(line(&text, "/2 ").contains("cannot read it: Permission denied"), "{text}");
    }

    fn httpd_itself_must_reach_what_only_the_group_may_enter() {
        needs_command!();
        needs_root!();
        let folder = folder();
        let path = folder.path();
        fs::create_dir(path.join("home")).unwrap();
        write(path, "home/app.py", HELLO);
        rundir::output_of("chown", &["-R", "daemon", path.join("home").to_str().unwrap()]);
        rundir::mode(&path.join("home"), 0o700);
        let (code, text) = check(path, "
            WSGIDaemonProcess own user=daemon
            WSGIScriptAlias / @root@/home/app.py process-group=own");
        assert_eq!(code, Some(1), "{text}");
        assert!(line(&text, "app.py").contains("httpd's own processes cannot reach it"), "{text}");
    }

    fn an_application_that_hangs_or_crashes_is_named_and_the_others_are_tried() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        write(path, "hangs.py", "import time\ntime.sleep(600)\n");
        write(path, "crashes.py", "import ctypes\nctypes.string_at(0)\n");
        write(path, "leaves.py", "import os\nos._exit(127)\n");
        write(path, "good.py", HELLO);
        let (code, text) = check(path, "
            WSGIDaemonProcess slow startup-timeout=1
            WSGIDaemonProcess broken
            WSGIScriptAlias /slow @root@/hangs.py process-group=slow
            WSGIScriptAlias /broken @root@/crashes.py process-group=broken
            WSGIScriptAlias /after @root@/good.py process-group=broken
            WSGIScriptAlias /leaves @root@/leaves.py process-group=broken
            WSGIScriptAlias /later @root@/good.py process-group=slow");
        assert_eq!(code, Some(1), "{text}");
        assert!(line(&text, "/slow").contains("not loaded within 1 seconds"), "{text}");
        assert!(line(&text, "/broken").contains("died of signal 11"), "{text}");
        assert!(line(&text, "/leaves").contains("ended itself with status 127"), "{text}");
        for url in ["/after", "/later"] {
            assert!(line(&text, url).contains("check ok"), "{text}");
        }
        poll("no process to be left", || process::users_of(path).is_empty().then_some(()));
    }

    fn variables_beside_the_configuration_are_set_as_apachectl_sets_them() {
        needs_command!();
        let folder = folder();
        write(folder.path(), "app.py", HELLO);
        write(folder.path(), "envvars", "export SITE_OF_TEST=app.py\n");
        let (code, text) = check(folder.path(), "
            WSGIDaemonProcess app
            WSGIScriptAlias / @root@/${SITE_OF_TEST} process-group=app");
        assert_eq!(code, Some(0), "{text}");
        assert!(line(&text, "app.py").contains("check ok"), "{text}");
    }

    fn without_the_define_nothing_is_tried() {
        needs_command!();
        let folder = folder();
        write(folder.path(), "bad.py", "import no_such_module\n");
        let lines = format!("WSGIScriptAlias / {}/bad.py", folder.path().display());
        let text = crate::support::Httpd::with(&lines).accepted();
        assert!(!text.contains("WSGI check"), "{text}");
    }

    fn start_server_refuses_an_application_that_fails_to_import() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        write(path, "app.wsgi", "import no_such_module\n");
        let root = path.join("root");
        let port = crate::support::ports::take();
        let number = port.number.to_string();
        let mut arguments = vec!["start-server", "app.wsgi", "--port", number.as_str(), "--server-root", root.to_str().unwrap()];
        arguments.extend(command::identity());
        let text = refused(&run(path, &arguments));
        assert!(text.contains("app.wsgi") && text.contains("No module named 'no_such_module'"), "{text}");
        assert!(text.contains("install it"), "{text}");
        assert_eq!(process::users_of(&root), []);
        fs::remove_dir_all(&root).unwrap();
        let module = ["start-server", "app_module:app", "--port", number.as_str(), "--server-root", root.to_str().unwrap()];
        let mut arguments = module.to_vec();
        arguments.extend(command::identity());
        let text = refused(&run(path, &arguments));
        assert!(text.contains("No module named 'app_module'"), "{text}");
    }
}

/// With the other Pythons of the machine (`cargo xtask test --only pythons`).
mod pythons {
    use super::*;
    use crate::support::pythons;

    one! {
        fn an_extension_that_refuses_its_interpreter_is_named_with_the_remedy() {
            needs_command!();
            // Before 3.12 CPython lets every extension into every interpreter.
            for python in pythons::with_own_locks() {
                let folder = folder();
                let path = folder.path();
                write(path, "single.py", &format!("import _testsinglephase\n{HELLO}"));
                let (code, text) = check(path, &format!("
                    WSGIPerInterpreterGIL On
                    WSGIDaemonProcess app python-home={}
                    WSGIScriptAlias / @root@/single.py process-group=app application-group=own",
                    python.prefix.display()));
                assert_eq!(code, Some(1), "{text}");
                assert!(line(&text, "single.py").contains("%{GLOBAL}"), "{text}");
            }
        }
    }
}
