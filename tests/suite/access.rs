//! WSGIAccessScript.

use crate::support::{Environ, Httpd, Mode, builder::Builder, original, rundir::replace};

/// Answers as the query string says.
const SCRIPT: &str = "\
RESULTS = {'true': True, 'false': False, 'none': None, 'one': 1, 'text': 'True', 'list': []}


def allow_access(environ, host):
    environ['wsgi.errors'].write(f'asked for {host}\\n')
    if environ['QUERY_STRING'] == 'exit':
        raise SystemExit(1)
    return RESULTS[environ['QUERY_STRING']]
";

/// An application below /app, with these lines for its URLs and this access script.
fn guarded(mode: Mode, lines: &str, script: &str) -> Builder {
    Httpd::with(&format!(
        "WSGIScriptAlias /app @apps@/hello.py\n<Location /app>\n\
         WSGIAccessScript @root@/access.py\n{lines}\n</Location>"
    ))
    .mode(mode)
    .one_child()
    .file("access.py", script)
}

fn status(server: &Httpd, target: &str) -> u16 {
    server.get(target).status()
}

both_modes! {
    fn every_answer_means_what_the_contract_says(mode) {
        let server = guarded(mode, "", SCRIPT).start();
        server.expect_log("WSGI0055").expect_log("WSGI0057").expect_log("asked for 127.0.0.1");
        server.expect_traceback("KeyError: 'other'").expect_log("SystemExit");
        server.expect_log("WSGI0174").expect_log("WSGI0175");
        for (answer, expected) in [
            ("true", 200), ("false", 403), ("one", 403), ("text", 403), ("list", 403),
            ("other", 403), ("exit", 403), ("none", 200), ("true", 200),
        ] {
            assert_eq!(status(&server, &format!("/app?{answer}")), expected, "{answer}");
        }
        assert_eq!(server.log_count("WSGI0055"), 3);
        // Ours says it of refusals only, the original also behind the reason of a failure.
        assert!(original::is_original() || server.log_count("WSGI0057") == 1);
    }

    fn a_script_without_the_function_or_that_cannot_be_loaded_denies(mode) {
        for (script, tag, last) in [
            ("other = 1\n", "WSGI0056", None),
            ("def (\n", "WSGI0105", Some("SyntaxError: invalid syntax")),
            ("import no_such_thing\n", "WSGI0109", Some("No module named 'no_such_thing'")),
        ] {
            let server = guarded(mode, "", script).start();
            server.expect_log(tag).allow_log("WSGI0057").allow_log("WSGI0174");
            if let Some(last) = last {
                server.expect_traceback(last);
            }
            assert_eq!(status(&server, "/app?true"), 403, "{script}");
            assert_eq!(server.log_count(tag), 1);
            replace(&server.path("access.py"), SCRIPT, 5);
            server.expect_log("asked for");
            assert_eq!(status(&server, "/app?true"), 200, "{script}");
        }
    }

    fn a_changed_script_decides_at_once(mode) {
        let server = guarded(mode, "", "def allow_access(environ, host):\n    return True\n").start();
        assert_eq!(status(&server, "/app"), 200);
        server.expect_log("WSGI0057");
        let changed = "def allow_access(environ, host):\n    return False\n";
        replace(&server.path("access.py"), changed, 5);
        assert_eq!(status(&server, "/app"), 403);
    }
}

