//! `wsgi.input`, and framing that nobody may be misled by.

use std::time::Duration;

use crate::support::{Connection, Httpd, Mode, original, poll, quote};

/// The application reads from the client, with this line beside.
fn unbuffered(mode: Mode, line: &str) -> Httpd {
    let off = original::unbuffered();
    Httpd::with(&format!("WSGIScriptAlias / @apps@/input.py\n{off}\n{line}")).mode(mode).start()
}

fn input(mode: Mode) -> Httpd {
    Httpd::with("WSGIScriptAlias / @apps@/input.py").mode(mode).start()
}

fn chunked(mode: Mode) -> Httpd {
    Httpd::with("WSGIScriptAlias / @apps@/input.py\nWSGIChunkedRequest On").mode(mode).start()
}

/// Results of Python expressions evaluated with a body at hand, one per line.
fn evaluate(mode: Mode, body: &[u8], code: &[&str]) -> Vec<String> {
    let server = Httpd::serving("evaluate.py", mode);
    let text = server.post(&format!("/?{}", quote(&code.join(";;"))), body).ok();
    text.lines().map(str::to_owned).collect()
}

/// Bytes that differ at every position, and their SHA-256 as `sha256sum` tells it.
fn random_bytes(count: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..count).map(|_| next()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let line = crate::support::rundir::output_of("sha256sum", &[file.path().to_str().unwrap()]);
    line.split_whitespace().next().unwrap().to_owned()
}

/// A head that announces chunks.
fn chunked_head(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
}

