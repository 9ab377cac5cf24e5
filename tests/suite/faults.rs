//! Applications and scripts that fail: what the client gets, and what the log says.

use crate::support::http::Framing;
use crate::support::{Httpd, Mode};

fn failing(mode: Mode) -> Httpd {
    Httpd::serving("failing.py", mode)
}

/// A request that must be a 500 with this last line of a traceback; the next one must work.
#[track_caller]
fn fails(mode: Mode, path: &str, last: &str) -> Httpd {
    let server = failing(mode);
    server.expect_log("WSGI0174").expect_traceback(last);
    let response = server.get(path);
    assert_eq!(response.status(), 500, "{}", response.text());
    assert!(response.text().contains("Internal Server Error"), "{}", response.text());
    assert_eq!(server.get("/fine").ok(), "fine");
    server
}

both_modes! {
    fn an_exception_is_500_with_its_traceback_in_the_log(mode) {
        let server = fails(mode, "/raises", "KeyError: 'raised by the application'");
        let header = server.wait_for_log("WSGI0174");
        assert!(
            header.line.contains("KeyError exception raised processing WSGI script '"),
            "{}",
            header.line
        );
        assert!(header.line.contains("failing.py"));
    }

    fn a_traceback_names_every_frame(mode) {
        ours!("it logs the last line of a traceback only");
        let server = fails(mode, "/raises", "KeyError: 'raised by the application'");
        server.expect_log("Traceback (most recent call last):").expect_log("in raises");
        server.expect_log("in application");
    }

    fn a_chained_exception_shows_its_cause(mode) {
        let server = fails(mode, "/raises_chained", "ValueError: the effect");
        server.expect_log("KeyError: 'the cause'");
        server.expect_log("direct cause of the following exception");
    }

    fn an_exception_text_cannot_forge_log_lines(mode) {
        let server = failing(mode);
        server.expect_log("WSGI0174").expect_traceback("ValueError: caf").allow_log("break");
        assert_eq!(server.get("/raises_unicode").status(), 500);
        let text = std::fs::read_to_string(server.path("error.log")).unwrap();
        assert!(!text.contains('\x1b'), "a raw escape character is in the log");
        assert!(!text.lines().any(|line| line.starts_with("break")), "{text}");
    }

    fn an_exception_after_start_response_is_500(mode) {
        fails(mode, "/raises_after_start", "ValueError: after start_response");
    }

    fn a_keyboard_interrupt_is_an_exception_like_others(mode) {
        fails(mode, "/keyboard_interrupt", "KeyboardInterrupt: from the application");
    }

    fn a_base_exception_is_an_exception_like_others(mode) {
        fails(mode, "/base_exception", "Own: a base exception");
    }

    fn system_exit_is_ignored_but_logged(mode) {
        let server = failing(mode);
        server.expect_log("WSGI0175").expect_traceback("SystemExit: 3");
        server.get("/fine").ok();
        let before = server.processes();
        assert_eq!(server.get("/system_exit").status(), 500);
        let record = server.wait_for_log("WSGI0175");
        assert!(record.line.contains("SystemExit exception raised by WSGI script"), "{}", record.line);
        assert!(record.line.contains("ignored"), "{}", record.line);
        assert_eq!(server.get("/system_exit_in_iteration").status(), 500);
        server.expect_log("SystemExit: leaving");
        assert_eq!(server.get("/fine").ok(), "fine");
        assert!(before.iter().all(|process| process.is_alive()), "no process has left");
    }

    fn an_application_returning_none_is_500(mode) {
        fails(mode, "/returns_none", "TypeError: 'NoneType' object is not iterable");
    }

    fn an_application_returning_an_int_is_500(mode) {
        fails(mode, "/returns_int", "TypeError: 'int' object is not iterable");
    }

    fn an_application_returning_str_is_500(mode) {
        fails(mode, "/returns_str", "TypeError: ");
    }

    fn a_block_of_str_is_500(mode) {
        let last = "TypeError: response iterable must yield bytes, not str";
        fails(mode, "/returns_list_of_str", last);
    }

    fn a_block_of_none_is_500(mode) {
        fails(mode, "/yields_none", "TypeError: response iterable must yield bytes, not NoneType");
    }

    fn output_without_start_response_is_500(mode) {
        let last =
            "RuntimeError: start_response() must be called before response content is produced";
        fails(mode, "/no_start_response", last);
    }

    fn no_start_response_and_no_output_is_500(mode) {
        let server = failing(mode);
        server.allow_log("WSGI").expect_traceback("").allow_log("Error: ");
        assert_eq!(server.get("/no_start_response_no_body").status(), 500);
        assert_eq!(server.get("/fine").ok(), "fine");
    }

    fn a_bad_status_is_500(mode) {
        fails(mode, "/bad_status", "ValueError: status code must be a 3 digit integer: ");
    }

    fn wrong_header_types_are_500(mode) {
        fails(mode, "/bad_headers", "TypeError: ");
    }

    fn a_split_header_is_500_and_sets_no_cookie(mode) {
        let server = failing(mode);
        server.expect_log("WSGI0174").expect_traceback("ValueError: carriage return");
        let response = server.get("/split_header");
        assert_eq!(response.status(), 500);
        assert_eq!(response.header("set-cookie"), None);
    }

    fn a_generator_failing_before_its_first_block_is_500(mode) {
        fails(mode, "/raises_before_block", "ValueError: before the first block");
    }

    fn a_generator_failing_after_a_block_keeps_the_status(mode) {
        let server = failing(mode);
        server.expect_log("WSGI0174").expect_traceback("ValueError: after the first block");
        let response = server.get("/raises_after_block");
        assert_eq!((response.status(), response.text().as_str()), (200, "block"));
        assert_eq!(response.framing, Framing::Chunked);
        assert_eq!(server.get("/fine").ok(), "fine");
    }

    fn endless_recursion_is_an_exception(mode) {
        let server = failing(mode);
        server.expect_log("WSGI0174").expect_traceback("RecursionError: ");
        server.allow_log("Previous line repeated");
        assert_eq!(server.get("/recursion").status(), 500);
        assert_eq!(server.get("/fine").ok(), "fine");
    }

    fn an_error_document_stands_in_for_a_failed_request(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/failing.py\nErrorDocument 500 \"my own page\"",
        )
        .mode(mode)
        .start();
        server.expect_log("WSGI0174").expect_traceback("KeyError: ");
        let response = server.get("/app/raises");
        assert_eq!((response.status(), response.text().as_str()), (500, "my own page"));
    }

    fn a_hundred_failures_leave_no_descriptor_behind(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/failing.py").mode(mode).one_child().start();
        server.expect_log("WSGI0174").expect_traceback("KeyError: ").allow_log("ValueError: ");
        for _ in 0..10 {
            server.get("/raises");
            server.get("/raises_after_block");
        }
        server.without_descriptor_growth(|| {
            for _ in 0..50 {
                server.get("/raises");
                server.get("/raises_after_block");
            }
        });
    }
}

