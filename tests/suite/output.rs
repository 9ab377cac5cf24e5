//! Response bodies.

use std::time::{Duration, Instant};

use crate::support::http::Framing;
use crate::support::{Httpd, Mode};

fn output(mode: Mode) -> Httpd {
    Httpd::serving("output.py", mode)
}

both_modes! {
    fn a_list_with_one_block_is_the_body(mode) {
        let server = output(mode);
        assert_eq!(server.get("/one_block").ok(), "one block");
        assert_eq!(server.get("/one_block_tuple").ok(), "one block");
    }

    fn a_one_block_list_or_tuple_gets_a_content_length(mode) {
        ours!("it computes no Content-Length");
        let server = output(mode);
        for path in ["/bare_block", "/bare_tuple"] {
            let response = server.get(path);
            assert_eq!(response.ok(), "one block");
            assert_eq!(response.header("content-length"), Some("9"), "{path}");
            assert_eq!(response.framing, Framing::Length);
        }
    }

    fn no_content_length_is_inferred_where_there_is_no_body(mode) {
        let server = output(mode);
        for status in ["204+No+Content", "304+Not+Modified"] {
            let mut connection = server.connect();
            connection.request("GET", &format!("/bare_status?{status}"), &[], b"");
            let response = connection.response();
            assert_eq!(response.header("content-length"), None, "{status}");
            assert_eq!(response.header("transfer-encoding"), None, "{status}");
            assert!(response.body.is_empty());
            // Nothing of the application's body may precede the next response.
            connection.request("GET", "/one_block", &[], b"");
            assert_eq!(connection.response().ok(), "one block");
        }
    }

    fn blocks_of_a_generator_are_joined(mode) {
        let server = output(mode);
        let response = server.get("/generator");
        assert_eq!(response.ok(), "one two three");
        // A small body that ended at once may leave with its length.
        assert!(matches!(response.framing, Framing::Chunked | Framing::Length));
        assert_eq!(server.get("/late_start").ok(), "late");
    }

    fn http_1_0_clients_get_no_chunks(mode) {
        let server = output(mode);
        let mut connection = server.connect();
        connection.send("GET /generator HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let response = connection.response();
        assert_ne!(response.framing, Framing::Chunked);
        assert_eq!(response.text(), "one two three");
    }

    fn an_empty_body_sends_the_headers(mode) {
        let server = output(mode);
        let response = server.get("/empty");
        assert_eq!(response.ok(), "");
        assert_eq!(response.header("content-type"), Some("text/plain"));
        let response = server.get("/no_content_type");
        assert_eq!(response.status(), 204);
        assert_eq!(response.header("content-type"), None);
    }

    fn empty_blocks_do_not_commit_the_headers(mode) {
        let response = output(mode).get("/empty_blocks");
        assert_eq!(response.status(), 201);
        assert_eq!(response.header("x-which"), Some("second"));
        assert_eq!(response.text(), "body");
        assert!(response.complete);
    }

    fn written_blocks_come_before_returned_ones(mode) {
        let server = output(mode);
        assert_eq!(server.get("/write").ok(), "written twice and returned");
        assert_eq!(server.get("/write_empty").ok(), "after an empty write");
    }

    fn write_takes_bytes_only(mode) {
        let text = output(mode).get("/write_str").ok();
        assert_eq!(text, "write() argument must be bytes, not str");
    }

    fn close_is_called_once(mode) {
        let server = output(mode);
        assert_eq!(server.get("/closed").ok(), "body");
        assert_eq!(server.wait_for_out("closed"), "x");
        server.get("/one_block").ok();
        assert_eq!(server.out("closed"), "x");
    }

    fn close_is_called_after_an_error_in_iteration(mode) {
        let server = output(mode);
        server.expect_log("WSGI0174").expect_traceback("ValueError: iteration fails");
        let response = server.get("/closed_after_error");
        assert_eq!(response.status(), 200);
        assert_eq!(server.wait_for_out("closed"), "x");
        let response = server.get("/closed_before_output");
        assert_eq!(response.status(), 500);
        assert_eq!(server.out("closed"), "xx");
        server.expect_log("ValueError: iteration fails at once");
    }

    fn an_exception_in_close_is_logged_and_the_response_stands(mode) {
        let server = output(mode);
        server.expect_traceback("ValueError: close fails").allow_log("WSGI0174");
        assert_eq!(server.get("/close_fails").ok(), "body");
        assert_eq!(server.wait_for_out("closed"), "x");
        // A child of prefork that is told to end does so at once.
        server.wait_for_log("ValueError: close fails");
    }

    fn a_failing_lookup_of_close_is_logged(mode) {
        let server = output(mode);
        server.expect_traceback("ValueError: no close here").expect_log("WSGI0194");
        server.allow_log("WSGI0174");
        assert_eq!(server.get("/close_lookup_fails").status(), 200);
        assert_eq!(server.get("/one_block").ok(), "one block");
    }

    fn call_iteration_and_close_share_a_thread(mode) {
        let server = output(mode);
        assert_eq!(server.get("/threads").ok(), "same");
        assert_eq!(server.wait_for_out("close_thread"), "True");
    }

    fn an_abort_while_iterating_ends_the_loop_and_closes(mode) {
        let server = output(mode);
        server.allow_log("AH");
        let mut connection = server.connect();
        connection.request("GET", "/aborted", &[], b"");
        connection.final_head();
        connection.piece().unwrap();
        connection.reset();
        assert_eq!(server.wait_for_out("closed"), "x");
        assert_eq!(server.wait_for_out("ended"), "x");
        crate::support::poll("the access log", || {
            server.access_log().iter().any(|line| line == "GET /aborted 200 X").then_some(())
        });
        assert_eq!(server.get("/one_block").ok(), "one block");
    }

    fn an_abort_is_an_oserror_in_write(mode) {
        let server = output(mode);
        server.allow_log("AH");
        let mut connection = server.connect();
        connection.request("GET", "/aborted_write", &[], b"");
        connection.final_head();
        connection.piece().unwrap();
        connection.reset();
        let text = server.wait_for_out("write_error");
        assert!(
            text == "OSError: mod_wsgi client connection closed"
                || text.starts_with("OSError: mod_wsgi failed to write response data: "),
            "{text}"
        );
        assert_eq!(server.get("/one_block").ok(), "one block");
    }

    fn a_client_gone_before_the_response_does_no_harm(mode) {
        let server = output(mode);
        server.allow_log("AH");
        let mut connection = server.connect();
        connection.request("GET", "/gone_before", &[], b"");
        server.wait_for_out("entered");
        connection.reset();
        server.open_gate("gate");
        assert_eq!(server.wait_for_out("closed"), "x");
        assert_eq!(server.get("/one_block").ok(), "one block");
    }

    fn a_client_gone_after_the_response_does_no_harm(mode) {
        let server = output(mode);
        for _ in 0..5 {
            let mut connection = server.connect();
            connection.request("GET", "/one_block", &[], b"");
            connection.response().ok();
            connection.reset();
        }
        assert_eq!(server.get("/one_block").ok(), "one block");
    }

    fn a_given_content_length_is_kept(mode) {
        let server = output(mode);
        let response = server.get("/large?1000000");
        assert_eq!(response.header("content-length"), Some("1000000"));
        assert_eq!(response.body.len(), 1_000_000);
        let right = |(at, byte): (usize, &u8)| at >= 999_936 || *byte == (at % 256) as u8;
        assert!(response.complete && response.body.iter().enumerate().all(right));
    }

    fn a_body_of_20_megabytes_in_blocks_arrives(mode) {
        let response = output(mode).get("/large_blocks?200");
        assert!(response.complete);
        assert_eq!(response.body.len(), 20_000_000);
    }

    fn output_beyond_content_length_is_dropped(mode) {
        let server = output(mode);
        server.allow_log("Content length mismatch");
        let mut connection = server.connect();
        connection.request("GET", "/long", &[], b"");
        assert_eq!(connection.response().ok(), "12345");
        connection.request("GET", "/one_block", &[], b"");
        assert_eq!(connection.response().ok(), "one block");
    }

    fn output_beyond_content_length_is_logged_once(mode) {
        ours!("it says so at trace level only");
        let server = output(mode);
        assert_eq!(server.get("/long").ok(), "12345");
        server.wait_for_log("WSGI1023");
        server.get("/one_block").ok();
        assert_eq!(server.log_count("WSGI1023"), 1);
    }

    fn a_body_shorter_than_content_length_is_visible_to_the_client(mode) {
        ours!("it leaves the connection open, so that the client waits for the rest");
        let server = output(mode);
        server.allow_log("Content length mismatch");
        let mut connection = server.connect();
        connection.patience(Duration::from_secs(10));
        connection.request("GET", "/short", &[], b"");
        let response = connection.response();
        assert_eq!(response.text(), "12345");
        assert!(!response.complete);
        assert_eq!(server.get("/one_block").ok(), "one block");
    }

    fn a_content_length_that_is_no_number_is_an_error(mode) {
        let server = output(mode);
        server
            .expect_log("WSGI0174")
            .expect_traceback("ValueError: invalid Content-Length header value: 'five'");
        assert_eq!(server.get("/bad_length").status(), 500);
    }

    fn an_exception_after_the_headers_is_visible_to_the_client(mode) {
        if mode == Mode::Daemon {
            ours!("its daemon mode still sends the final chunk");
        }
        let server = output(mode);
        server.expect_log("WSGI0174").expect_traceback("ValueError: iteration fails");
        let response = server.get("/closed_after_error");
        assert_eq!(response.framing, Framing::Chunked);
        assert_eq!(response.text(), "body");
        assert!(!response.complete, "the response looks complete");
    }

    fn a_kept_connection_is_closed_after_an_incomplete_response(mode) {
        ours!("it keeps the connection, so that the client waits for the rest");
        let server = output(mode);
        server.expect_log("WSGI0174").expect_traceback("ValueError: iteration fails");
        let mut connection = server.connect();
        connection.patience(Duration::from_secs(8));
        connection.request("GET", "/closed_after_error", &[], b"");
        let response = connection.response();
        assert_eq!(response.text(), "body");
        assert!(!response.complete, "the response looks complete");
    }

    fn head_requests_get_headers_only(mode) {
        let server = output(mode);
        let mut connection = server.connect();
        connection.request("HEAD", "/large?5000", &[], b"");
        let response = connection.response();
        assert_eq!(response.status(), 200);
        assert_eq!(response.header("content-length"), Some("5000"));
        connection.request("HEAD", "/generator", &[], b"");
        assert_eq!(connection.response().status(), 200);
        connection.request("GET", "/one_block", &[], b"");
        assert_eq!(connection.response().ok(), "one block");
    }

    fn a_block_followed_by_a_pause_reaches_the_client_at_once(mode) {
        let server = output(mode);
        let mut connection = server.connect();
        connection.request("GET", "/gated", &[], b"");
        connection.final_head();
        assert_eq!(connection.piece().unwrap().unwrap(), b"first");
        server.open_gate("gate");
        assert_eq!(connection.piece().unwrap().unwrap(), b"second");
        server.open_gate("gate2");
        assert_eq!(connection.piece().unwrap().unwrap(), b"third");
        assert_eq!(connection.piece().unwrap(), None);
        assert!(connection.is_complete());
    }

    fn a_written_block_reaches_the_client_at_once(mode) {
        let server = output(mode);
        let mut connection = server.connect();
        connection.request("GET", "/gated_write", &[], b"");
        connection.final_head();
        assert_eq!(connection.piece().unwrap().unwrap(), b"first");
        server.open_gate("gate");
        assert_eq!(connection.piece().unwrap().unwrap(), b"second");
        assert_eq!(connection.piece().unwrap(), None);
    }

    fn ten_thousand_small_blocks_arrive_in_order(mode) {
        let text = output(mode).get("/many_small").ok();
        let expected: String = (0..10_000).map(|number| format!("{number:06}\n")).collect();
        assert_eq!(text, expected);
    }

    fn blocks_yielded_quickly_are_coalesced(mode) {
        ours!("it flushes every block in embedded mode");
        let server = output(mode);
        let mut connection = server.connect();
        connection.request("GET", "/many_small", &[], b"");
        let response = connection.response();
        assert!(response.complete);
        // Far fewer pieces than blocks: chunks hold many blocks each.
        assert!(response.pieces.len() < 1_000, "{} pieces", response.pieces.len());
    }

    fn a_slow_client_gets_everything(mode) {
        let server = output(mode);
        let mut connection = server.connect();
        connection.request("GET", "/large_blocks?50", &[], b"");
        connection.final_head();
        let (mut count, start) = (0, Instant::now());
        while let Some(piece) = connection.piece().unwrap() {
            count += piece.len();
            if start.elapsed() < Duration::from_millis(500) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        assert_eq!(count, 5_000_000);
        assert!(connection.is_complete());
    }

    fn a_compressing_filter_of_httpd_acts(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/output.py\nSetOutputFilter DEFLATE")
            .mode(mode)
            .modules(&["filter", "deflate"])
            .start();
        let response =
            server.request("GET", "/large_blocks?10", &[("Accept-Encoding", "gzip")], b"");
        assert_eq!(response.header("content-encoding"), Some("gzip"));
        assert!(response.complete && response.body.len() < 20_000);
        assert_eq!(&response.body[..2], [0x1f, 0x8b]);
    }

    fn head_is_shown_as_get_when_a_content_filter_needs_the_body(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias / @apps@/method.py\n\
             <Location /off>\nWSGIMapHEADToGET Off\n</Location>\n\
             <Location /on>\nWSGIMapHEADToGET On\n</Location>\n\
             <Location /deflate>\nSetOutputFilter DEFLATE\n</Location>",
        )
        .mode(mode)
        .modules(&["filter", "deflate"])
        .start();
        for (path, method) in
            [("/plain", "HEAD"), ("/off", "HEAD"), ("/on", "GET"), ("/deflate", "GET")]
        {
            let response = server.request("HEAD", path, &[("Accept-Encoding", "gzip")], b"");
            assert_eq!(response.header("x-method"), Some(method), "{path}");
            assert!(response.body.is_empty());
        }
    }
}
