//! `wsgi.file_wrapper`: wsgi-protocol §6.

use crate::support::http::Framing;
use crate::support::{Httpd, Mode, original};

/// Bytes of the file sent.
const SIZE: usize = 300_000;

/// Text that differs at every position.
fn content() -> String {
    (0..SIZE / 10).map(|number| format!("{number:09}\n")).collect()
}

fn files(mode: Mode, lines: &str) -> Httpd {
    Httpd::with(&format!("WSGIScriptAlias / @apps@/files.py\n{lines}"))
        .mode(mode)
        .file("data.bin", &content())
        .start()
}

both_modes! {
    fn a_file_is_sent_whole_with_its_length(mode) {
        let server = files(mode, "");
        for path in ["/plain", "/block_size", "/keyword"] {
            let response = server.get(path);
            assert!(response.ok() == content(), "{path}");
            assert_eq!(response.header("content-length"), Some("300000"), "{path}");
            assert_eq!(response.framing, Framing::Length);
        }
    }

    fn a_file_is_sent_with_sendfile(mode) {
        let server = files(mode, "WSGIEnableSendfile On\nEnableSendfile On");
        assert!(server.get("/plain").ok() == content());
    }

    fn a_file_is_sent_from_its_position(mode) {
        let server = files(mode, "");
        let response = server.get("/from_offset");
        assert!(response.ok() == content()[100_000..]);
        assert_eq!(response.header("content-length"), Some("200000"));
    }

    fn a_given_length_limits_what_is_sent(mode) {
        let server = files(mode, "");
        assert_eq!(server.get("/with_length").ok(), content()[10..30]);
    }

    fn a_length_beyond_the_end_of_the_file_never_looks_complete(mode) {
        ours!("it announces what it does not send and keeps the connection");
        let server = files(mode, "");
        server.allow_log("WSGI").allow_log("AH");
        let response = server.get("/length_beyond_end");
        assert!(!response.complete || response.status() == 500, "{}", response.text());
    }

    fn objects_without_a_descriptor_are_iterated(mode) {
        let server = files(mode, "");
        assert_eq!(server.get("/bytes_io").ok(), "in memory ".repeat(5_000));
        assert_eq!(server.get("/pipe").ok(), "from a pipe");
        assert_eq!(server.get("/empty").ok(), "");
        assert!(server.get("/wrapped").ok() == content());
    }

    fn an_object_without_close_needs_none(mode) {
        ours!("it logs an AttributeError about the missing close()");
        let server = files(mode, "");
        assert_eq!(server.get("/only_read").ok(), "r".repeat(30));
    }

    fn a_deleted_file_is_sent(mode) {
        let server = files(mode, "");
        assert_eq!(server.get("/deleted").ok(), "temporary ".repeat(1_000));
        assert_eq!(server.get("/empty_file").ok(), "");
    }

    fn output_before_the_file_is_sent_first(mode) {
        let text = files(mode, "").get("/written_first").ok();
        assert_eq!(text, format!("before {}", &content()[SIZE - 4..]));
    }

    fn the_file_is_closed_after_the_response(mode) {
        let server = files(mode, "");
        assert!(server.get("/closes").ok() == content());
        assert_eq!(server.wait_for_out("file_closed"), "x");
    }

    fn a_head_request_for_a_file_has_its_length(mode) {
        let response = files(mode, "").request("HEAD", "/plain", &[], b"");
        assert_eq!(response.header("content-length"), Some("300000"));
        assert!(response.body.is_empty());
    }

    fn the_wrapper_class_follows_its_contract(mode) {
        let text = files(mode, "").get("/api").ok();
        for line in [
            "isinstance: True",
            "blksize: 4",
            "default: 8192",
            "filelike: True",
            "blocks: [b'abcd', b'ef']",
            "negative: ValueError: blksize must not be negative",
            "text: TypeError: file wrapper read() must return bytes, not str",
            "no read: AttributeError: ",
            "close: None",
            "closed: True",
            "close twice: None",
            "after close: ValueError: I/O operation on closed file",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    fn files_leave_no_descriptor_behind(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/files.py")
            .mode(mode)
            .file("data.bin", &content())
            .one_child()
            .start();
        let fetch = || {
            for path in ["/plain", "/closes", "/from_offset", "/deleted", "/pipe", "/wrapped"] {
                assert_eq!(server.get(path).status(), 200);
            }
            // A client that goes in the middle of a file.
            let mut connection = server.connect();
            connection.request("GET", "/plain", &[], b"");
            connection.final_head();
            connection.reset();
        };
        if original::is_original() {
            // Its daemons see the client's abort as an error of their own.
            server.allow_log("WSGI0174").allow_log("OSError: mod_wsgi failed to write");
        }
        // More requests than threads, so that every thread has served.
        (0..12).for_each(|_| fetch());
        server.without_descriptor_growth(|| (0..20).for_each(|_| fetch()));
    }

    fn a_range_of_a_file_is_served_by_httpd(mode) {
        if mode == Mode::Daemon {
            ours!("bytes of a file lose their length on the way from its daemon");
        }
        let server = files(mode, "");
        let response = server.request("GET", "/plain", &[("Range", "bytes=10-29")], b"");
        assert_eq!(response.status(), 206);
        assert_eq!(response.text(), content()[10..30]);
    }

    fn a_file_truncated_while_it_is_sent_never_looks_complete(mode) {
        ours!("it maps files and logs that the address was bad");
        let server = files(mode, "KeepAliveTimeout 1\nTimeout 5");
        let path = server.path("data.bin");
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        // More than the buffers of both sockets take.
        file.set_len(64 << 20).unwrap();
        let mut connection = server.connect();
        connection.request("GET", "/plain", &[], b"");
        let head = connection.final_head();
        assert_eq!(head.status, 200);
        file.set_len(0).unwrap();
        // A reset is as good an end as a close.
        let whole = connection.rest_of(head, Vec::new()).is_ok_and(|response| response.complete);
        assert!(!whole, "the response looks complete");
        file.set_len(10).unwrap();
        assert_eq!(server.get("/plain").text(), "\0".repeat(10));
    }
}
