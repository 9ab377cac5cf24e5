//! `mod_wsgi.LogHandler`.

use crate::support::{Httpd, Mode, conf, quote};

/// A server that has answered one request for the application.
#[track_caller]
fn logged(mode: Mode, lines: &str, route: &str) -> (Httpd, String) {
    let server = with(mode, lines);
    let text = server.get(route).ok();
    (server, text)
}

fn with(mode: Mode, lines: &str) -> Httpd {
    let lines = format!("{lines}\nWSGIScriptAlias / @apps@/log_handler.py");
    let server = Httpd::with(&lines).mode(mode).one_child().start();
    server.allow_log("handled ");
    server
}

/// Level and text of the records of the handler.
fn handled(server: &Httpd) -> Vec<(String, String)> {
    let records = server.log().into_iter().filter(|record| record.module == "wsgi");
    // From level debug on, httpd's format has the source file in front.
    let text = |line: &str| line.find("handled ").map(|start| line[start..].to_owned());
    records.filter_map(|record| Some((record.level, text(&record.line)?))).collect()
}

both_modes! {
    fn levels_are_those_of_httpd(mode) {
        let (server, _) = logged(mode, "LogLevel wsgi:trace1", "/levels");
        server.wait_for_log("handled level 5");
        let wanted = [
            ("crit", 60), ("crit", 50), ("error", 45), ("error", 40), ("warn", 30), ("info", 20),
            ("debug", 15), ("debug", 10), ("debug", 5),
        ];
        let wanted = wanted.map(|(name, level)| (name.to_owned(), format!("handled level {level}")));
        let found: Vec<_> = handled(&server)
            .into_iter()
            .filter(|(_, message)| message.starts_with("handled level"))
            .collect();
        assert_eq!(found, wanted);
    }

    fn records_belong_to_the_request(mode) {
        let (server, _) = logged(mode, "", "/place");
        let record = server.wait_for_log("handled here");
        assert!(record.line.contains("127.0.0.1:"), "{}", record.line);
        assert!(record.line.contains("[script "), "{}", record.line);
        assert!(record.line.contains("/log_handler.py] handled here"), "{}", record.line);
    }

    fn a_thread_without_a_request_logs_to_the_server(mode) {
        let (server, _) = logged(mode, "", "/thread");
        let record = server.wait_for_log("handled of a thread");
        assert_eq!(record.level, "error");
        assert!(!record.line.contains("[script "), "{}", record.line);
    }

    fn each_line_is_a_record(mode) {
        let (server, _) = logged(mode, "", "/lines");
        server.allow_log("] second").allow_log("] last").allow_log("log_handler.py]");
        for text in ["handled first", "second", "last"] {
            assert_eq!(server.wait_for_log(&format!("] {text}")).level, "error");
        }
    }

    fn a_traceback_follows_its_record(mode) {
        let (server, _) = logged(mode, "", "/traceback");
        server.expect_traceback("ValueError: reported");
        assert_eq!(server.wait_for_log("handled failed").level, "error");
        assert_eq!(server.wait_for_log("ValueError: reported").level, "error");
    }

    fn the_format_of_the_log_can_show_where_a_record_comes_from(mode) {
        // Without threads httpd leaves out what stands around `%T`.
        let thread = if conf::mpm() == "prefork" { "0" } else { "%T" };
        let format =
            format!(r#"ErrorLogFormat "[%{{u}}t] [%-m:%l] [pid %P:tid {thread}] from %F: %M""#);
        let (server, _) = logged(mode, &format, "/place");
        let record = server.wait_for_log("handled here");
        assert!(record.message.starts_with("from log_handler.py("), "{}", record.line);
        assert!(!record.message.starts_with("from log_handler.py(0)"), "{}", record.line);
    }

    fn what_is_not_logged_is_not_formatted(mode) {
        if mode.is_daemon() {
            ours!("its daemons know the level of the virtual host only");
        }
        let lines = "LogLevel wsgi:warn\n<Location /loud>\nLogLevel wsgi:info\n</Location>\n\
                     WSGIScriptAlias /loud @apps@/log_handler.py application-group=%{GLOBAL}\n\
                     WSGIApplicationGroup %{GLOBAL}";
        let server = with(mode, lines);
        assert_eq!(server.get("/counted").ok(), "0");
        assert_eq!(server.get("/loud/counted").ok(), "1");
        assert_eq!(server.get("/counted_in_thread").ok(), "1");
        assert_eq!(server.wait_for_log("handled counted").level, "info");
    }

    fn a_record_that_cannot_be_formatted_is_the_handlers_error(mode) {
        ours!("it says nothing");
        let (server, _) = logged(mode, "", "/wrong");
        server.expect_log("--- Logging error ---").allow_log("Message: '%d'");
        server.allow_log("Arguments:").allow_log("Call stack:").allow_log("  ");
        // In the words of one version or another.
        server.expect_traceback("real number").allow_log("TypeError: ");
        server.wait_for_log("--- Logging error ---");
    }

    fn a_record_made_by_hand_is_logged(mode) {
        let (server, _) = logged(mode, "", "/by_hand");
        assert_eq!(server.wait_for_log("handled by hand").level, "error");
    }

    fn the_handlers_own_level_counts(mode) {
        let (server, _) = logged(mode, "", "/threshold");
        server.wait_for_log("handled above");
        assert_eq!(server.log_count("handled below"), 0);
    }

    fn the_class_is_one_and_made_of_that_of_logging(mode) {
        let server = Httpd::serving("evaluate.py", mode);
        let expressions = [
            "imp('mod_wsgi').LogHandler.__mro__[1].__module__",
            "imp('mod_wsgi').LogHandler is imp('mod_wsgi').LogHandler",
            "(imp('mod_wsgi').LogHandler.__module__, imp('mod_wsgi').LogHandler.__qualname__)",
            "(imp('mod_wsgi').LogHandler().level, imp('mod_wsgi').LogHandler(level='INFO').level)",
            "'LogHandler' in dir(imp('mod_wsgi'))",
            "imp('mod_wsgi').nothing",
        ];
        let query: Vec<String> = expressions.iter().map(|text| quote(text)).collect();
        let text = server.get(&format!("/?{}", query.join(";;"))).ok();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, [
            "'logging'", "True", "('mod_wsgi', 'LogHandler')", "(0, 20)", "True",
            "AttributeError: module 'mod_wsgi' has no attribute 'nothing'",
        ]);
    }
}

one! {
    fn logging_is_imported_only_for_the_handler() {
        ours!("it imports logging in every interpreter");
        let server = Httpd::serving("evaluate.py", Mode::Daemon);
        let text = server.get(&format!("/?{}", quote("'logging' in imp('sys').modules"))).ok();
        assert_eq!(text, "False");
    }
}
