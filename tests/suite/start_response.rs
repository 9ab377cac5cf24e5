//! `start_response` and response headers.

use crate::support::{Httpd, Mode, Response, quote};

/// Evaluates one expression with `sr` in reach and gives the line of its result.
fn line(server: &Httpd, code: &str) -> String {
    server.get(&format!("/?{}", quote(code))).ok()
}

/// Answers with a status and headers written as Python.
fn answer(server: &Httpd, status: &str, headers: &str) -> Response {
    server.get(&format!("/?{}&{}", quote(status), quote(headers)))
}

fn headers_app(mode: Mode) -> Httpd {
    Httpd::serving("headers.py", mode)
}

both_modes! {
    fn a_status_is_three_digits_and_a_reason(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        for (status, text) in [
            ("'20 OK'", "status code must be a 3 digit integer: "),
            ("'2000 OK'", "status code must be a 3 digit integer: "),
            ("'abc OK'", "status code must be a 3 digit integer: "),
            ("''", "status code must be a 3 digit integer: "),
            ("'200-OK'", "no space following status code: "),
            (r"'200 O\r\nK: v'", "control character in status reason phrase: "),
        ] {
            let line = line(&server, &format!("sr({status}, [])"));
            assert!(line.starts_with(&format!("ValueError: {text}")), "{status}: {line}");
        }
        assert!(line(&server, "sr(200, [])").starts_with("TypeError: "));
        assert!(line(&server, "sr(b'200 OK', [])").starts_with("TypeError: "));
        assert!(line(&server, r"sr('200 \u20ac', [])").starts_with("UnicodeEncodeError: "));
        assert!(line(&server, "sr('200', []) and 1").starts_with('1'));
    }

    fn headers_are_a_list_of_pairs_of_str(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        for (headers, text) in [
            ("()", "TypeError: "),
            ("None", "TypeError: "),
            ("{}", "TypeError: "),
            ("['ab']", "TypeError: each header must be a 2-tuple, not str"),
            ("[['a', 'b']]", "TypeError: each header must be a 2-tuple, not list"),
            ("[('a',)]", "ValueError: "),
            ("[('a', 'b', 'c')]", "ValueError: "),
            ("[('a', 1)]", "TypeError: "),
            ("[(b'a', 'b')]", "TypeError: "),
            ("[('a', None)]", "TypeError: "),
            (r"[('a', '\u20ac')]", "UnicodeEncodeError: "),
        ] {
            let line = line(&server, &format!("sr('200 OK', {headers})"));
            assert!(line.starts_with(text), "{headers}: {line}");
        }
        assert!(line(&server, "sr('200 OK', [('a',)])").contains("got length 1"));
        assert!(line(&server, "sr('200 OK', [('a', 1)])").contains("must be str, not int"));
    }

    fn a_header_name_has_no_spaces_and_is_not_empty(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        for (name, text) in [
            ("''", "header name is empty"),
            (r"'a\r\nb'", "control character in header name: "),
            ("'a b'", "space character in header name: "),
        ] {
            let line = line(&server, &format!("sr('200 OK', [({name}, 'v')])"));
            assert!(line.starts_with(&format!("ValueError: {text}")), "{name}: {line}");
        }
    }

    fn a_header_value_cannot_start_another_header(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        for value in [r"'a\r\nSet-Cookie: b'", r"'a\nb'", r"'a\rb'"] {
            let line = line(&server, &format!("sr('200 OK', [('X-A', {value})])"));
            let text = "ValueError: carriage return/line feed character in header value: ";
            assert!(line.starts_with(text), "{value}: {line}");
        }
    }

    fn nul_control_characters_and_separators_are_rejected(mode) {
        ours!("NUL and control characters in values and separators in names pass");
        let server = Httpd::serving("evaluate.py", mode);
        for header in [
            r"('X-A', 'a\x00b')", r"('X-A', 'a\x1bb')", r"('X-A', 'a\x7fb')", r"('X:A', 'b')",
            r"('X\x00A', 'b')", "('X/A', 'b')", r"('X\xe9', 'b')",
        ] {
            let line = line(&server, &format!("sr('200 OK', [{header}])"));
            assert!(line.starts_with("ValueError: "), "{header}: {line}");
        }
        assert!(line(&server, r"sr('200 O\x00K', [])").starts_with("ValueError: "));
        let line = line(&server, r"sr('200 OK', [('X-Tab', 'a\tb')]) and 1");
        assert_eq!(line, "1");
    }

    fn exc_info_is_a_tuple_or_none(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        let text = "RuntimeError: start_response() argument 'exc_info' must be a 3-tuple or None";
        assert_eq!(line(&server, "sr('200 OK', [], 'x')"), text);
        assert_eq!(line(&server, "sr('200 OK', [], None) and 1"), "1");
        assert!(line(&server, "sr(status='200 OK', response_headers=[])").starts_with("TypeError: "));
    }

    fn start_response_gives_a_write_callable(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        assert_eq!(line(&server, "callable(sr('200 OK', []))"), "True");
    }

    fn a_second_call_before_output_replaces_the_first(mode) {
        let server = headers_app(mode);
        let response = server.get("/twice");
        assert_eq!(response.status(), 202);
        assert_eq!(response.header("x-first"), None);
        assert_eq!(response.header("x-second"), Some("yes"));
        assert_eq!(response.text(), "twice");
    }

    fn exc_info_before_output_replaces_the_response(mode) {
        let response = headers_app(mode).get("/replaced");
        assert_eq!(response.status(), 503);
        assert_eq!(response.header("x-first"), None);
        assert_eq!(response.text(), "ValueError handled");
    }

    fn exc_info_after_output_raises_the_exception_again(mode) {
        let server = headers_app(mode);
        let response = server.get("/raised_again");
        assert_eq!(response.text(), "before");
        server.expect_traceback("ValueError: given to start_response").expect_log("WSGI0174");
    }

    fn a_second_call_after_output_is_refused(mode) {
        let response = headers_app(mode).get("/late");
        assert_eq!(
            response.text(),
            "before RuntimeError: start_response() called more than once without exc_info"
        );
    }

    fn headers_are_copied_when_given(mode) {
        let response = headers_app(mode).get("/mutated");
        assert_eq!(response.header("x-late"), None);
        assert_eq!(response.header("x-early"), Some("kept"));
    }

    fn status_and_reason_reach_the_client(mode) {
        let server = headers_app(mode);
        for (status, code, reason) in [
            ("299 My Own Reason", 299, "My Own Reason"),
            ("404 Nothing Here", 404, "Nothing Here"),
            ("599 Custom", 599, "Custom"),
            ("418 I'm a teapot", 418, "I'm a teapot"),
        ] {
            let response = answer(&server, status, "[]");
            assert_eq!(response.status(), code, "{status}");
            assert_eq!(response.head.reason, reason);
            assert_eq!(response.text(), "body");
        }
    }

    fn cookies_stay_lines_of_their_own(mode) {
        let server = headers_app(mode);
        let headers = "[('Set-Cookie', 'a=1; Path=/'), ('Set-Cookie', 'b=2'), ('Set-Cookie', 'c=3')]";
        let response = answer(&server, "200 OK", headers);
        assert_eq!(response.head.all("set-cookie"), ["a=1; Path=/", "b=2", "c=3"]);
    }

    fn authenticate_challenges_stay_lines_of_their_own(mode) {
        let server = headers_app(mode);
        let headers = "[('WWW-Authenticate', 'Basic realm=\"a\"'), ('WWW-Authenticate', 'Bearer')]";
        let response = answer(&server, "401 Unauthorized", headers);
        assert_eq!(response.status(), 401);
        assert_eq!(response.head.all("www-authenticate"), ["Basic realm=\"a\"", "Bearer"]);
    }

    fn any_header_given_twice_leaves_as_two_lines(mode) {
        ours!("its daemon mode merges repeated headers");
        let server = headers_app(mode);
        let headers = "[('X-Twice', 'a'), ('Link', '<1>'), ('X-Twice', 'b'), ('Link', '<2>')]";
        let response = answer(&server, "200 OK", headers);
        assert_eq!(response.head.all("x-twice"), ["a", "b"]);
        assert_eq!(response.head.all("link"), ["<1>", "<2>"]);
    }

    fn a_repeated_header_loses_no_value(mode) {
        let server = headers_app(mode);
        let response = answer(&server, "200 OK", "[('X-Twice', 'a'), ('X-Twice', 'b')]");
        assert_eq!(response.head.all("x-twice").join(", "), "a, b");
    }

    fn header_values_are_latin_1(mode) {
        let server = headers_app(mode);
        let response = answer(&server, "200 OK", r"[('X-Latin', 'caf\xe9')]");
        assert_eq!(response.header("x-latin"), Some("caf\u{e9}"));
    }

    fn a_content_type_with_charset_is_kept(mode) {
        let server = headers_app(mode);
        let headers = "[('Content-Type', 'text/html; charset=utf-8')]";
        let response = answer(&server, "200 OK", headers);
        let value = response.header("content-type").unwrap().replace(' ', "");
        assert_eq!(value, "text/html;charset=utf-8");
    }

    fn httpd_adds_date_and_server(mode) {
        let response = headers_app(mode).get("/twice");
        assert!(response.header("date").is_some());
        assert!(response.header("server").unwrap().starts_with("Apache"));
    }

    fn last_modified_and_etag_pass(mode) {
        let server = headers_app(mode);
        let headers =
            "[('Last-Modified', 'Mon, 02 Jan 2023 03:04:05 GMT'), ('ETag', '\"tag\"')]";
        let response = answer(&server, "200 OK", headers);
        assert_eq!(response.header("last-modified"), Some("Mon, 02 Jan 2023 03:04:05 GMT"));
        assert_eq!(response.header("etag"), Some("\"tag\""));
    }

    fn a_redirect_with_its_status_passes_through(mode) {
        let server = headers_app(mode);
        for location in ["/elsewhere", "http://example.org/x"] {
            let response = answer(&server, "302 Found", &format!("[('Location', '{location}')]"));
            assert_eq!(response.status(), 302);
            assert_eq!(response.header("location"), Some(location));
        }
    }

    fn a_location_with_200_to_elsewhere_passes_through(mode) {
        let server = headers_app(mode);
        let response = answer(&server, "200 OK", "[('Location', 'http://example.org/x')]");
        assert_eq!(response.status(), 200);
        assert_eq!(response.header("location"), Some("http://example.org/x"));
    }

    fn a_header_of_20_kilobytes_leaves(mode) {
        let server = headers_app(mode);
        let response = answer(&server, "200 OK", "[('X-Long', 'v' * 20000)]");
        assert_eq!(response.header("x-long").map(str::len), Some(20_000));
    }

    fn two_hundred_response_headers_leave(mode) {
        let server = headers_app(mode);
        let response = answer(&server, "200 OK", "[('X-H-%d' % n, 'v') for n in range(200)]");
        let count = response.head.headers.iter().filter(|(name, _)| name.starts_with("X-H-"));
        assert_eq!(count.count(), 200);
    }

    fn header_directives_of_httpd_act_on_the_response(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias / @apps@/hello.py\nHeader set X-Added yes\nHeader unset Content-Type",
        )
        .mode(mode)
        .start();
        let response = server.get("/");
        assert_eq!(response.header("x-added"), Some("yes"));
        assert_eq!(response.header("content-type"), None);
    }
}

