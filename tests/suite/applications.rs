//! Real applications: Flask, Django and C extensions, from the venv of `WSGI_TEST_VENV`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::support::builder::Builder;
use crate::support::{Httpd, Mode, Response, quote, rundir};

/// Lines that make the venv the Python of a placement.
fn venv_lines(mode: Mode) -> &'static str {
    match mode {
        Mode::Embedded => "WSGIPythonHome @venv@\n",
        Mode::Daemon => {
            "WSGIDaemonProcess app threads=5 python-home=@venv@\nWSGIProcessGroup app\n"
        }
    }
}

fn flask(mode: Mode) -> Httpd {
    Httpd::with(&format!("{}WSGIScriptAlias /pre/fix @apps@/flask_app.py", venv_lines(mode)))
        .start()
}

/// A multipart form with one file.
fn multipart(bytes: &[u8]) -> (String, Vec<u8>) {
    let mut body = b"--limit\r\nContent-Disposition: form-data; name=\"file\"; \
                     filename=\"up.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        .to_vec();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--limit--\r\n");
    ("multipart/form-data; boundary=limit".to_owned(), body)
}

/// Bytes without a pattern, and their SHA-256.
fn random_file(count: usize) -> (Vec<u8>, String) {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    let bytes: Vec<u8> = (0..count).map(|_| next()).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let line = rundir::output_of("sha256sum", &[file.path().to_str().unwrap()]);
    (bytes, line.split_whitespace().next().unwrap().to_owned())
}

/// `name=value` of a cookie that a response sets.
fn cookie(response: &Response, name: &str) -> Option<String> {
    let cookies = response.head.all("set-cookie");
    let found = cookies.into_iter().find(|line| line.starts_with(&format!("{name}=")))?;
    Some(found.split(';').next()?.to_owned())
}

both_modes! {
    fn flask_under_a_prefix_makes_the_right_addresses(mode) {
        needs_modules!("flask");
        let server = flask(mode);
        let text = server.get("/pre/fix/").ok();
        assert_eq!(text, "index at /pre/fix/, item at /pre/fix/item/7");
        let text = server.request("GET", "/pre/fix/item/9", &[("Host", "site.test")], b"").ok();
        assert!(text.contains("http://site.test/pre/fix/item/9"), "{text}");
        let response = server.get("/pre/fix/go");
        assert_eq!((response.status(), response.header("location")), (302, Some("/pre/fix/")));
    }

    fn flask_reads_forms_and_uploads(mode) {
        needs_modules!("flask");
        let server = flask(mode);
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let response = server.request("POST", "/pre/fix/form", &form, b"name=Alice+B");
        assert_eq!(response.ok(), "POST Alice B");
        assert_eq!(server.get("/pre/fix/form?name=Bob").ok(), "GET Bob");
        let (bytes, digest) = random_file(3_000_000);
        let (kind, body) = multipart(&bytes);
        let headers = [("Content-Type", kind.as_str())];
        let response = server.request("POST", "/pre/fix/upload", &headers, &body);
        assert_eq!(response.ok(), format!("3000000 {digest}"));
    }

    fn flask_keeps_sessions_sends_files_and_handles_errors(mode) {
        needs_modules!("flask");
        let server = flask(mode);
        let first = server.get("/pre/fix/visit");
        assert_eq!(first.ok(), "visit 1");
        let session = cookie(&first, "session").unwrap();
        let second = server.request("GET", "/pre/fix/visit", &[("Cookie", &session)], b"");
        assert_eq!(second.ok(), "visit 2");
        assert_eq!(server.get("/pre/fix/file").ok(), include_str!("../apps/flask_app.py"));
        let response = server.get("/pre/fix/missing");
        assert_eq!(response.status(), 404);
        assert!(response.text().contains("not in this application"));
        // Flask logs the exception to wsgi.errors.
        server.expect_traceback("RuntimeError: a view fails").allow_log("Exception on /fails");
        assert_eq!(server.get("/pre/fix/fails").status(), 500);
    }

    fn flask_streams_piece_by_piece(mode) {
        needs_modules!("flask");
        let server = flask(mode);
        let mut connection = server.connect();
        connection.request("GET", "/pre/fix/stream", &[], b"");
        connection.final_head();
        assert_eq!(connection.piece().unwrap().unwrap(), b"first");
        server.open_gate("gate");
        assert_eq!(connection.piece().unwrap().unwrap(), b"second");
        assert_eq!(connection.piece().unwrap(), None);
        assert!(connection.is_complete());
    }

    fn flask_passes_the_validator(mode) {
        needs_modules!("flask");
        let server = Httpd::with(&format!(
            "{}WSGIScriptAlias / @apps@/flask_app.py callable-object=validated",
            venv_lines(mode)
        ))
        .start();
        assert_eq!(server.get("/").ok(), "index at /, item at /item/7");
        assert_eq!(server.get("/visit").ok(), "visit 1");
        assert_eq!(server.get("/missing").status(), 404);
    }

    fn extensions_work_in_the_main_interpreter(mode) {
        needs_modules!("numpy", "lxml");
        let server = Httpd::with(&format!(
            "{}WSGIScriptAlias / @apps@/extensions.py application-group=%{{GLOBAL}}",
            venv_lines(mode)
        ))
        .start();
        for _ in 0..5 {
            assert_eq!(server.get("/").ok(), "45\ntext\n42\nOpenSSL\n4");
        }
    }
}