/// A server with one script of `apps/scripts`.
fn script(mode: Mode, name: &str) -> Httpd {
    Httpd::with(&format!(
        "WSGIScriptAlias /bad @apps@/scripts/{name}\nWSGIScriptAlias /fine @apps@/hello.py"
    ))
    .mode(mode)
    .start()
}

/// A script that fails at load: 500, and the next request of another application works.
#[track_caller]
fn fails_to_load(mode: Mode, name: &str, code: &str, last: &str) -> Httpd {
    let server = script(mode, name);
    server.expect_log(code).expect_traceback(last);
    // The exception itself has a record of its own beside the one about the file.
    server.allow_log("WSGI0174").allow_log("WSGI0175");
    for _ in 0..2 {
        assert_eq!(server.get("/bad").status(), 500);
    }
    assert!(server.wait_for_log(code).line.contains(name));
    assert_eq!(server.get("/fine").ok(), "Hello, WSGI\n");
    server
}

both_modes! {
    fn a_syntax_error_is_500(mode) {
        fails_to_load(mode, "syntax_error.py", "WSGI0105", "SyntaxError: ");
    }

    fn an_exception_at_import_is_500(mode) {
        fails_to_load(mode, "import_error.py", "WSGI0109", "RuntimeError: import fails");
    }

    fn system_exit_at_import_is_500(mode) {
        fails_to_load(mode, "import_exit.py", "WSGI0107", "SystemExit: 1");
    }

    fn a_missing_module_is_500(mode) {
        let last = "ModuleNotFoundError: No module named 'no_such_module_anywhere'";
        fails_to_load(mode, "missing_module.py", "WSGI0109", last);
    }

    fn a_callable_that_is_not_callable_is_500(mode) {
        let last = "TypeError: 'int' object is not callable";
        fails_to_load(mode, "not_callable.py", "WSGI0174", last);
    }

    fn a_missing_callable_is_500(mode) {
        if mode == Mode::Embedded {
            ours!("404 in embedded mode");
        }
        for name in ["no_callable.py", "empty.py"] {
            let server = script(mode, name);
            server.expect_log("WSGI0089");
            assert_eq!(server.get("/bad").status(), 500);
            assert!(server.wait_for_log("WSGI0089").line.contains(name));
            assert_eq!(server.get("/fine").ok(), "Hello, WSGI\n");
        }
    }

    fn a_missing_script_is_404(mode) {
        let server = script(mode, "not_there.py");
        server.expect_log("WSGI0135");
        assert_eq!(server.get("/bad").status(), 404);
        assert!(server.wait_for_log("WSGI0135").line.contains("not_there.py"));
        assert_eq!(server.get("/fine").ok(), "Hello, WSGI\n");
    }

    fn a_script_that_is_a_directory_is_403(mode) {
        let server = Httpd::with("WSGIScriptAlias /bad @apps@/scripts\nDirectorySlash Off")
            .mode(mode)
            .start();
        server.expect_log("WSGI0136");
        assert_eq!(server.get("/bad").status(), 403);
    }

    fn an_unreadable_script_is_500(mode) {
        needs_root!();
        let server = Httpd::with(
            "WSGIScriptAlias /bad @root@/unreadable.py\nWSGIScriptAlias /fine @apps@/hello.py",
        )
        .mode(mode)
        .file("unreadable.py", "application = None\n")
        .start();
        crate::support::rundir::mode(&server.path("unreadable.py"), 0o600);
        server.expect_traceback("PermissionError: ").allow_log("WSGI01");
        assert_eq!(server.get("/bad").status(), 500);
        assert_eq!(server.get("/fine").ok(), "Hello, WSGI\n");
    }

    fn a_script_repaired_after_a_failed_load_works(mode) {
        let server = Httpd::with("WSGIScriptAlias / @root@/app.py")
            .mode(mode)
            .file("app.py", "raise ValueError('not yet')\n")
            .start();
        server.expect_log("WSGI0109").expect_traceback("ValueError: not yet").allow_log("WSGI0174");
        assert_eq!(server.get("/").status(), 500);
        let source = std::fs::read(crate::support::rundir::run().apps.join("hello.py")).unwrap();
        std::fs::write(server.path("app.py"), source).unwrap();
        assert_eq!(server.get("/").ok(), "Hello, WSGI\n");
    }
}
