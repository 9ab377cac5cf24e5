//! WSGIHandlerScript.

use crate::support::{Environ, Httpd, Mode, builder::Builder, rundir::replace};

/// Shows the environ; wants to be loaded again for one resource.
const SCRIPT: &str = "\
import os

ASKED = []


def reload_required(resource):
    return os.path.basename(resource) == 'again.bound' and not ASKED.append(resource) \
and len(ASKED) > 1


def handle_request(environ, start_response):
    rows = [f'{k!a}\\t{type(v).__name__}\\t{v!a}' for k, v in environ.items()]
    rows.append(f\"'asked'\\tint\\t{len(ASKED)}\")
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return ['\\n'.join(rows).encode()]
";

fn bound(mode: Mode, lines: &str) -> Builder {
    Httpd::with(&format!(
        "WSGIHandlerScript bound @root@/handler.py application-group=own {lines}\n\
         Alias /files @root@/files\n<Directory @root@/files>\nAddHandler bound .bound\n</Directory>\n\
         <Location /virtual>\nSetHandler bound\n</Location>"
    ))
    .mode(mode)
    .one_child()
    .file("handler.py", SCRIPT)
    .file("files/page.bound", "SECRET = 1\n")
    .file("files/again.bound", "SECRET = 1\n")
}

fn ask(server: &Httpd, target: &str) -> Environ {
    Environ::parse(&server.get(target).ok())
}

both_modes! {
    fn the_script_answers_for_its_handler(mode) {
        let server = bound(mode, "").start();
        let environ = ask(&server, "/files/page.bound/more?q");
        let handler = server.path("handler.py");
        environ.is("mod_wsgi.handler_script", handler.to_str().unwrap());
        environ.is("SCRIPT_FILENAME", server.path("files/page.bound").to_str().unwrap());
        environ.is("mod_wsgi.request_handler", "bound");
        environ.is("mod_wsgi.application_group", "own");
        environ.is("mod_wsgi.callable_object", "handle_request");
        environ.is("mod_wsgi.process_group", mode.pick("", "app"));
        environ.is("SCRIPT_NAME", "/files/page.bound");
        environ.is("PATH_INFO", "/more");
        // The URL's file need not exist, and needs no permission to execute.
        ask(&server, "/virtual/x").is("mod_wsgi.request_handler", "bound");
    }

    fn a_changed_handler_script_is_loaded_again(mode) {
        let server = bound(mode, "").start();
        ask(&server, "/virtual");
        let changed = "def handle_request(environ, start_response):\n    \
                       start_response('200 OK', [])\n    return [b'changed']\n";
        replace(&server.path("handler.py"), changed, 5);
        assert_eq!(server.get("/virtual").ok(), "changed");
    }

    fn the_script_says_when_it_is_to_be_loaded_again(mode) {
        let server = bound(mode, "").start();
        let asked = |target: &str| ask(&server, target).repr("asked").unwrap().to_owned();
        assert_eq!(asked("/files/again.bound"), "0");
        assert_eq!(asked("/files/again.bound"), "1");
        assert_eq!(asked("/files/again.bound"), "0");
        assert_eq!(asked("/files/page.bound"), "0");
    }

    fn a_handler_script_that_fails_never_shows_the_file(mode) {
        let server = bound(mode, "").file("handler.py", "other = 1\n").start();
        server.expect_log("WSGI0089");
        let response = server.get("/files/page.bound");
        assert!(response.status() >= 400);
        assert!(!response.text().contains("SECRET"));
        replace(&server.path("handler.py"), SCRIPT, 5);
        ask(&server, "/files/page.bound");
    }

    fn the_line_of_the_handler_chooses_the_process_group_and_credentials(mode) {
        let server = bound(mode, "process-group=%{GLOBAL} pass-authorization=On").start();
        let headers = [("Authorization", "Bearer t")];
        let environ = Environ::parse(&server.request("GET", "/virtual", &headers, b"").ok());
        environ.is("mod_wsgi.process_group", "");
        environ.is("HTTP_AUTHORIZATION", "Bearer t");
    }

    fn a_handler_script_that_is_not_there_fails_the_request(mode) {
        ours!("tells of it in other records");
        let server = bound(mode, "").start();
        ask(&server, "/virtual");
        server.expect_log("WSGI0083");
        std::fs::remove_file(server.path("handler.py")).unwrap();
        assert_eq!(server.get("/virtual").status(), 500);
    }
}