both_modes! {
    fn a_local_location_with_200_is_an_internal_redirect(mode) {
        if mode == Mode::Embedded {
            ours!("its embedded mode passes Location through");
        }
        let server = Httpd::with(
            "WSGIScriptAlias /headers @apps@/headers.py\nWSGIScriptAlias /target @apps@/environ.py",
        )
        .mode(mode)
        .start();
        let target = format!(
            "/headers?{}&{}",
            quote("200 OK"),
            quote("[('Location', '/target/here?q=1'), ('X-Dropped', 'y')]")
        );
        let response = server.request("POST", &target, &[], b"body");
        let found = crate::support::Environ::parse(&response.ok());
        found.is("REQUEST_METHOD", "GET");
        found.is("PATH_INFO", "/here");
        found.is("QUERY_STRING", "q=1");
        found.lacks("CONTENT_LENGTH");
        assert_eq!(response.header("location"), None);
    }

    fn error_override_shows_httpds_error_page(mode) {
        if mode == Mode::Embedded {
            ours!("its embedded mode ignores WSGIErrorOverride");
        }
        let server = Httpd::with(
            "WSGIScriptAlias / @apps@/headers.py\nAlias /page @root@/htdocs/page.txt\n\
             ErrorDocument 404 /page\n<LocationMatch \"^/over\">\nWSGIErrorOverride On\n\
             </LocationMatch>",
        )
        .mode(mode)
        .file("htdocs/page.txt", "the error page")
        .start();
        let query = format!("?{}&{}", quote("404 Gone Away"), quote("[('X-App', 'y')]"));
        let plain = server.get(&format!("/plain{query}"));
        assert_eq!((plain.status(), plain.text().as_str()), (404, "body"));
        let over = server.get(&format!("/over{query}"));
        assert_eq!((over.status(), over.text().as_str()), (404, "the error page"));
        let query = format!("?{}&{}", quote("201 Created"), quote("[]"));
        assert_eq!(server.get(&format!("/over{query}")).text(), "body");
    }
}
