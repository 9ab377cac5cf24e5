//! Who gets the main interpreter: `application-group=auto` of a daemon group, and what the log says
//! where an extension module works there only.

use crate::support::{Httpd, poll};

/// Two scripts without an application group and one with, in a group with these options.
fn group(options: &str) -> Httpd {
    Httpd::with(&format!(
        "WSGIDaemonProcess app {options}\nWSGIProcessGroup app\n\
         WSGIScriptAlias /one @apps@/evaluate.py\nWSGIScriptAlias /two @apps@/evaluate.py\n\
         WSGIScriptAlias /own @apps@/evaluate.py application-group=own\n\
         WSGIScriptAlias /resource @apps@/evaluate.py application-group=%{{RESOURCE}}"
    ))
    .start()
}

/// The application group that answers.
#[track_caller]
fn at(server: &Httpd, place: &str) -> String {
    server.get(&format!("{place}?imp('mod_wsgi').application_group")).ok()
}

const MAIN: &str = "''";

one! {
    fn the_first_script_of_a_process_gets_the_main_interpreter() {
        ours!("it has no such option");
        let server = group("threads=2 application-group=auto");
        assert_eq!(at(&server, "/two"), MAIN);
        assert!(at(&server, "/one").ends_with("|/one'"));
        assert_eq!(at(&server, "/two"), MAIN);
        assert_eq!(server.get("/two?environ['mod_wsgi.application_group']").ok(), MAIN);
        server.wait_for_log("gets its main interpreter (application-group=auto)");
        assert_eq!(server.log_count("(application-group=auto)"), 1);
    }

    fn without_the_option_every_script_has_its_own() {
        let server = group("threads=2");
        assert!(at(&server, "/one").ends_with("|/one'"));
    }

    fn what_says_which_interpreter_it_wants_gets_that() {
        ours!("it has no such option");
        let server = group("threads=2 application-group=auto");
        assert_eq!(at(&server, "/own"), "'own'");
        assert!(at(&server, "/resource").ends_with("|/resource'"));
        assert_eq!(at(&server, "/one"), MAIN);
    }

    fn the_main_interpreter_stays_with_a_script_when_its_process_is_replaced() {
        ours!("it has no such option");
        let server = group("threads=2 application-group=auto maximum-requests=4");
        let pid = |place: &str| server.get(&format!("{place}?imp('os').getpid()")).ok();
        assert_eq!(at(&server, "/one"), MAIN);
        assert!(at(&server, "/two").ends_with("|/two'"));
        let first = pid("/one");
        // The successor has loaded both before anybody asks, in whatever order they come then.
        poll("another process", || (pid("/two") != first).then_some(()));
        assert!(at(&server, "/two").ends_with("|/two'"));
        assert_eq!(at(&server, "/one"), MAIN);
    }

    fn a_stuck_request_in_the_main_interpreter_is_seen() {
        ours!("it has no such option");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1 request-timeout=1 interrupt-timeout=20 \
             application-group=auto\nWSGIProcessGroup app\nWSGIScriptAlias / @apps@/timers.py",
        )
        .start();
        server.expect_traceback("WSGI1220");
        assert_eq!(server.get("/busy?gate").status(), 504);
        server.wait_for_log("in busy");
    }

    fn only_auto_is_a_value_of_the_option() {
        ours!("it has no such option");
        let said = Httpd::refuses("WSGIDaemonProcess app application-group=blog");
        for text in ["application-group", "auto", "WSGIApplicationGroup", "'blog'"] {
            assert!(said.contains(text), "{text} in {said}");
        }
    }
}

both_modes! {
    fn an_extension_that_works_once_in_a_process_names_the_remedy(mode) {
        ours!("it does not say what to do");
        needs_modules!("numpy");
        let home = mode.pick(
            "WSGIPythonHome @venv@\n",
            "WSGIDaemonProcess app threads=1 python-home=@venv@\nWSGIProcessGroup app\n",
        );
        let server = Httpd::with(&format!(
            "{home}WSGIScriptAlias /main @apps@/evaluate.py application-group=%{{GLOBAL}}\n\
             WSGIScriptAlias /sub @root@/app.py application-group=sub"
        ))
        .file(
            "app.py",
            "import numpy\nfrom wsgiref.simple_server import demo_app as application\n",
        )
        .one_child()
        .start();
        server.expect_log("WSGI0109").expect_traceback("WSGI1026");
        // The exception of numpy has a text of many lines.
        server.allow_log("");
        assert_eq!(server.get("/main?imp('numpy').__name__").ok(), "'numpy'");
        assert_eq!(server.get("/sub").status(), 500);
        let line = server.wait_for_log("WSGI1026").line;
        assert!(line.contains("interpreter 'sub'"), "{line}");
        assert!(line.contains("WSGIApplicationGroup %{GLOBAL}"), "{line}");
    }
}
