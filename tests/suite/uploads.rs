//! Request bodies that wait in httpd until they are complete: WSGIRequestBuffering.

use crate::support::builder::Builder;
use crate::support::curl::{curl, secure, ways};
use crate::support::{Httpd, Mode, Tmpfs, daemon, poll, quote};

/// The application that reads its input in many ways, with these lines.
fn input(mode: Mode, lines: &str) -> Builder {
    Httpd::with(&format!("WSGIScriptAlias / @apps@/input.py\nWSGIChunkedRequest On\n{lines}"))
        .mode(mode)
}

/// Bytes that differ at every position.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// What `/digest` answers.
fn digest(body: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), body).unwrap();
    let line = crate::support::rundir::output_of("sha256sum", &[file.path().to_str().unwrap()]);
    format!("{} {}", body.len(), line.split_whitespace().next().unwrap())
}

const HALF: &str = "POST /broken HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n12345";

both_modes! {
    fn bodies_of_every_size_arrive_however_they_are_kept(mode) {
        ours!("has no such directive");
        let sizes = [0, 1, 999, 1_000, 1_001, 65_535, 65_536, 65_537, 300_000, 3_000_000];
        let bodies = sizes.map(|size| (bytes(size), digest(&bytes(size))));
        for value in ["On", "0", "1000", "1000000", "Off"] {
            let server = input(mode, &format!("WSGIRequestBuffering {value}")).start();
            for (body, expected) in &bodies {
                let text = server.post("/digest", body).ok();
                assert_eq!(text, *expected, "WSGIRequestBuffering {value}");
                assert_eq!(server.post("/first", body).status(), 200);
                assert_eq!(server.post("/unread", body).ok(), "unread");
            }
        }
    }

    fn a_kept_body_can_be_read_again_and_in_any_order(mode) {
        ours!("has no such methods");
        let code = [
            "stream.seekable(), stream.tell(), stream.readline(), stream.tell()",
            "stream.seek(0), stream.read(3), stream.tell()",
            "stream.seek(0), len(stream.read()), stream.read(), stream.tell()",
            "stream.seek(-4, 2) == stream.tell(), stream.read()",
            "stream.seek(2), stream.seek(2, 1), stream.read(2)",
            "stream.seek(10**12), stream.read(), stream.readline()",
            "stream.seek(-1)",
            "stream.seek(0, 7)",
            "stream.seek(0), stream.read(0), list(stream)[0]",
            "stream.seek('x')",
        ];
        let server = Httpd::serving("evaluate.py", mode);
        for size in [0, 300_000] {
            let body = [&b"first\n"[..], &vec![b'x'; size], b"\nlast"].concat();
            let text = server.post(&format!("/?{}", quote(&code.join(";;"))), &body).ok();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines[0], "(True, 0, b'first\\n', 6)", "{text}");
            assert_eq!(lines[1], "(0, b'fir', 3)");
            assert_eq!(lines[2], format!("(0, {0}, b'', {0})", body.len()));
            assert_eq!(lines[3], "(True, b'last')");
            assert_eq!(lines[4], "(2, 4, b't\\n')");
            assert_eq!(lines[5], "(1000000000000, b'', b'')");
            assert_eq!(lines[6], "ValueError: negative seek value -1");
            assert_eq!(lines[7], "ValueError: invalid whence (7, should be 0, 1 or 2)");
            assert_eq!(lines[8], "(0, b'', b'first\\n')");
            assert!(lines[9].starts_with("TypeError"), "{text}");
        }
        let code = "stream.seekable(), stream.seek(0), stream.read(), stream.tell()";
        assert_eq!(server.get(&format!("/?{}", quote(code))).ok(), "(True, 0, b'', 0)");
    }

    fn an_upload_that_ends_too_early_never_reaches_the_application(mode) {
        ours!("calls the application");
        let server = input(mode, "").start();
        let mut connection = server.connect();
        connection.send(HALF);
        connection.end_sending();
        assert_eq!(connection.response().status(), 400);
        let mut connection = server.connect();
        connection.send(HALF);
        connection.reset();
        let mut connection = server.connect();
        connection.send(
            "POST /broken HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\nnot-hex\r\n",
        );
        assert_eq!(connection.response().status(), 400);
        server.allow_log("AH");
        assert_eq!(server.get("/unread").ok(), "unread");
        assert_eq!(server.out("broken"), "");
    }

    fn an_upload_that_stalls_is_408_and_never_reaches_the_application(mode) {
        ours!("calls the application");
        let server =
            input(mode, "RequestReadTimeout body=1").modules(&["reqtimeout"]).start();
        let mut connection = server.connect();
        connection.send(HALF);
        assert_eq!(connection.response().status(), 408);
        server.expect_log("WSGI0126").allow_log("AH");
        assert_eq!(server.out("broken"), "");
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn a_chunked_upload_over_the_limit_is_413_and_never_reaches_the_application(mode) {
        ours!("calls the application");
        let server = input(mode, "LimitRequestBody 1000").start();
        let mut connection = server.connect();
        let chunk = format!("{:x}\r\n{}\r\n", 800, "x".repeat(800));
        connection.send(format!(
            "POST /broken HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
             {chunk}{chunk}0\r\n\r\n"
        ));
        assert_eq!(connection.response().status(), 413);
        assert!(connection.try_response().unwrap().is_none(), "a second answer");
        server.wait_for_log("AH01591");
        assert_eq!(server.out("broken"), "");
    }

    fn no_room_for_an_upload_is_507_and_never_reaches_the_application(mode) {
        ours!("has no files");
        needs_root!();
        let folder = Tmpfs::new();
        let server = input(mode, "").environment("TMPDIR", folder.path()).start();
        server.post("/digest", &bytes(900_000)).ok();
        let response = server.post("/broken", &bytes(2_000_000));
        assert_eq!(response.status(), 507);
        server.expect_log("WSGI1031").allow_log("AH");
        assert_eq!(server.out("broken"), "");
        // What was written is given back.
        server.post("/digest", &bytes(900_000)).ok();
    }

    fn the_client_hears_100_before_the_application_runs(mode) {
        ours!("in embedded mode, when the application reads");
        let server = input(mode, "").start();
        let mut connection = server.connect();
        connection.send(
            "POST /digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\
             Expect: 100-continue\r\n\r\n",
        );
        assert_eq!(connection.head().unwrap().unwrap().status, 100);
        connection.try_send(b"abc").unwrap();
        assert_eq!(connection.response().ok(), digest(b"abc"));
    }

    fn directives_and_the_option_of_the_group_say_what_is_kept(mode) {
        ours!("has no such directive");
        let lines = "<Location /off>\nWSGIRequestBuffering Off\n</Location>\n\
                     <Location /on>\nWSGIRequestBuffering On\n</Location>";
        let server = match mode {
            Mode::Embedded => {
                Httpd::with(&format!("WSGIScriptAlias / @apps@/evaluate.py\n{lines}"))
            }
            Mode::Daemon => Httpd::with(&format!(
                "WSGIDaemonProcess app request-buffering=Off\nWSGIProcessGroup app\n\
                 WSGIScriptAlias / @apps@/evaluate.py\n{lines}"
            )),
        };
        let server = server.start();
        let kept = |path: &str| {
            server.post(&format!("{path}?{}", quote("hasattr(stream, 'seek')")), b"abc").ok()
        };
        assert_eq!(kept("/"), mode.pick("True", "False"));
        assert_eq!(kept("/off"), "False");
        assert_eq!(kept("/on"), "True");
    }

    fn descriptors_do_not_grow_over_kept_uploads(mode) {
        ours!("has no files");
        let server = input(mode, "").start();
        let body = bytes(200_000);
        for _ in 0..12 {
            server.post("/digest", &body).ok();
            server.post("/unread", &body).ok();
        }
        server.without_descriptor_growth(|| {
            for _ in 0..20 {
                server.post("/digest", &body).ok();
                server.post("/unread", &body).ok();
                let mut connection = server.connect();
                connection.send(HALF);
                connection.reset();
            }
            poll("a request after the aborts", || {
                (server.get("/unread").status() == 200).then_some(())
            });
        });
    }
}

