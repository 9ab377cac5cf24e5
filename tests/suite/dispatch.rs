//! WSGIDispatchScript.

use crate::support::{Environ, Httpd, builder::Builder, rundir::replace};

/// Chooses as headers say.
const SCRIPT: &str = "\
def answer(environ, name):
    text = environ.get('HTTP_X_' + name)
    choices = {'none': None, 'one': 1, 'wide': '\\u20ac', 'bytes': b'chosen', 'raise': 0}
    if text == 'raise':
        raise LookupError(name)
    return choices.get(text, text)


def process_group(environ):
    return answer(environ, 'PROCESS')


def application_group(environ):
    return answer(environ, 'GROUP')


def callable_object(environ):
    return answer(environ, 'CALLABLE')
";

/// The environ below /app, answered in the group `app` of daemons unless the script says otherwise.
fn dispatched(lines: &str) -> Builder {
    Httpd::with(&format!(
        "WSGIDaemonProcess app threads=2\nWSGIDaemonProcess chosen threads=2\n\
         WSGIScriptAlias /app @apps@/environ.py process-group=app\n\
         WSGIDispatchScript @root@/dispatch.py application-group=gate\n{lines}"
    ))
    .one_child()
    .file("dispatch.py", SCRIPT)
}

fn choices(server: &Httpd, headers: &[(&str, &str)]) -> [String; 3] {
    let environ = Environ::parse(&server.request("GET", "/app", headers, b"").ok());
    let key = |name: &str| environ.text(&format!("mod_wsgi.{name}")).unwrap().to_owned();
    [key("process_group"), key("application_group"), key("callable_object")]
}

one! {
    fn the_script_chooses_groups_and_callable() {
        let server = dispatched("").start();
        let plain = ["app", "localhost|/app", "application"];
        assert_eq!(choices(&server, &[]), plain);
        assert_eq!(choices(&server, &[("X-Process", "none"), ("X-Group", "none")]), plain);
        let headers = [("X-Process", "bytes"), ("X-Group", "bytes"), ("X-Callable", "bare")];
        assert_eq!(choices(&server, &headers), ["chosen", "chosen", "bare"]);
        let headers = [("X-Process", "%{GLOBAL}"), ("X-Group", "%{SERVER}")];
        assert_eq!(choices(&server, &headers), ["", "localhost", "application"]);
    }

    fn a_wrong_answer_fails_the_request_and_no_other() {
        let server = dispatched("").start();
        server.expect_traceback("LookupError: CALLABLE").expect_log("No WSGI daemon process called 'unknown'");
        for text in ["WSGI0174", "TypeError", "UnicodeEncodeError"] {
            server.allow_log(text);
        }
        for headers in [
            [("X-Process", "one")], [("X-Group", "one")], [("X-Callable", "one")],
            [("X-Process", "wide")], [("X-Callable", "raise")], [("X-Process", "unknown")],
        ] {
            assert_eq!(server.request("GET", "/app", &headers, b"").status(), 500, "{headers:?}");
        }
        assert_eq!(choices(&server, &[("X-Process", "chosen")])[0], "chosen");
    }

    fn a_changed_script_chooses_at_once() {
        let server = dispatched("").start();
        assert_eq!(choices(&server, &[])[0], "app");
        let changed = "def process_group(environ):\n    return 'chosen'\n";
        replace(&server.path("dispatch.py"), changed, 5);
        assert_eq!(choices(&server, &[])[0], "chosen");
        // None of the functions is needed.
        replace(&server.path("dispatch.py"), "", 10);
        assert_eq!(choices(&server, &[])[0], "app");
    }

    fn a_script_that_cannot_be_loaded_fails_the_request() {
        ours!("goes on with what is configured");
        let server = dispatched("").file("dispatch.py", "1 / 0\n").start();
        server.expect_traceback("ZeroDivisionError: division by zero").expect_log("WSGI0109");
        assert_eq!(server.get("/app").status(), 500);
        assert_eq!(server.log_count("WSGI0109"), 1);
        replace(&server.path("dispatch.py"), SCRIPT, 5);
        assert_eq!(choices(&server, &[])[0], "app");
    }

    fn the_script_sees_the_request_as_the_application_will() {
        let script = "\
def process_group(environ):
    rows = [f'{k!a}\\t{type(v).__name__}\\t{v!a}' for k, v in environ.items()]
    with open(environ['TEST_OUT'] + '/environ', 'w') as out:
        out.write('\\n'.join(sorted(rows)))
";
        let server = dispatched("").file("dispatch.py", script).writable(&["out"]).start();
        server.get("/app/x?q=1").ok();
        let environ = Environ::parse(&server.out("environ"));
        for (key, value) in [
            ("SCRIPT_NAME", "/app"), ("PATH_INFO", "/x"), ("QUERY_STRING", "q=1"),
            ("mod_wsgi.process_group", ""), ("mod_wsgi.application_group", "gate"),
            ("mod_wsgi.request_handler", "wsgi-script"),
        ] {
            environ.is(key, value);
        }
        assert!(environ.repr("wsgi.errors").is_some());
        environ.lacks("wsgi.input");
    }
}