one! {
    fn a_script_that_vanishes_denies() {
        let server =
            guarded(Mode::Embedded, "", "def allow_access(environ, host):\n    return True\n").start();
        assert_eq!(status(&server, "/app"), 200);
        server.expect_traceback("access.py").expect_log("WSGI0105").allow_log("WSGI0057");
        server.allow_log("WSGI0174");
        std::fs::remove_file(server.path("access.py")).unwrap();
        assert_eq!(status(&server, "/app"), 403);
    }

    fn static_files_are_guarded_too_and_embedded_mode_may_be_off() {
        let server = Httpd::with(
            "WSGIRestrictEmbedded On\n<Location />\nWSGIAccessScript @root@/access.py \
             application-group=gate\n</Location>",
        )
        .file("access.py", SCRIPT)
        .file("htdocs/page.txt", "static")
        .start();
        server.expect_log("WSGI0057").expect_log("asked for");
        assert_eq!(server.get("/page.txt?true").ok(), "static");
        assert_eq!(status(&server, "/page.txt?false"), 403);
    }

    fn an_htaccess_file_may_name_the_script() {
        let server = Httpd::with("<Directory @root@/htdocs>\nAllowOverride AuthConfig\n</Directory>")
            .file("access.py", SCRIPT)
            .file("htdocs/page.txt", "static")
            .start();
        let line = format!("WSGIAccessScript {}\n", server.path("access.py").display());
        std::fs::write(server.path("htdocs/.htaccess"), line).unwrap();
        server.expect_log("WSGI0057").expect_log("asked for");
        assert_eq!(server.get("/page.txt?true").ok(), "static");
        assert_eq!(status(&server, "/page.txt?false"), 403);
    }

    fn none_leaves_it_to_the_others() {
        let server = guarded(Mode::Embedded, "Require all denied", SCRIPT).start();
        server.expect_log("asked for").expect_log("AH01630");
        assert_eq!(status(&server, "/app?none"), 403);
        assert_eq!(status(&server, "/app?true"), 403);
    }

    fn a_refused_host_may_come_in_as_a_user_where_one_of_both_is_enough() {
        let lines = "AuthType Basic\nAuthName realm\nAuthBasicProvider file\n\
                     AuthUserFile @root@/passwords\nRequire valid-user\nSatisfy Any";
        let server = guarded(Mode::Embedded, lines, SCRIPT)
            .modules(&["auth_basic", "authn_core", "authn_file", "authz_user", "access_compat"])
            // The password is `secret`, as `htpasswd -s` writes it.
            .file("passwords", "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
            .start();
        server.expect_log("asked for");
        let alice = [("Authorization", "Basic YWxpY2U6c2VjcmV0")];
        assert_eq!(status(&server, "/app?true"), 200);
        assert_eq!(status(&server, "/app?false"), 401);
        assert_eq!(server.request("GET", "/app?false", &alice, b"").status(), 200);
        assert_eq!(server.log_count("WSGI0057"), 0);
    }

    fn the_script_is_told_what_httpd_knows() {
        let script = "\
def allow_access(environ, host):
    rows = [f'{k!a}\\t{type(v).__name__}\\t{v!a}' for k, v in environ.items()]
    rows.append(f\"'host'\\tstr\\t{host!a}\")
    with open(environ['DOCUMENT_ROOT'] + '/../out/environ', 'w') as out:
        out.write('\\n'.join(sorted(rows)))
    return True
";
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/hello.py\n<Location /app>\nWSGIAccessScript \
             @root@/access.py application-group=%{SERVER}\n</Location>",
        )
        .file("access.py", script)
        .writable(&["out"])
        .start();
        let headers = [
            ("X-Custom", "v\u{e9}"), ("Authorization", "Basic eA=="), ("Proxy-Authorization", "y"),
            ("Content-Type", "text/x"),
        ];
        assert_eq!(server.request("POST", "/app/a%20b?q=1", &headers, b"body").status(), 200);
        let environ = Environ::parse(&server.out("environ"));
        let document_root = server.path("htdocs");
        for (key, value) in [
            ("REQUEST_METHOD", "POST"), ("QUERY_STRING", "q=1"), ("SCRIPT_NAME", "/app"),
            ("PATH_INFO", "/a b"), ("REQUEST_URI", "/app/a%20b?q=1"), ("SERVER_NAME", "localhost"),
            ("SERVER_PROTOCOL", "HTTP/1.1"), ("REMOTE_ADDR", "127.0.0.1"), ("host", "127.0.0.1"),
            ("SERVER_ADDR", "127.0.0.1"), ("SERVER_PORT", "80"), ("CONTENT_TYPE", "text/x"),
            ("CONTENT_LENGTH", "4"), ("SERVER_ADMIN", "admin@localhost"),
            ("HTTP_X_CUSTOM", "v\\xc3\\xa9"), ("mod_wsgi.process_group", ""),
            ("DOCUMENT_ROOT", document_root.to_str().unwrap()),
            ("mod_wsgi.application_group", "localhost"),
        ] {
            environ.is(key, value);
        }
        for key in ["HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "wsgi.input"] {
            environ.lacks(key);
        }
        for key in ["mod_wsgi.version", "apache.version"] {
            assert_eq!(environ.kind(key), Some("tuple"), "{key}");
        }
    }
}
