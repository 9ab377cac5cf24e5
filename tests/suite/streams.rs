//! `wsgi.errors`, `sys.stderr`, `sys.stdout`.

use crate::support::log::Record;
use crate::support::{Httpd, Mode};

/// The record an application's line became.
fn logged(mode: Mode, route: &str, text: &str) -> (Httpd, Record) {
    let server = Httpd::serving("logging_app.py", mode);
    server.expect_log(text);
    assert_eq!(server.get(&format!("/{route}")).ok(), "logged");
    let record = server.wait_for_log(text);
    (server, record)
}

both_modes! {
    fn a_line_to_wsgi_errors_is_a_record_of_the_request(mode) {
        let (_server, record) = logged(mode, "errors", "line to wsgi.errors");
        assert_eq!((record.module.as_str(), record.level.as_str()), ("wsgi", "error"));
        assert_eq!(record.message, "line to wsgi.errors");
        assert!(record.line.contains("127.0.0.1:"), "no client address: {}", record.line);
    }

    fn parts_of_a_line_are_one_record(mode) {
        let (server, record) = logged(mode, "partial", "part one, part two");
        assert_eq!(record.message, "part one, part two");
        let record = server.wait_for_log("unfinished");
        assert_eq!(record.message, "unfinished");
        server.expect_log("unfinished");
    }

    fn each_line_is_a_record(mode) {
        let (server, _) = logged(mode, "several", "first of three");
        for text in ["first of three", "second of three", "third of three"] {
            server.expect_log(text);
            assert_eq!(server.wait_for_log(text).message, text);
        }
    }

    fn stderr_and_stdout_are_records_of_the_request(mode) {
        for route in ["stderr", "stdout"] {
            let (_server, record) = logged(mode, route, &format!("line to {route}"));
            assert_eq!(record.message, format!("line to {route}"));
            assert!(record.line.contains("127.0.0.1:"), "no client address: {}", record.line);
        }
    }

    fn the_logging_module_reaches_the_log(mode) {
        let (_server, record) = logged(mode, "logger", "line of logging");
        assert_eq!(record.message, "ERROR line of logging");
    }

    fn a_thread_without_a_request_logs_to_the_server(mode) {
        let (_server, record) = logged(mode, "other_thread", "line of a thread");
        assert_eq!(record.message, "line of a thread");
    }

    fn bytes_to_the_buffer_are_logged(mode) {
        let (_server, record) = logged(mode, "buffer", "bytes to the buffer");
        assert_eq!(record.message, "bytes to the buffer");
    }

    fn control_characters_are_escaped_in_the_log(mode) {
        let (server, record) = logged(mode, "hostile", "31mred");
        assert!(record.line.contains("end"), "{}", record.line);
        let bytes = std::fs::read(server.path("error.log")).unwrap();
        assert!(!bytes.contains(&0x1b) && !bytes.contains(&0x07));
    }

    fn percent_signs_are_no_format(mode) {
        let (_server, record) = logged(mode, "percent", "100%s of %n %d");
        assert_eq!(record.message, "100%s of %n %d");
    }

    fn a_very_long_line_begins_in_the_log(mode) {
        let (server, record) = logged(mode, "long_line", "begin xxxx");
        assert!(record.message.len() > 4_000, "{}", record.message.len());
        server.allow_log("xxxx").allow_log(" end");
        assert_eq!(server.get("/errors").ok(), "logged");
        server.expect_log("line to wsgi.errors");
    }

    fn what_c_code_writes_to_descriptor_2_is_in_the_log(mode) {
        let (_server, _) = logged(mode, "descriptor", "written to descriptor 2");
    }

    fn the_stream_is_a_text_stream_without_a_descriptor(mode) {
        let server = Httpd::serving("logging_app.py", mode);
        let text = server.get("/describe").ok();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "_io.TextIOWrapper");
        assert_eq!(lines[1], "<wsgi.errors>");
        assert_eq!(lines[2], "False");
        assert_eq!(lines[3], "utf-8");
        assert_eq!(lines[4], "replace");
        assert_eq!(lines[5..8], ["<stderr>", "<stdout>", "TextIOWrapper"]);
        assert!(lines[8].starts_with("OSError "), "{text}");
    }

    fn signal_handlers_are_not_registered_by_default(mode) {
        let server = Httpd::serving("logging_app.py", mode);
        server.allow_log("WSGI").allow_log("Error");
        // Only the main thread may call signal.signal: worker threads learn it from the wrapper.
        let text = server.get("/signals").ok();
        assert_eq!(text, "True True");
        server.wait_for_log("signal 12");
    }
}
