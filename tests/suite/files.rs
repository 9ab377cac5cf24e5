//! `wsgi.file_wrapper`.

use crate::support::curl::{paused, secure, slowly, ways};
use crate::support::http::Framing;
use crate::support::{Httpd, Mode, original};

/// Bytes of the file sent.
const SIZE: usize = 300_000;

/// More than the buffers of both sockets take, in whole pages.
const LARGE: u64 = 32 << 20;

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
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        // Whole pages, half a page in the middle, and in the last page that has another behind it.
        let cuts = [0, LARGE / 2, LARGE / 2 + 1_000, LARGE - 1, LARGE - 4_097];
        let url = format!("http://localhost:{}/plain", server.port());
        for (number, size) in cuts.into_iter().enumerate() {
            file.set_len(LARGE).unwrap();
            let (exit, _) = paused(&[&url], || file.set_len(size).unwrap());
            assert_ne!(exit, 0, "the response looks complete with {size} bytes");
            assert_ne!(exit, 28, "the client waits for the rest");
            crate::support::poll("one record", || {
                (server.log_count("WSGI1033") == number + 1).then_some(())
            });
        }
        let record = server.wait_for_log("WSGI1033");
        assert!(record.line.contains(path.to_str().unwrap()), "{}", record.line);
        server.expect_log("WSGI1033");
        file.set_len(10).unwrap();
        assert_eq!(server.get("/plain").ok().len(), 10);
    }

    fn a_file_truncated_while_it_is_sent_over_tls_or_http_2_never_looks_complete(mode) {
        ours!("it maps files");
        let port = crate::support::ports::take();
        let server = secure("WSGIScriptAlias / @apps@/files.py\nTimeout 5", &port)
            .mode(mode)
            .file("data.bin", "")
            .start();
        let file = std::fs::OpenOptions::new().write(true).open(server.path("data.bin")).unwrap();
        for (number, (base, option, _)) in ways(&server, &port).into_iter().enumerate() {
            file.set_len(LARGE).unwrap();
            let url = format!("{base}/plain");
            let (exit, _) = paused(&[option, &url], || file.set_len(1_000).unwrap());
            assert_ne!(exit, 0, "{option}: looks complete");
            assert_ne!(exit, 28, "{option}: the client waits for the rest");
            crate::support::poll("one record", || {
                (server.log_count("WSGI1033") == number + 1).then_some(())
            });
        }
        server.expect_log("WSGI1033").allow_log("AH");
    }

    fn files_of_all_sizes_and_parts_of_them_arrive(mode) {
        if mode == Mode::Daemon {
            ours!("bytes of a file lose their length on the way from its daemon");
        }
        // Around a page, around what is mapped, and where mappings end.
        let server = files(mode, "WSGIEnableSendfile Off");
        let text: String = (0..900_000).map(|number| format!("{number:09}\n")).collect();
        for size in [1, 4_096, 4_097, 131_071, 131_072, 131_073, 4_194_304, 8_999_990] {
            // Renamed: the one before may still be in use when its last byte has arrived.
            std::fs::write(server.path("new.bin"), &text[..size]).unwrap();
            std::fs::rename(server.path("new.bin"), server.path("data.bin")).unwrap();
            assert!(server.get("/plain").ok() == text[..size], "{size} bytes");
            if size > 131_073 {
                assert!(server.get("/from_offset").ok() == text[100_000..size], "{size} bytes");
                let range = ("Range", "bytes=5-200000");
                let part = server.request("GET", "/plain", &[range], b"");
                assert_eq!(part.status(), 206);
                assert!(part.text() == text[5..=200_000], "a range of {size} bytes");
            }
        }
    }

    fn a_file_is_mapped_only_where_nobody_looks_into_it(mode) {
        ours!("maps files for all filters");
        let port = crate::support::ports::take();
        let passing = "RequestReadTimeout header=20\nHeader set X-Header value\n\
                       ExpiresActive On\nExpiresDefault A60";
        let cases = [
            ("", false, true),
            (passing, false, true),
            ("", true, false),
            ("EnableMMAP Off", false, false),
            ("WSGIEnableSendfile On", false, false),
            ("SetOutputFilter DEFLATE", false, false),
        ];
        for (lines, is_tls, maps) in cases {
            let server = secure(&format!("WSGIScriptAlias / @apps@/files.py\n{lines}"), &port)
                .modules(&["reqtimeout", "expires", "filter", "deflate"])
                .mode(mode)
                .file("data.bin", "")
                .start();
            let path = server.path("data.bin").display().to_string();
            // Compressed, it must not fit the buffers of both sockets either.
            crate::support::rundir::output_of("openssl", &["rand", "-out", &path, "33554432"]);
            let (scheme, port) = if is_tls { ("https", port.number) } else { ("http", server.port()) };
            let url = format!("{scheme}://localhost:{port}/plain");
            slowly(&["--http1.1", "-H", "Accept-Encoding: gzip", &url], || {
                let is_mapped = || {
                    server.processes().iter().any(|one| {
                        let maps = std::fs::read_to_string(format!("/proc/{}/maps", one.pid));
                        maps.is_ok_and(|maps| maps.contains(&path))
                    })
                };
                if maps {
                    // A mapping is a part of the file: one may just have been used up.
                    crate::support::poll("a mapping", || is_mapped().then_some(()));
                } else {
                    assert!(!is_mapped(), "{lines} {url}");
                }
            });
        }
    }
}
