//! When a request is ours, and the checks before Python runs.

use crate::support::{Environ, Httpd};

both_modes! {
    fn add_handler_runs_files_by_extension_where_execution_is_allowed(mode) {
        let server = Httpd::with(
            "Alias /scripts @root@/scripts\n<Directory @root@/scripts>\n\
             AddHandler wsgi-script .wsgi\nOptions ExecCGI\n</Directory>\n\
             Alias /noexec @root@/scripts-noexec\n<Directory @root@/scripts-noexec>\n\
             AddHandler wsgi-script .wsgi\nOptions None\n</Directory>",
        )
        .mode(mode)
        .file("scripts/app.wsgi", include_str!("../apps/environ.py"))
        .file("scripts/plain.txt", "plain text")
        .file("scripts-noexec/app.wsgi", include_str!("../apps/environ.py"))
        .start();
        let found = Environ::parse(&server.get("/scripts/app.wsgi/extra").ok());
        found.is("SCRIPT_NAME", "/scripts/app.wsgi");
        found.is("PATH_INFO", "/extra");
        assert_eq!(server.get("/scripts/plain.txt").ok(), "plain text");
        server.expect_log("WSGI0134");
        let response = server.get("/noexec/app.wsgi");
        assert_eq!(response.status(), 403);
        assert!(!response.text().contains("validator"), "the source leaks");
    }

    fn set_handler_runs_every_file_of_a_folder(mode) {
        let server = Httpd::with(
            "Alias /any @root@/any\n<Directory @root@/any>\nSetHandler wsgi-script\n\
             Options ExecCGI\n</Directory>",
        )
        .mode(mode)
        .file("any/script", include_str!("../apps/hello.py"))
        .start();
        assert_eq!(server.get("/any/script").ok(), "Hello, WSGI\n");
        server.expect_log("WSGI0135");
        assert_eq!(server.get("/any/other").status(), 404);
    }

    fn a_mime_type_activates_the_handler(mode) {
        let server = Httpd::with(
            "Alias /mime @root@/mime\n<Directory @root@/mime>\n\
             AddType application/x-httpd-wsgi .py\nOptions ExecCGI\n</Directory>",
        )
        .mode(mode)
        .file("mime/app.py", include_str!("../apps/hello.py"))
        .start();
        assert_eq!(server.get("/mime/app.py").ok(), "Hello, WSGI\n");
    }

    fn a_rewrite_rule_activates_the_handler(mode) {
        let server = Httpd::with(
            "Alias /rewritten @root@/rewritten\n<Directory @root@/rewritten>\nOptions ExecCGI \
             FollowSymLinks\nRewriteEngine On\nRewriteRule \\.py$ - [H=wsgi-script]\n</Directory>",
        )
        .mode(mode)
        .file("rewritten/app.py", include_str!("../apps/hello.py"))
        .start();
        assert_eq!(server.get("/rewritten/app.py").ok(), "Hello, WSGI\n");
    }

    fn path_info_is_refused_where_httpd_says_so(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/hello.py\n<Location /app>\nAcceptPathInfo Off\n</Location>",
        )
        .mode(mode)
        .start();
        server.expect_log("WSGI0137");
        assert_eq!(server.get("/app").ok(), "Hello, WSGI\n");
        assert_eq!(server.get("/app/extra").status(), 404);
    }

    fn access_control_of_httpd_comes_first(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/hello.py\n<Location /app/secret>\nRequire all denied\n\
             </Location>",
        )
        .mode(mode)
        .start();
        server.expect_log("AH01630");
        assert_eq!(server.get("/app/secret").status(), 403);
        assert_eq!(server.get("/app/open").ok(), "Hello, WSGI\n");
    }

    fn a_script_in_a_denied_directory_is_403(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @root@/private/app.py\n<Directory @root@/private>\n\
             Require all denied\n</Directory>",
        )
        .mode(mode)
        .file("private/app.py", include_str!("../apps/hello.py"))
        .start();
        server.expect_log("AH01630");
        assert_eq!(server.get("/app").status(), 403);
    }

    fn any_method_reaches_the_application(mode) {
        // The validator warns about methods it does not know.
        let server = Httpd::with("WSGIScriptAlias / @apps@/environ.py callable-object=bare")
            .mode(mode)
            .start();
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "CUSTOM"] {
            let found = Environ::parse(&server.request(method, "/", &[], b"").ok());
            found.is("REQUEST_METHOD", method);
        }
    }

    fn an_error_document_may_be_an_application(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\nErrorDocument 404 /app/not-found",
        )
        .mode(mode)
        .start();
        // The application's own status is the one sent.
        let found = Environ::parse(&server.get("/nothing/here").ok());
        found.is("PATH_INFO", "/not-found");
        found.is("REDIRECT_URL", "/nothing/here");
        found.is("REDIRECT_STATUS", "404");
    }

    fn other_content_is_left_to_httpd(mode) {
        let server = Httpd::with("WSGIScriptAlias /app @apps@/hello.py")
            .mode(mode)
            .file("htdocs/index.html", "<p>static</p>")
            .start();
        assert_eq!(server.get("/").ok(), "<p>static</p>");
        assert_eq!(server.get("/application").status(), 404);
        assert_eq!(server.get("/app").ok(), "Hello, WSGI\n");
    }
}