one! {
    fn a_slow_upload_holds_no_thread() {
        ours!("its thread waits for the body");
        let server = daemon::serving("input.py", "threads=1");
        let mut slow = server.connect();
        slow.send("POST /digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n");
        let body = bytes(200_000);
        slow.try_send(&body[..150_000]).unwrap();
        assert_eq!(server.get("/unread").ok(), "unread");
        slow.try_send(&body[150_000..]).unwrap();
        assert_eq!(slow.response().ok(), digest(&body));
    }

    fn a_file_that_no_descriptor_is_left_for_comes_in_pieces() {
        ours!("passes no files");
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=1\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/app.py",
        )
        .file(
            "app.py",
            "import hashlib, os, resource\n\
             def application(environ, start_response):\n\
             \x20   stream, held = environ['wsgi.input'], []\n\
             \x20   limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n\
             \x20   resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))\n\
             \x20   try:\n\
             \x20       while True:\n\
             \x20           held.append(os.dup(0))\n\
             \x20   except OSError:\n\
             \x20       pass\n\
             \x20   body = stream.read()\n\
             \x20   for copy in held:\n\
             \x20       os.close(copy)\n\
             \x20   resource.setrlimit(resource.RLIMIT_NOFILE, limits)\n\
             \x20   start_response('200 OK', [])\n\
             \x20   return [b'%d %s' % (len(body), hashlib.sha256(body).hexdigest().encode())]\n",
        )
        .start();
        let body = bytes(300_000);
        for _ in 0..3 {
            assert_eq!(server.post("/", &body).ok(), digest(&body));
        }
    }

    fn kept_uploads_arrive_over_tls_and_http_2() {
        ours!("is tested elsewhere");
        let port = crate::support::ports::take();
        let lines = "WSGIDaemonProcess app threads=1\nWSGIProcessGroup app\n\
                     WSGIScriptAlias / @apps@/input.py";
        let server = secure(lines, &port)
            .file("upload.bin", &"0123456789abcdef".repeat(20_000))
            .start();
        let data = format!("@{}", server.path("upload.bin").display());
        for (base, option, _) in ways(&server, &port) {
            let url = format!("{base}/digest");
            // Some seconds' worth of bytes, while the only thread answers others.
            let slow = std::thread::spawn({
                let (data, url) = (data.clone(), url.clone());
                move || curl(&[option, "--limit-rate", "200k", "--data-binary", &data, &url])
            });
            std::thread::sleep(std::time::Duration::from_millis(300));
            assert_eq!(server.get("/unread").ok(), "unread");
            assert!(!slow.is_finished(), "{option}: it was not slow");
            let answer = slow.join().unwrap();
            assert_eq!(answer.text(), digest("0123456789abcdef".repeat(20_000).as_bytes()));
        }
    }
}
