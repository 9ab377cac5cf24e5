//! Files that an application names in X-Sendfile: WSGISendfileRoot.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::support::http::Framing;
use crate::support::{Httpd, Mode};

/// Text that differs at every position.
fn content() -> String {
    (0..30_000).map(|number| format!("{number:09}\n")).collect()
}

fn media(mode: Mode, lines: &str) -> Httpd {
    Httpd::with(&format!("WSGIScriptAlias / @apps@/xsendfile.py\n{lines}"))
        .mode(mode)
        .file("media/data.bin", &content())
        .file("media/empty", "")
        .file("media/folder/file", "in a folder")
        .file("private/secret", "secret")
        .start()
}

const ROOT: &str = "WSGISendfileRoot /nonexistent @root@/media";

both_modes! {
    fn the_file_takes_the_place_of_every_kind_of_body(mode) {
        ours!("has no such directive");
        let server = media(mode, ROOT);
        for route in ["listed", "empty", "generated", "written", "tagged"] {
            let response = server.get(&format!("/{route}?media/data.bin"));
            assert!(response.ok() == content(), "{route}");
            assert_eq!(response.framing, Framing::Length);
            assert_eq!(response.header("content-length"), Some("300000"), "{route}");
            assert_eq!(response.header("content-type"), Some("text/x-test"));
            assert_eq!(response.header("x-sendfile"), None);
        }
        assert_eq!(server.get("/listed?media/empty").ok(), "");
        assert_eq!(server.get("/listed?media/folder/file").ok(), "in a folder");
    }

    fn ranges_conditions_and_head_are_answered_by_httpd(mode) {
        ours!("has no such directive");
        let server = media(mode, ROOT);
        let ask = |method: &str, target: &str, headers: &[(&str, &str)]| {
            server.request(method, target, headers, b"")
        };
        let response = ask("GET", "/empty?media/data.bin", &[("Range", "bytes=10-19")]);
        assert_eq!((response.status(), response.text().as_str()), (206, "000000001\n"));
        for (tag, status) in [("\"v1\"", 206), ("\"v0\"", 200)] {
            let headers = [("Range", "bytes=10-19"), ("If-Range", tag)];
            assert_eq!(ask("GET", "/tagged?media/data.bin", &headers).status(), status);
        }
        for target in ["/tagged?media/data.bin", "/wrapped?media/data.bin"] {
            let response = ask("GET", target, &[("If-None-Match", "\"v1\"")]);
            assert_eq!((response.status(), response.body.len()), (304, 0), "{target}");
            assert_eq!(response.header("etag"), Some("\"v1\""), "{target}");
            assert_eq!(ask("GET", target, &[("If-None-Match", "\"v0\"")]).status(), 200);
            assert_eq!(ask("GET", target, &[("If-Match", "\"v0\"")]).status(), 412);
        }
        // Without a tag of the application there is nothing to compare.
        let response = ask("GET", "/empty?media/data.bin", &[("If-None-Match", "\"v1\"")]);
        assert_eq!(response.status(), 200);
        let response = ask("HEAD", "/empty?media/data.bin", &[]);
        assert_eq!((response.status(), response.body.len()), (200, 0));
        assert_eq!(response.header("content-length"), Some("300000"));
    }

    fn what_is_no_file_inside_is_never_sent(mode) {
        ours!("has no such directive");
        let server = media(mode, ROOT);
        symlink("../private/secret", server.path("media/leads-out")).unwrap();
        symlink("data.bin", server.path("media/link")).unwrap();
        let pipe = server.path("media/pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let unreadable = server.path("media/unreadable");
        std::fs::write(&unreadable, "for nobody").unwrap();
        std::fs::set_permissions(&unreadable, std::fs::Permissions::from_mode(0o000)).unwrap();
        assert!(server.get("/listed?media/link").ok() == content());
        for (path, status) in [
            ("media/missing", 404),
            ("media/data.bin/below", 404),
            ("private/secret", 500),
            ("media/../private/secret", 500),
            ("media/leads-out", 500),
            ("media", 500),
            ("media/folder", 500),
            ("media/pipe", 500),
            ("media/unreadable", 500),
            ("relative:media/data.bin", 500),
        ] {
            if path == "media/unreadable" && !crate::support::rundir::is_root() {
                continue;
            }
            for route in ["listed", "generated", "written"] {
                let response = server.get(&format!("/{route}?{path}"));
                assert_eq!(response.status(), status, "{route} {path}: {}", response.text());
                assert_eq!(response.header("x-sendfile"), None, "{path}");
                assert!(!response.text().contains("secret") && !response.text().contains("nobody sees"));
            }
        }
        server.expect_log("WSGI1032");
        assert!(server.get("/listed?media/data.bin").ok() == content());
    }

    fn without_the_directive_the_header_is_like_others(mode) {
        let server = media(mode, "");
        let response = server.get("/listed?media/data.bin");
        assert_eq!(response.ok(), "the body that nobody sees");
        let path = server.path("media/data.bin").display().to_string();
        assert_eq!(response.header("x-sendfile"), Some(path.as_str()));
    }

    fn an_exception_sends_no_file(mode) {
        ours!("has no such directive");
        let server = media(mode, ROOT);
        assert_eq!(server.get("/raises?media/data.bin").status(), 500);
        server.expect_traceback("before anything was sent").allow_log("WSGI0174");
    }
}

one! {
    fn the_file_is_opened_with_the_rights_of_the_daemon() {
        ours!("has no such directive");
        needs_root!();
        let server = Httpd::with(&format!(
            "WSGIDaemonProcess app user=daemon group=daemon\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/xsendfile.py\n{ROOT}"
        ))
        .file("media/own", "of the daemon's user")
        .start();
        let path = server.path("media/own");
        assert!(Command::new("chown").arg("daemon").arg(&path).status().unwrap().success());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(server.get("/listed?media/own").ok(), "of the daemon's user");
    }

    fn a_relative_root_is_refused() {
        ours!("has no such directive");
        let text = Httpd::refuses("WSGISendfileRoot media");
        assert!(text.contains("WSGISendfileRoot must be one of: absolute paths"), "{text}");
    }
}
