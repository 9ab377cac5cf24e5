//! The environ: what PEP 3333 asks for, and what httpd adds.

use crate::support::{Environ, Httpd, Mode};

/// The environ of a GET of `target` with headers.
fn environ(server: &Httpd, target: &str, headers: &[(&str, &str)]) -> Environ {
    Environ::parse(&server.request("GET", target, headers, b"").ok())
}

fn mounted(mode: Mode) -> Httpd {
    Httpd::with("WSGIScriptAlias /app @apps@/environ.py\n").mode(mode).start()
}

both_modes! {
    fn cgi_keys_describe_the_request(mode) {
        let server = mounted(mode);
        let port = server.port().to_string();
        let found = environ(&server, "/app/some/path?x=1&y=%20z", &[]);
        found.is("REQUEST_METHOD", "GET");
        found.is("SCRIPT_NAME", "/app");
        found.is("PATH_INFO", "/some/path");
        found.is("QUERY_STRING", "x=1&y=%20z");
        found.is("REQUEST_URI", "/app/some/path?x=1&y=%20z");
        found.is("SERVER_NAME", "localhost");
        found.is("SERVER_ADDR", "127.0.0.1");
        found.is("REMOTE_ADDR", "127.0.0.1");
        found.is("SERVER_PROTOCOL", "HTTP/1.1");
        found.is("SERVER_ADMIN", "admin@localhost");
        found.is("REQUEST_SCHEME", "http");
        found.is("CONTEXT_PREFIX", "");
        let root = server.path("htdocs").display().to_string();
        found.is("DOCUMENT_ROOT", &root);
        found.is("CONTEXT_DOCUMENT_ROOT", &root);
        assert!(found.text("SCRIPT_FILENAME").unwrap().ends_with("/apps/environ.py"));
        assert!(found.text("SERVER_SOFTWARE").unwrap().starts_with("Apache/2.4"));
        let remote: u16 = found.text("REMOTE_PORT").unwrap().parse().unwrap();
        assert!(remote > 0);
        found.is("HTTP_HOST", "localhost");
        let found = environ(&server, "/app", &[("Host", &format!("localhost:{port}"))]);
        found.is("SERVER_PORT", &port);
        found.is("PATH_INFO", "");
        found.is("QUERY_STRING", "");
    }

    fn keys_that_6_0_dropped_are_absent(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\nSetEnv PATH /from/setenv\nSetEnv HTTPS on",
        )
        .mode(mode)
        .start();
        let found = environ(&server, "/app/x", &[]);
        for key in [
            "PATH_TRANSLATED", "GATEWAY_INTERFACE", "SERVER_SIGNATURE", "REMOTE_HOST",
            "REMOTE_IDENT", "PATH", "LD_LIBRARY_PATH", "HTTPS",
        ] {
            found.lacks(key);
        }
        found.lacks("CONTENT_LENGTH");
        found.lacks("CONTENT_TYPE");
        assert!(!found.keys().any(|key| key.starts_with("mod_wsgi.x-")));
    }

    fn https_in_the_environment_becomes_the_url_scheme(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\n\
             <Location /app/on>\nSetEnv HTTPS oN\n</Location>\n\
             <Location /app/one>\nSetEnv HTTPS 1\n</Location>\n\
             <Location /app/off>\nSetEnv HTTPS off\n</Location>",
        )
        .mode(mode)
        .start();
        for (path, scheme) in
            [("/app/on", "https"), ("/app/one", "https"), ("/app/off", "http"), ("/app", "http")]
        {
            let found = environ(&server, path, &[]);
            found.is("wsgi.url_scheme", scheme);
            found.lacks("HTTPS");
        }
    }

    fn wsgi_keys_have_the_types_and_values_of_pep_3333(mode) {
        let server =
            Httpd::with("WSGIScriptAlias /app @apps@/environ.py\nWSGICallableObject bare")
                .mode(mode)
                .start();
        let found = environ(&server, "/app", &[]);
        assert_eq!(found.repr("type(environ)"), Some("'dict'"));
        assert_eq!(found.repr("wsgi.version"), Some("(1, 0)"));
        assert_eq!(found.repr("wsgi.input_terminated"), Some("True"));
        assert_eq!(found.repr("wsgi.run_once"), Some("False"));
        assert_eq!(found.kind("wsgi.input"), Some("Input"));
        assert_eq!(found.kind("wsgi.errors"), Some("TextIOWrapper"));
        assert_eq!(found.repr("wsgi.file_wrapper"), Some("<class 'mod_wsgi.FileWrapper'>"));
        assert_eq!(found.kind("wsgi.multithread"), Some("bool"));
        assert_eq!(found.kind("wsgi.multiprocess"), Some("bool"));
        found.is("wsgi.url_scheme", "http");
    }

    fn mod_wsgi_keys_describe_the_placement(mode) {
        let server =
            Httpd::with("WSGIScriptAlias /app @apps@/environ.py\nWSGICallableObject bare")
                .mode(mode)
                .start();
        let found = environ(&server, "/app/p", &[("Host", "localhost:80")]);
        assert_eq!(found.repr("mod_wsgi.version"), Some("(6, 1, 1)"));
        assert_eq!(found.repr("apache.version").map(|text| text.starts_with("(2, 4, ")), Some(true));
        found.is("mod_wsgi.process_group", mode.pick("", "app"));
        found.is("mod_wsgi.application_group", "localhost|/app");
        found.is("mod_wsgi.callable_object", "bare");
        found.is("mod_wsgi.request_handler", "wsgi-script");
        found.is("mod_wsgi.handler_script", "");
        found.is("mod_wsgi.script_name", "/app");
        found.is("mod_wsgi.path_info", "/p");
        found.is("mod_wsgi.listener_port", &server.port().to_string());
        assert_eq!(found.kind("mod_wsgi.listener_host"), Some("str"));
        found.lacks("mod_wsgi.mount_point");
        assert!(found.text("mod_wsgi.request_id").is_some_and(|id| !id.is_empty()));
        // httpd makes a connection's id only when something logs it.
        assert!(found.text("mod_wsgi.connection_id").is_none_or(|id| !id.is_empty()));
        let pid: i32 = found.text("mod_wsgi.server_pid").unwrap().parse().unwrap();
        assert!(server.processes().iter().any(|process| process.pid == pid));
        assert_eq!(found.kind("mod_wsgi.thread_id"), Some("int"));
        assert!(found.repr("mod_wsgi.thread_id").unwrap().parse::<u32>().unwrap() >= 1);
    }

    fn times_of_a_request_are_in_order(mode) {
        let server = mounted(mode);
        let found = environ(&server, "/app", &[]);
        let time = |key: &str| {
            assert_eq!(found.kind(key), Some("float"), "{key}");
            found.repr(key).unwrap().parse::<f64>().unwrap()
        };
        let start = time("mod_wsgi.request_start");
        let (queue, daemon) = (time("mod_wsgi.queue_start"), time("mod_wsgi.daemon_start"));
        let application = time("mod_wsgi.application_start");
        assert!(start > 1.7e9 && application >= start && application < start + 60.0);
        match mode {
            Mode::Embedded => assert_eq!((queue, daemon), (0.0, 0.0)),
            Mode::Daemon => assert!(start <= queue && queue <= daemon && daemon <= application),
        }
    }

    fn values_are_latin_1_one_character_per_byte(mode) {
        let server = mounted(mode);
        let mut connection = server.connect();
        let mut bytes = b"GET /app/%C3%A9 HTTP/1.1\r\nHost: localhost\r\nX-Bytes: ".to_vec();
        bytes.extend([0xE9, 0xFF, b'!']);
        bytes.extend(b"\r\nConnection: close\r\n\r\n");
        connection.send(bytes);
        let found = Environ::parse(&connection.response().ok());
        found.is("HTTP_X_BYTES", r"\xe9\xff!");
        found.is("PATH_INFO", r"/\xc3\xa9");
        found.is("REQUEST_URI", "/app/%C3%A9");
    }

    fn runs_of_slashes_collapse_in_script_name_and_path_info(mode) {
        let server = mounted(mode);
        let found = environ(&server, "//app///a//b/?q=//", &[]);
        found.is("SCRIPT_NAME", "/app");
        found.is("PATH_INFO", "/a/b/");
        found.is("REQUEST_URI", "//app///a//b/?q=//");
        found.is("QUERY_STRING", "q=//");
    }

    fn an_application_at_the_root_has_an_empty_script_name(mode) {
        let server = Httpd::serving("environ.py", mode);
        let found = environ(&server, "/a/b", &[]);
        found.is("SCRIPT_NAME", "");
        found.is("PATH_INFO", "/a/b");
        let found = environ(&server, "/", &[]);
        found.is("SCRIPT_NAME", "");
        found.is("PATH_INFO", "/");
    }

    fn an_absolute_request_target_stays_as_it_was(mode) {
        let server = mounted(mode);
        let found = environ(&server, "http://localhost/app/x", &[]);
        found.is("REQUEST_URI", "http://localhost/app/x");
        found.is("PATH_INFO", "/x");
    }

    fn headers_become_http_keys(mode) {
        let server = mounted(mode);
        let found = environ(
            &server,
            "/app",
            &[("X-Simple", "one"), ("x-lower-case", "two"), ("X-Many", "a"), ("X-Many", "b")],
        );
        found.is("HTTP_X_SIMPLE", "one");
        found.is("HTTP_X_LOWER_CASE", "two");
        found.is("HTTP_X_MANY", "a, b");
    }

    fn content_headers_have_no_http_twin(mode) {
        let server = mounted(mode);
        let response =
            server.request("POST", "/app", &[("Content-Type", "text/x-test")], b"12345");
        let found = Environ::parse(&response.ok());
        found.is("CONTENT_TYPE", "text/x-test");
        found.is("CONTENT_LENGTH", "5");
        found.lacks("HTTP_CONTENT_TYPE");
        found.lacks("HTTP_CONTENT_LENGTH");
    }

    fn a_header_with_an_underscore_cannot_spoof_one_with_a_dash(mode) {
        let server = mounted(mode);
        let found = environ(&server, "/app", &[("X_User", "mallory"), ("X-Other", "fine")]);
        found.lacks("HTTP_X_USER");
        found.is("HTTP_X_OTHER", "fine");
    }

    fn headers_with_unusual_characters_in_the_name_are_dropped(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\nHttpProtocolOptions Unsafe",
        )
        .mode(mode)
        .start();
        let found = environ(&server, "/app", &[("X.Dot", "1"), ("X!Bang", "2"), ("X-Ok", "3")]);
        assert!(!found.keys().any(|key| key.contains("DOT") || key.contains("BANG")));
        found.is("HTTP_X_OK", "3");
    }

    fn the_proxy_header_is_never_passed(mode) {
        let server = mounted(mode);
        environ(&server, "/app", &[("Proxy", "http://evil.example/")]).lacks("HTTP_PROXY");
    }

    fn authorization_is_passed_only_when_asked_for(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\n\
             WSGIScriptAlias /alias @apps@/environ.py pass-authorization=On\n\
             <Location /app/pass>\nWSGIPassAuthorization On\n</Location>\n\
             <Location /app/cgi>\nCGIPassAuth On\n</Location>",
        )
        .mode(mode)
        .start();
        let headers = [("Authorization", "Bearer t"), ("Proxy-Authorization", "Basic x")];
        environ(&server, "/app", &headers).lacks("HTTP_AUTHORIZATION");
        environ(&server, "/app/pass", &headers).is("HTTP_AUTHORIZATION", "Bearer t");
        environ(&server, "/app/pass", &headers).lacks("HTTP_PROXY_AUTHORIZATION");
        environ(&server, "/alias", &headers).is("HTTP_AUTHORIZATION", "Bearer t");
        let found = environ(&server, "/app/cgi", &headers);
        found.is("HTTP_AUTHORIZATION", "Bearer t");
        found.is("HTTP_PROXY_AUTHORIZATION", "Basic x");
    }

    fn withheld_credentials_are_in_the_log_once_for_each_script(mode) {
        ours!("it says nothing");
        let server = Httpd::with(
            "LogLevel wsgi:info\nWSGIScriptAlias /app @apps@/environ.py\n\
             WSGIScriptAlias /other @apps@/hello.py\n\
             <Location /app/pass>\nWSGIPassAuthorization On\n</Location>\n\
             <Location /app/cgi>\nCGIPassAuth On\n</Location>\n\
             <Location /app/quiet>\nLogLevel wsgi:warn\n</Location>",
        )
        .mode(mode)
        .one_child()
        .start();
        let credentials = [("Authorization", "Bearer s3cret")];
        let ask = |target: &str| server.request("GET", target, &credentials, b"").ok();
        let said = |script: &str| {
            let start = format!("{script}' does not see the Authorization header");
            server.log_count(&start)
        };
        server.get("/app").ok();
        for target in ["/app/pass", "/app/cgi", "/app/quiet"] {
            ask(target);
        }
        assert_eq!(said("environ.py"), 0);
        for _ in 0..3 {
            ask("/app");
        }
        assert_eq!((said("environ.py"), said("hello.py")), (1, 0));
        ask("/other");
        assert_eq!(said("hello.py"), 1);
        assert_eq!(server.log_count("s3cret"), 0);
    }

    fn variables_of_httpd_modules_are_passed(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\n\
             SetEnv FROM_SETENV \"a value\"\nSetEnvIf User-Agent \"^T\" FROM_SETENVIF=yes\n\
             RewriteEngine On\nRewriteRule ^/app - [E=FROM_REWRITE:%{REQUEST_METHOD}]\n\
             SetEnv QUERY_STRING overwritten\nSetEnv HTTP_X_HEADER overwritten",
        )
        .mode(mode)
        .start();
        let found = environ(&server, "/app?q", &[("User-Agent", "Test"), ("X-Header", "mine")]);
        found.is("FROM_SETENV", "a value");
        found.is("FROM_SETENVIF", "yes");
        found.is("FROM_REWRITE", "GET");
        found.is("QUERY_STRING", "q");
        found.is("HTTP_X_HEADER", "mine");
    }

    fn what_the_gateway_says_cannot_be_set(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\n\
             SetEnv wsgi.version other\nSetEnv wsgi.url_scheme other\n\
             SetEnv mod_wsgi.callable_object other",
        )
        .mode(mode)
        .start();
        let found = environ(&server, "/app", &[]);
        assert_eq!(found.repr("wsgi.version"), Some("(1, 0)"));
        found.is("wsgi.url_scheme", "http");
        found.is("mod_wsgi.callable_object", "application");
    }

    fn an_authenticated_user_is_named(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\n\
             <Location /app>\nAuthType Basic\nAuthName test\nAuthBasicProvider file\n\
             AuthUserFile @root@/users\nRequire valid-user\n</Location>",
        )
        .mode(mode)
        .modules(&["authn_core", "authn_file", "auth_basic", "authz_user"])
        // alice:secret in httpd's {SHA} form.
        .file("users", "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
        .start();
        let found = environ(&server, "/app", &[("Authorization", "Basic YWxpY2U6c2VjcmV0")]);
        found.is("REMOTE_USER", "alice");
        found.is("AUTH_TYPE", "Basic");
        found.lacks("HTTP_AUTHORIZATION");
    }

    fn an_internal_redirect_shows_where_it_came_from(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\n\
             <Directory @root@/htdocs>\nRewriteEngine On\nRewriteRule ^old$ /app/new [QSA]\n\
             Options FollowSymLinks\n</Directory>",
        )
        .mode(mode)
        .start();
        let found = environ(&server, "/old?k=v", &[]);
        assert_eq!(found.text("REDIRECT_URL"), Some("/old"));
        found.is("REDIRECT_QUERY_STRING", "k=v");
        found.is("PATH_INFO", "/new");
        found.is("QUERY_STRING", "k=v");
    }

    fn every_request_gets_a_fresh_environ(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        let first = server.get("/?environ.setdefault('mark',1)");
        assert_eq!(first.ok(), "1");
        assert_eq!(server.get("/?environ.get('mark')").ok(), "None");
    }

    fn two_hundred_headers_arrive(mode) {
        let server = Httpd::with("WSGIScriptAlias /app @apps@/environ.py\nLimitRequestFields 300")
            .mode(mode)
            .start();
        let names: Vec<String> = (0..200).map(|n| format!("X-Header-{n}")).collect();
        let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        let found = environ(&server, "/app", &headers);
        let count = found.keys().filter(|key| key.starts_with("HTTP_X_HEADER_")).count();
        assert_eq!(count, 200);
    }

    fn a_header_of_100_kilobytes_arrives(mode) {
        let server =
            Httpd::with("LimitRequestFieldSize 200000\nWSGIScriptAlias /app @apps@/environ.py")
                .mode(mode)
                .start();
        let long = "y".repeat(100_000);
        environ(&server, "/app", &[("X-Long", &long)]).is("HTTP_X_LONG", &long);
    }

    fn the_document_root_may_have_any_bytes(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\nDocumentRoot \"@root@/htdocs-\u{e9}\"",
        )
        .mode(mode)
        .file("htdocs-\u{e9}/index.txt", "x")
        .start();
        let found = environ(&server, "/app", &[]);
        let root = found.text("DOCUMENT_ROOT").unwrap();
        assert!(
            root.ends_with(r"htdocs-\xe9") || root.ends_with(r"htdocs-\udcc3\udca9"),
            "{root}"
        );
    }
}