both_modes! {
    fn read_without_size_gives_the_whole_body(mode) {
        let found = evaluate(mode, b"one\ntwo", &["stream.read()", "stream.read()"]);
        assert_eq!(found, [r"b'one\ntwo'", "b''"]);
    }

    fn read_of_a_negative_size_gives_the_whole_body(mode) {
        assert_eq!(evaluate(mode, b"one\ntwo", &["stream.read(-1)"]), [r"b'one\ntwo'"]);
    }

    fn read_with_a_size_is_short_only_at_the_end(mode) {
        let code = ["stream.read(0)", "stream.read(4)", "stream.read(4)", "stream.read(4)"];
        assert_eq!(evaluate(mode, b"123456", &code), ["b''", "b'1234'", "b'56'", "b''"]);
    }

    fn readline_ends_at_newline_size_or_end(mode) {
        let code = [
            "stream.readline(0)", "stream.readline()", "stream.readline(2)", "stream.readline(99)",
            "stream.readline()", "stream.readline()",
        ];
        let found = evaluate(mode, b"one\nthree\nend", &code);
        assert_eq!(found, ["b''", r"b'one\n'", "b'th'", r"b'ree\n'", "b'end'", "b''"]);
    }

    fn readlines_stops_after_its_hint(mode) {
        let code = ["stream.readlines(5)", "stream.readlines()", "stream.readlines()"];
        let found = evaluate(mode, b"one\ntwo\nthree\nfour", &code);
        assert_eq!(found, [r"[b'one\n', b'two\n']", r"[b'three\n', b'four']", "[]"]);
    }

    fn iterating_gives_lines(mode) {
        let found = evaluate(mode, b"a\nb\n\nc", &["list(stream)", "next(stream, 'end')"]);
        assert_eq!(found, [r"[b'a\n', b'b\n', b'\n', b'c']", "'end'"]);
    }

    fn a_size_must_be_an_int(mode) {
        let code = ["stream.read(None)", "stream.read('1')", "stream.readline(None)"];
        for line in evaluate(mode, b"x", &code) {
            assert!(line.starts_with("TypeError: "), "{line}");
        }
    }

    fn the_stream_is_a_mod_wsgi_input_without_file_methods(mode) {
        let code = [
            "type(stream).__module__ + '.' + type(stream).__name__",
            "[n for n in ('seek', 'tell', 'fileno', 'readinto') if hasattr(stream, n)]",
            "stream.close()",
        ];
        let server =
            Httpd::with(&format!("WSGIScriptAlias / @apps@/evaluate.py\n{}", original::unbuffered()))
                .mode(mode)
                .start();
        let text = server.get(&format!("/?{}", quote(&code.join(";;")))).ok();
        assert_eq!(text, "'mod_wsgi.Input'\n[]\nNone");
    }

    fn a_request_without_a_body_reads_as_empty(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        assert_eq!(server.get("/?stream.read();;stream.readline()").ok(), "b''\nb''");
    }

    fn lines_longer_than_any_buffer_are_read(mode) {
        let server = input(mode);
        let body = [vec![b'a'; 100_000], vec![b'\n'], vec![b'b'; 50_000]].concat();
        let text = server.post("/lines", &body).ok();
        let lengths: Vec<usize> = text.split('|').map(str::len).collect();
        assert_eq!(lengths, [100_001, 50_000]);
    }

    fn an_upload_of_5_megabytes_arrives_unchanged(mode) {
        let server = input(mode);
        let body = random_bytes(5_000_000);
        let text = server.post("/digest", &body).ok();
        assert_eq!(text, format!("5000000 {}", sha256(&body)));
    }

    fn a_body_is_read_as_it_arrives(mode) {
        let server = input(mode);
        let mut connection = server.connect();
        connection.send("POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n");
        for byte in b"12345678" {
            connection.try_send(&[*byte]).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(connection.response().ok(), "b'1234'");
    }

    fn a_body_that_is_not_read_is_discarded_and_the_connection_goes_on(mode) {
        let server = input(mode);
        let mut connection = server.connect();
        for _ in 0..3 {
            connection.request("POST", "/unread", &[], &[b'x'; 200_000]);
            assert_eq!(connection.response().ok(), "unread");
        }
        connection.request("GET", "/unread", &[], b"");
        assert_eq!(connection.response().ok(), "unread");
    }

    fn expect_100_continue_is_answered(mode) {
        let server = input(mode);
        let mut connection = server.connect();
        connection.send(
            "POST /digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\
             Expect: 100-continue\r\n\r\n",
        );
        let head = connection.head().unwrap().unwrap();
        assert_eq!(head.status, 100);
        connection.send("abc");
        let response = connection.response();
        assert!(response.informational.is_empty(), "100 Continue is sent once");
        assert_eq!(response.ok(), format!("3 {}", sha256(b"abc")));
    }

    fn objects_of_a_request_refuse_use_after_its_end(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/input.py")
            .mode(mode)
            // One embedded process, so that both requests meet.
            .one_child()
            .start();
        assert_eq!(server.get("/leak").ok(), "kept");
        let text = server.get("/use_leaked").ok();
        let after = |what: &str| format!("RuntimeError: {what} called on wsgi.input after request completed");
        let expected = [
            format!("read {}", after("read()")),
            format!("readline {}", after("readline()")),
            format!("readlines {}", after("readlines()")),
        ];
        for line in expected {
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(text.contains("iterate RuntimeError: "), "{text}");
        for line in [
            "errors RuntimeError: write() called on wsgi.errors after request completed",
            "start_response RuntimeError: start_response() called after request completed",
            "write RuntimeError: write() called after request completed",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    fn chunked_bodies_are_refused_by_default(mode) {
        let server = input(mode);
        server.expect_log("WSGI0139");
        let mut connection = server.connect();
        connection.send(chunked_head("/digest") + "3\r\nabc\r\n0\r\n\r\n");
        assert_eq!(connection.response().status(), 411);
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn chunked_bodies_are_decoded_when_allowed(mode) {
        let server = chunked(mode);
        let mut connection = server.connect();
        connection.send(chunked_head("/digest") + "3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n");
        let response = connection.response();
        assert_eq!(response.ok(), format!("7 {}", sha256(b"abcdefg")));
    }

    fn a_chunked_request_has_no_content_length(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/environ.py\nWSGIChunkedRequest On")
            .mode(mode)
            .start();
        let mut connection = server.connect();
        connection.send(chunked_head("/") + "1\r\na\r\n0\r\n\r\n");
        let found = crate::support::Environ::parse(&connection.response().ok());
        found.lacks("CONTENT_LENGTH");
        found.is("HTTP_TRANSFER_ENCODING", "chunked");
    }

    fn a_large_chunked_body_arrives_unchanged(mode) {
        let server = chunked(mode);
        let body = random_bytes(1_000_000);
        let mut connection = server.connect();
        let mut bytes = chunked_head("/digest").into_bytes();
        for chunk in body.chunks(7_001) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        connection.send(bytes);
        assert_eq!(connection.response().ok(), format!("1000000 {}", sha256(&body)));
    }

    fn a_malformed_chunk_is_an_oserror_for_the_application(mode) {
        let server = unbuffered(mode, "WSGIChunkedRequest On");
        server.allow_log("WSGI0126").allow_log("WSGI0128").allow_log("AH0").allow_log("AH1");
        let mut connection = server.connect();
        connection.send(chunked_head("/broken") + "3\r\nabc\r\nnot-hex\r\n");
        connection.end_sending();
        let text = server.wait_for_out("broken");
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("OSError: mod_wsgi request data read error: "), "{text}");
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn a_truncated_body_is_an_oserror_that_stays(mode) {
        let server = unbuffered(mode, "");
        server.allow_log("WSGI0126").allow_log("WSGI0128");
        let mut connection = server.connect();
        connection.send("POST /broken HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n12345");
        connection.end_sending();
        let text = server.wait_for_out("broken");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("OSError: mod_wsgi request data read error: "), "{text}");
        assert_eq!(
            lines[1],
            "OSError: mod_wsgi request data read error: input is already in error state"
        );
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn an_aborted_upload_is_an_oserror_and_the_next_request_works(mode) {
        let server = unbuffered(mode, "");
        server.allow_log("WSGI0126").allow_log("WSGI0128").allow_log("AH");
        let mut connection = server.connect();
        connection.send("POST /broken HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n");
        connection.try_send(&[b'x'; 100]).unwrap();
        connection.reset();
        let text = server.wait_for_out("broken");
        assert!(text.starts_with("OSError: mod_wsgi request data read error: "), "{text}");
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn an_unknown_transfer_encoding_is_not_implemented(mode) {
        let server = chunked(mode);
        server.allow_log("WSGI0138").allow_log("AH");
        let mut connection = server.connect();
        connection.send(
            "POST /digest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\
             Connection: close\r\n\r\nabc",
        );
        let response = connection.response();
        // httpd itself refuses what it does not know, before any handler, in newer versions.
        assert!(matches!(response.status(), 400 | 501), "{}", response.status());
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn a_content_length_that_is_not_a_number_is_a_bad_request(mode) {
        let server = input(mode);
        server.allow_log("WSGI0141").allow_log("AH");
        for value in ["abc", "-5", "1x", "99999999999999999999999"] {
            let mut connection = server.connect();
            connection.send(format!(
                "POST /digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {value}\r\n\r\nabc"
            ));
            let status = connection.response().status();
            assert!(matches!(status, 400 | 413), "{value}: {status}");
        }
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn conflicting_lengths_are_resolved_or_refused(mode) {
        let server = chunked(mode);
        server.allow_log("WSGI0140").allow_log("AH");
        let mut connection = server.connect();
        connection.send(
            "POST /digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\
             Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        );
        let response = connection.response();
        match response.status() {
            400 => {}
            _ => assert_eq!(response.ok(), format!("3 {}", sha256(b"abc"))),
        }
        let mut connection = server.connect();
        connection.send(
            "POST /digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\
             Content-Length: 4\r\n\r\nabcd",
        );
        assert_eq!(connection.response().status(), 400);
    }

    fn a_body_over_limit_request_body_is_413_and_the_application_is_not_called(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/input.py\nLimitRequestBody 1000")
            .mode(mode)
            .start();
        server.allow_log("AH0").allow_log("WSGI");
        let response = server.post("/broken", &[b'x'; 2_000]);
        assert_eq!(response.status(), 413);
        assert_eq!(server.out("broken"), "");
        assert_eq!(server.post("/digest", &[b'x'; 1_000]).status(), 200);
    }

    fn a_huge_announced_body_does_not_reserve_memory(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/input.py\nLimitRequestBody 0")
            .mode(mode)
            .start();
        server.allow_log("WSGI0126").allow_log("WSGI0128").allow_log("AH");
        let mut connection = server.connect();
        connection.send(
            "POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000000\r\n\
             Connection: close\r\n\r\nabc",
        );
        connection.end_sending();
        // Whatever the answer, the server goes on.
        let _ = connection.try_response();
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn a_chunked_body_over_limit_request_body_does_not_reach_the_application_whole(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias / @apps@/input.py\nLimitRequestBody 1000\nWSGIChunkedRequest On",
        )
        .mode(mode)
        .start();
        server.allow_log("AH0").allow_log("WSGI0126").allow_log("WSGI0128");
        let mut connection = server.connect();
        let chunk = format!("{:x}\r\n{}\r\n", 800, "x".repeat(800));
        connection.send(chunked_head("/broken") + &chunk + &chunk + &chunk + "0\r\n\r\n");
        let answer = connection.try_response().unwrap();
        if let Some(response) = answer {
            assert!(
                matches!(response.status(), 413 | 500) || response.text().contains("OSError"),
                "{} {}",
                response.status(),
                response.text()
            );
        }
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn an_application_may_answer_before_it_reads(mode) {
        let server = unbuffered(mode, "");
        let mut connection = server.connect();
        connection.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16384\r\n\r\n");
        connection.try_send(&[b'a'; 8_192]).unwrap();
        connection.try_send(&[b'b'; 8_192]).unwrap();
        let text = connection.response().ok();
        assert_eq!(text, "a".repeat(8_192) + &"b".repeat(8_192));
    }
}

/// Sends half of an upload and waits for its echo before sending the rest.
fn echo_halfway(connection: &mut Connection) {
    connection.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16384\r\n\r\n");
    connection.try_send(&[b'a'; 8_192]).unwrap();
    let head = connection.final_head();
    assert_eq!(head.status, 200);
    let mut count = 0;
    while count < 8_192 {
        count += connection.piece().unwrap().expect("the first half comes back").len();
    }
    connection.try_send(&[b'b'; 8_192]).unwrap();
    while let Some(piece) = connection.piece().unwrap() {
        count += piece.len();
    }
    assert_eq!(count, 16_384);
    assert!(connection.is_complete());
}

both_modes! {
    fn a_response_flows_while_the_body_is_still_arriving(mode) {
        ours!("its daemon transport is half duplex: the answer waits for the whole body");
        let server = unbuffered(mode, "");
        echo_halfway(&mut server.connect());
    }

    fn a_stalled_upload_ends_at_the_read_timeout(mode) {
        let server = Httpd::with(&format!(
            "WSGIScriptAlias / @apps@/input.py\nRequestReadTimeout body=1\n{}",
            original::unbuffered()
        ))
            .mode(mode)
            .modules(&["reqtimeout"])
            .start();
        server.allow_log("WSGI0126").allow_log("WSGI0128").allow_log("AH");
        let mut connection = server.connect();
        connection.send("POST /broken HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n123");
        let answer = connection.try_response().unwrap();
        let text = server.wait_for_out("broken");
        assert!(text.starts_with("OSError: mod_wsgi request data read error: "), "{text}");
        match answer {
            // Its embedded mode sends what the application answered after its OSError.
            Some(response) if mode == Mode::Embedded && original::is_original() => {
                assert_eq!(response.status(), 200);
            }
            Some(response) => assert_eq!(response.status(), 408),
            None => {}
        }
        assert_eq!(server.get("/unread").ok(), "unread");
    }

    fn descriptors_do_not_grow_over_uploads_and_aborts(mode) {
        let server = unbuffered(mode, "");
        server.allow_log("WSGI0126").allow_log("WSGI0128").allow_log("AH");
        let body = random_bytes(100_000);
        for _ in 0..12 {
            server.post("/digest", &body).ok();
        }
        server.without_descriptor_growth(|| {
            for round in 0..30 {
                server.post("/digest", &body).ok();
                let mut connection = server.connect();
                let path = if round % 2 == 0 { "/digest" } else { "/unread" };
                connection.send(format!(
                    "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\nx"
                ));
                connection.reset();
            }
            poll("a request after the aborts", || {
                (server.get("/unread").status() == 200).then_some(())
            });
        });
        if original::is_original() {
            server.allow_log("Traceback");
        }
        // digest does not catch the OSError of an aborted upload: its traceback is the record.
        server.expect_traceback("mod_wsgi request data read error");
        server.allow_log("WSGI0174");
    }
}
