//! WSGIRestrictProcess, and what a refused client sees.

use crate::support::{Environ, Httpd};

/// Groups whose names are what `%{SERVER}` and `%{HOST}` stand for, too.
const GROUPS: &str = "\
UseCanonicalName Off
WSGIDaemonProcess one threads=1
WSGIDaemonProcess two threads=1
WSGIDaemonProcess localhost threads=1
WSGIDaemonProcess other.test threads=1
SetEnvIf X-Group (.+) group=$1
WSGIScriptAlias /app @apps@/environ.py
";

/// The process group that answers a request of this host; None when the request is refused.
#[track_caller]
fn group(server: &Httpd, target: &str, host: &str, chosen: &str) -> Option<String> {
    let headers = [("Host", host), ("X-Group", chosen)];
    let headers = if chosen.is_empty() { &headers[..1] } else { &headers[..] };
    let response = server.request("GET", target, headers, b"");
    if response.status() == 500 {
        return None;
    }
    let environ = Environ::parse(&response.ok());
    Some(environ.text("mod_wsgi.process_group").expect("a group").to_owned())
}

one! {
    fn only_the_groups_that_are_named_answer() {
        let mut lines = format!("{GROUPS}WSGIRestrictProcess one localhost\n");
        for (path, name) in [
            ("one", "one"), ("two", "two"), ("global", "%{GLOBAL}"), ("server", "%{SERVER}"),
            ("host", "%{HOST}"), ("env", "%{ENV:group}"), ("resource", "%{RESOURCE}"),
        ] {
            lines += &format!("<Location /app/{path}>\nWSGIProcessGroup {name}\n</Location>\n");
        }
        // The line of an inner scope takes the place of the outer one, as does a later one.
        lines += "<Location /app/two/own>\nWSGIRestrictProcess one\n\
                  WSGIRestrictProcess two %{GLOBAL}\n</Location>\n\
                  <Location /app/global/own>\nWSGIRestrictProcess two %{GLOBAL}\n</Location>\n\
                  <Location /app/one/own>\nWSGIRestrictProcess two %{GLOBAL}\n</Location>\n";
        let server = Httpd::with(&lines).start();
        server.expect_log("WSGI0149");
        let rows = [
            // path, host, value of the variable, group that answers
            ("/app", "localhost:80", "", None),
            ("/app/one", "localhost:80", "", Some("one")),
            ("/app/two", "localhost:80", "", None),
            ("/app/global", "localhost:80", "", None),
            ("/app/server", "localhost:80", "", Some("localhost")),
            ("/app/host", "localhost:80", "", Some("localhost")),
            ("/app/host", "other.test:80", "", None),
            ("/app/resource", "localhost:80", "", None),
            ("/app/env", "localhost:80", "one", Some("one")),
            ("/app/env", "localhost:80", "two", None),
            ("/app/env", "localhost:80", "%{GLOBAL}", None),
            ("/app/env", "localhost:80", "%{SERVER}", Some("localhost")),
            ("/app/env", "localhost:80", "", None),
            ("/app/two/own", "localhost:80", "", Some("two")),
            ("/app/global/own", "localhost:80", "", Some("")),
            ("/app/one/own", "localhost:80", "", None),
        ];
        for (path, host, chosen, expected) in rows {
            let before = server.log_count("WSGI0149");
            let found = group(&server, path, host, chosen);
            assert_eq!(found.as_deref(), expected, "{path} of {host} with {chosen}");
            let records = server.log_count("WSGI0149") - before;
            assert_eq!(records, usize::from(expected.is_none()), "{path} of {host} with {chosen}");
        }
    }

    fn options_and_scripts_do_not_get_around_the_restriction() {
        let dispatch = "def process_group(environ):\n    return environ.get('HTTP_X_GROUP')\n";
        let handler = "def handle_request(environ, start_response):\n    \
                       start_response('200 OK', [])\n    return [b'handled']\n";
        let server = Httpd::with(&format!(
            "{GROUPS}WSGIRestrictProcess one\nWSGIProcessGroup one\n\
             WSGIScriptAlias /alias @apps@/environ.py process-group=two\n\
             WSGIScriptAlias /embedded @apps@/environ.py process-group=%{{GLOBAL}}\n\
             WSGIScriptAlias /good @apps@/environ.py process-group=one\n\
             WSGIHandlerScript allowed @root@/handler.py process-group=one\n\
             WSGIHandlerScript elsewhere @root@/handler.py process-group=two\n\
             <Location /allowed>\nSetHandler allowed\n</Location>\n\
             <Location /elsewhere>\nSetHandler elsewhere\n</Location>\n\
             <Location /app/dispatched>\nWSGIDispatchScript @root@/dispatch.py\n</Location>"
        ))
        .file("dispatch.py", dispatch)
        .file("handler.py", handler)
        .start();
        server.expect_log("WSGI0149");
        let group = |target, chosen| group(&server, target, "localhost:80", chosen);
        assert_eq!(group("/good", "").as_deref(), Some("one"));
        assert_eq!(group("/alias", ""), None);
        assert_eq!(group("/embedded", ""), None);
        assert_eq!(server.get("/allowed").ok(), "handled");
        assert_eq!(server.get("/elsewhere").status(), 500);
        assert_eq!(group("/app/dispatched", "").as_deref(), Some("one"));
        assert_eq!(group("/app/dispatched", "one").as_deref(), Some("one"));
        for chosen in ["two", "%{GLOBAL}", "unknown"] {
            assert_eq!(group("/app/dispatched", chosen), None, "{chosen}");
        }
        assert_eq!(server.log_count("WSGI0149"), 6);
    }
}
