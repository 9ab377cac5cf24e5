//! TLS and HTTP/2: the same behaviour over other connections, with curl as the client.

use crate::support::curl::{curl, secure, ways};
use crate::support::{Environ, Httpd, Mode};

both_modes! {
    fn the_environ_tells_scheme_and_protocol(mode) {
        let port = crate::support::ports::take();
        let server = secure("WSGIScriptAlias / @apps@/environ.py", &port).mode(mode).start();
        for (base, option, version) in ways(&server, &port) {
            let answer = curl(&[option, &format!("{base}/path?q=1")]);
            assert_eq!((answer.status, answer.version.as_str()), (200, version), "{}", answer.error);
            let found = Environ::parse(&answer.text());
            let scheme = base.split(':').next().unwrap();
            found.is("wsgi.url_scheme", scheme);
            found.is("REQUEST_SCHEME", scheme);
            found.lacks("HTTPS");
            found.is("PATH_INFO", "/path");
            let protocol = if version == "2" { "HTTP/2.0" } else { "HTTP/1.1" };
            found.is("SERVER_PROTOCOL", protocol);
        }
    }

    fn a_trusted_proxy_knows_the_scheme_better_than_the_connection(mode) {
        let port = crate::support::ports::take();
        let lines = "WSGIScriptAlias / @apps@/environ.py\n\
                     WSGITrustedProxyHeaders X-Forwarded-Proto";
        let server = secure(lines, &port).mode(mode).start();
        for (base, option, _) in ways(&server, &port) {
            let scheme = base.split(':').next().unwrap().to_owned();
            for (sent, expected) in
                [("http", "http"), ("https", "https"), ("gopher", scheme.as_str()), ("", scheme.as_str())]
            {
                // Without a value curl sends no header.
                let answer = curl(&[option, "-H", &format!("X-Forwarded-Proto: {sent}"), &base]);
                let found = Environ::parse(&answer.text());
                found.is("wsgi.url_scheme", expected);
            }
        }
    }

    fn variables_of_mod_ssl_are_passed(mode) {
        let port = crate::support::ports::take();
        let lines = "WSGIScriptAlias / @apps@/environ.py\n<Location />\n\
                     SSLOptions +StdEnvVars\n</Location>";
        let _server = secure(lines, &port).mode(mode).start();
        let answer = curl(&[&format!("https://localhost:{}/", port.number)]);
        let found = Environ::parse(&answer.text());
        assert!(found.text("SSL_PROTOCOL").unwrap().starts_with("TLSv1"));
        found.is("wsgi.url_scheme", "https");
    }

    fn an_upload_arrives_over_every_protocol(mode) {
        let port = crate::support::ports::take();
        let server = secure("WSGIScriptAlias / @apps@/input.py", &port).mode(mode)
            .file("upload.bin", &"0123456789abcdef".repeat(200_000))
            .start();
        let file = server.path("upload.bin").display().to_string();
        let sum = crate::support::rundir::output_of("sha256sum", &[&file]);
        let expected = format!("3200000 {}", sum.split_whitespace().next().unwrap());
        for (base, option, version) in ways(&server, &port) {
            let data = format!("@{file}");
            let url = format!("{base}/digest");
            let answer = curl(&[option, "--data-binary", &data, &url]);
            assert_eq!((answer.status, answer.version.as_str()), (200, version), "{}", answer.error);
            assert_eq!(answer.text(), expected);
        }
    }

    fn an_upload_without_a_length_arrives_over_http_2(mode) {
        needs_threads!("mod_http2 works with threads only");
        let port = crate::support::ports::take();
        let lines = "WSGIScriptAlias / @apps@/input.py\nWSGIChunkedRequest On";
        let server = secure(lines, &port).mode(mode)
            .file("upload.bin", &"0123456789abcdef".repeat(20_000))
            .start();
        let file = server.path("upload.bin").display().to_string();
        for (base, option, _) in ways(&server, &port) {
            let url = format!("{base}/digest");
            let answer = curl(&[option, "-T", "-", "-X", "POST", &url, "--stderr", "-"]);
            // An empty standard input is a body of no bytes without a length.
            assert_eq!(answer.status, 200, "{}", answer.error);
            assert!(answer.text().starts_with("0 "), "{}", answer.text());
            let answer = curl(&[option, "--data-binary", &format!("@{file}"), &url]);
            assert!(answer.text().starts_with("320000 "), "{}", answer.text());
        }
    }

    fn large_bodies_leave_over_every_protocol(mode) {
        let port = crate::support::ports::take();
        let server = secure("WSGIScriptAlias / @apps@/output.py", &port).mode(mode).start();
        for (base, option, version) in ways(&server, &port) {
            let answer = curl(&[option, &format!("{base}/large_blocks?50")]);
            assert_eq!((answer.status, answer.version.as_str()), (200, version), "{}", answer.error);
            assert_eq!(answer.body.len(), 5_000_000);
        }
    }

    fn files_leave_over_every_protocol(mode) {
        let port = crate::support::ports::take();
        let text: String = (0..30_000).map(|number| format!("{number:09}\n")).collect();
        let server = secure("WSGIScriptAlias / @apps@/files.py", &port).mode(mode)
            .file("data.bin", &text)
            .start();
        for (base, option, _) in ways(&server, &port) {
            let answer = curl(&[option, &format!("{base}/plain")]);
            assert_eq!(answer.status, 200, "{}", answer.error);
            assert!(answer.text() == text);
        }
    }

    fn a_stream_arrives_in_pieces_over_every_protocol(mode) {
        let port = crate::support::ports::take();
        let server = secure("WSGIScriptAlias / @apps@/output.py", &port).mode(mode).start();
        for (base, option, _) in ways(&server, &port) {
            let first = std::cell::Cell::new(false);
            let _ = std::fs::remove_file(server.path("out/gate"));
            crate::support::curl::streamed(&[option, &format!("{base}/gated_write")], |text| {
                if text == "first" {
                    first.set(true);
                    server.open_gate("gate");
                }
            });
            assert!(first.get(), "the first block came with the second one: {option}");
        }
    }

    fn an_exception_after_the_headers_resets_the_stream(mode) {
        needs_threads!("mod_http2 works with threads only");
        ours!("its daemon mode and HTTP/2 end the body as if it were complete");
        let port = crate::support::ports::take();
        let server = secure("WSGIScriptAlias / @apps@/failing.py", &port).mode(mode).start();
        server.allow_log("AH0");
        server.expect_log("WSGI0174").expect_traceback("ValueError: after the first block");
        for (base, option, _) in ways(&server, &port) {
            let answer = curl(&[option, &format!("{base}/raises_after_block")]);
            assert_ne!(answer.exit, 0, "{option}: looks complete: {}", answer.head);
        }
        let answer = curl(&[&format!("http://localhost:{}/fine", server.port())]);
        assert_eq!(answer.text(), "fine");
    }

    fn a_short_body_resets_the_stream(mode) {
        ours!("it leaves the client waiting or says that all is well");
        let port = crate::support::ports::take();
        let server = secure("WSGIScriptAlias / @apps@/output.py", &port).mode(mode).start();
        server.allow_log("AH").allow_log("Content length mismatch");
        for (base, option, _) in ways(&server, &port) {
            let answer = curl(&[option, "--max-time", "10", &format!("{base}/short")]);
            assert_ne!(answer.exit, 0, "{option}: looks complete");
            assert_ne!(answer.exit, 28, "{option}: the client waits for the rest");
        }
    }

    fn an_aborted_download_ends_the_application_over_http_2(mode) {
        let port = crate::support::ports::take();
        let server = secure("WSGIScriptAlias / @apps@/output.py", &port).mode(mode).start();
        server.allow_log("AH");
        for (number, (base, option, _)) in ways(&server, &port).into_iter().enumerate() {
            crate::support::curl::aborted(&[option, &format!("{base}/aborted")]);
            crate::support::poll("close() after the abort", || {
                (server.out("closed").len() > number).then_some(())
            });
        }
        let answer = curl(&[&format!("http://localhost:{}/one_block", server.port())]);
        assert_eq!(answer.text(), "one block");
    }

    fn streams_of_one_http_2_connection_run_side_by_side(mode) {
        needs_threads!("mod_http2 works with threads only");
        let port = crate::support::ports::take();
        let server = secure("WSGIScriptAlias / @apps@/process.py", &port).mode(mode).one_child().start();
        let base = format!("https://localhost:{}/together", port.number);
        let urls: Vec<String> = (0..4).map(|number| format!("{base}?{number}")).collect();
        let mut arguments = vec!["--http2", "--parallel", "--no-progress-meter"];
        let sink = server.path("together").display().to_string();
        for (number, url) in urls.iter().enumerate() {
            if number > 0 {
                arguments.extend(["-o", sink.as_str()]);
            }
            arguments.push(url);
        }
        let answer = curl(&arguments);
        assert_eq!(answer.exit, 0, "{}", answer.error);
        assert_eq!(answer.text(), "together True");
    }
}