/// The Django site with its database and static files, made once per run.
fn prepared_site() -> &'static PathBuf {
    static SITE: OnceLock<PathBuf> = OnceLock::new();
    SITE.get_or_init(|| {
        let folder = rundir::run().path.join("django");
        std::fs::create_dir_all(folder.join("out/media")).unwrap();
        rundir::copy(&rundir::run().apps.join("django_site"), &folder.join("django_site"));
        let done = Command::new(rundir::venv().unwrap().join("bin/python"))
            .arg(folder.join("django_site/prepare.py"))
            .env_clear()
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        folder
    })
}

fn django(mode: Mode, lines: &str) -> Builder {
    Httpd::with(&format!(
        "{}Alias /static @root@/static\nAlias /media @root@/out/media\n\
         WSGIScriptAlias / @root@/django_site/wsgi.py\nWSGIApplicationGroup %{{GLOBAL}}\n{lines}",
        venv_lines(mode)
    ))
    .tree("", prepared_site())
    .writable(&["out", "out/media", "out/db.sqlite3"])
}

/// The token of a form's hidden field.
fn form_token(page: &str) -> String {
    let after = page.split("name=\"csrfmiddlewaretoken\" value=\"").nth(1).expect("a form");
    after.split('"').next().unwrap().to_owned()
}

both_modes! {
    fn django_admin_logs_in_with_csrf_and_session(mode) {
        needs_modules!("django");
        let server = django(mode, "").start();
        let page = server.get("/admin/login/?next=/admin/");
        let token = form_token(&page.ok());
        let csrf = cookie(&page, "csrftoken").unwrap();
        let form = format!(
            "csrfmiddlewaretoken={token}&username=admin&password=secret-for-tests&next={}",
            quote("/admin/")
        );
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let headers = [kind, ("Cookie", csrf.as_str())];
        let login = server.request("POST", "/admin/login/", &headers, form.as_bytes());
        assert_eq!((login.status(), login.header("location")), (302, Some("/admin/")));
        let session = cookie(&login, "sessionid").unwrap();
        let admin = server.request("GET", "/admin/", &[("Cookie", &session)], b"").ok();
        assert!(admin.contains("Site administration"), "{admin}");
        // Without the session, and with a wrong token.
        assert_eq!(server.get("/admin/").status(), 302);
        server.allow_log("Forbidden (CSRF");
        let forged = form.replace(&token, "forged");
        let refused = server.request("POST", "/admin/login/", &headers, forged.as_bytes());
        assert_eq!(refused.status(), 403);
    }

    fn django_static_and_media_files_are_served_by_httpd(mode) {
        needs_modules!("django");
        let server = django(mode, "").start();
        let css = server.get("/static/admin/css/base.css").ok();
        assert!(css.contains("body"));
        assert!(server.get("/").ok().contains("\"admin\": \"/admin/\""));
    }

    fn django_takes_an_upload_of_20_megabytes(mode) {
        needs_modules!("django");
        let server = django(mode, "").start();
        let (bytes, digest) = random_file(20_000_000);
        let (kind, body) = multipart(&bytes);
        let headers = [("Content-Type", kind.as_str())];
        let text = server.request("POST", "/upload", &headers, &body).ok();
        let words: Vec<&str> = text.split(' ').collect();
        assert_eq!(words[..2], ["20000000", digest.as_str()]);
        let back = server.get(words[2]);
        assert!(back.complete && back.body == bytes, "the file in media differs");
    }

    fn django_streams_piece_by_piece(mode) {
        needs_modules!("django");
        let server = django(mode, "").start();
        let mut connection = server.connect();
        connection.request("GET", "/stream", &[], b"");
        connection.final_head();
        assert_eq!(connection.piece().unwrap().unwrap(), b"first");
        server.open_gate("gate");
        assert_eq!(connection.piece().unwrap().unwrap(), b"second");
        assert_eq!(connection.piece().unwrap(), None);
        assert!(connection.is_complete());
    }

    fn django_sends_files_and_handles_errors(mode) {
        needs_modules!("django");
        let server = django(mode, "<Location /file>\nWSGICallableObject plain\n</Location>").start();
        assert_eq!(server.get("/file").ok(), include_str!("../apps/django_site/urls.py"));
        let missing = server.get("/not/there");
        assert_eq!(missing.status(), 404);
        server.expect_traceback("RuntimeError: a view fails").allow_log("Internal Server Error");
        server.allow_log("Not Found");
        assert_eq!(server.get("/fails").status(), 500);
        assert!(server.get("/").ok().contains("index"));
    }
}