one! {
    fn multithread_and_multiprocess_follow_the_daemon_group() {
        let server = Httpd::with(
            "WSGIDaemonProcess plain threads=2\nWSGIDaemonProcess single threads=1 processes=1\n\
             WSGIScriptAlias /plain @apps@/environ.py process-group=plain\n\
             WSGIScriptAlias /single @apps@/environ.py process-group=single",
        )
        .start();
        let found = environ(&server, "/plain", &[]);
        assert_eq!(found.repr("wsgi.multithread"), Some("True"));
        assert_eq!(found.repr("wsgi.multiprocess"), Some("False"));
        let found = environ(&server, "/single", &[]);
        assert_eq!(found.repr("wsgi.multithread"), Some("False"));
        assert_eq!(found.repr("wsgi.multiprocess"), Some("True"));
    }

    fn our_own_version_stands_beside_the_contracts() {
        ours!("rs_version is ours");
        let server = Httpd::serving("evaluate.py", Mode::Daemon);
        let text = server.get("/?imp('mod_wsgi').version;;imp('mod_wsgi').rs_version").ok();
        assert!(text.starts_with("(6, 1, 1)\n"), "{text}");
        assert!(text.contains("0.1.0") || text.contains("(0, 1, 0)"), "{text}");
    }
}

mod mpm {
    use super::*;

    both_modes! {
        fn multithread_and_multiprocess_follow_the_mpm(mode) {
            let server = mounted(mode);
            let found = environ(&server, "/app", &[]);
            let threaded = crate::support::conf::mpm() != "prefork";
            let expected = mode.pick(threaded, true);
            let expected = if expected { "True" } else { "False" };
            assert_eq!(found.repr("wsgi.multithread"), Some(expected));
            assert_eq!(found.repr("wsgi.multiprocess"), Some("True"));
        }
    }
}