one! {
    fn deciding_scripts_may_ask_about_encryption() {
        let script = "\
def allow_access(environ, host):
    is_https, lookup = environ['mod_ssl.is_https'], environ['mod_ssl.var_lookup']
    environ['wsgi.errors'].write(f'asked: {bool(is_https())} {lookup(\"SSL_PROTOCOL\")}\\n')
    return True
";
        let port = crate::support::ports::take();
        let lines = "<Location />\nWSGIAccessScript @root@/access.py\n</Location>";
        let server = secure(lines, &port).mode(Mode::Embedded)
            .file("access.py", script)
            .file("htdocs/page", "page")
            .start();
        server.expect_log("asked: True TLSv1").expect_log("asked: False ");
        for (base, option, _) in ways(&server, &port) {
            assert_eq!(curl(&[option, &format!("{base}/page")]).text(), "page");
        }
        assert_eq!(server.get("/page").ok(), "page");
    }

    fn the_questions_end_with_the_request() {
        let script = "\
kept = []


def allow_access(environ, host):
    for ask in kept:
        try:
            ask()
        except RuntimeError as error:
            environ['wsgi.errors'].write(f'{error}\\n')
    try:
        environ['mod_ssl.var_lookup'](1)
    except TypeError:
        kept.append(environ['mod_ssl.is_https'])
    return True
";
        let server = Httpd::with("<Location />\nWSGIAccessScript @root@/access.py\n</Location>")
            .file("access.py", script)
            .file("htdocs/page", "page")
            .one_child()
            .start();
        server.expect_log("request object has expired");
        assert_eq!(server.get("/page").ok(), "page");
        assert_eq!(server.get("/page").ok(), "page");
    }
}
