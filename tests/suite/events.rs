//! Events of requests and of processes: `mod_wsgi.subscribe_events` and its kin.

use serde_json::Value;

use crate::support::process::Process;
use crate::support::{Httpd, Mode, original, poll, rundir};

fn serving(mode: Mode) -> Httpd {
    Httpd::with("WSGIScriptAlias / @apps@/events.py").mode(mode).one_child().start()
}

/// The events of the last request, by name and content.
#[track_caller]
fn heard(server: &Httpd) -> Vec<(String, Value)> {
    let events: Value = serde_json::from_str(&server.get("/last").ok()).expect("JSON");
    let pair = |event: &Value| (event[0].as_str().unwrap().to_owned(), event[1].clone());
    events.as_array().unwrap().iter().map(pair).collect()
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

fn keys(event: &Value) -> Vec<&str> {
    event.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A daemon group with the application, which has answered once.
fn group(options: &str) -> (Httpd, Process) {
    let server = Httpd::with(&format!(
        "WSGIDaemonProcess app {options}\nWSGIProcessGroup app\nWSGIScriptAlias / @apps@/events.py"
    ))
    .start();
    let process = daemon(&server);
    (server, process)
}

#[track_caller]
fn daemon(server: &Httpd) -> Process {
    let pid = server.get("/ready").ok().parse().expect("a number");
    Process::of(pid).expect("the process that just answered")
}

#[track_caller]
fn wait_for_lines(server: &Httpd, count: usize) -> Vec<String> {
    poll("lines of callbacks", || {
        let lines: Vec<String> = server.out("process").lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

both_modes! {
    fn a_request_has_three_events(mode) {
        let server = serving(mode);
        assert_eq!(server.post("/read?query", b"0123456789").status(), 202);
        let events = heard(&server);
        assert_eq!(names(&events), ["request_started", "response_started", "request_finished"]);
        assert_eq!(
            keys(&events[0].1),
            ["application_object", "application_start", "callable_object", "daemon_connects",
             "daemon_restarts", "daemon_start", "queue_start", "request_data", "request_environ",
             "request_id", "request_start", "server_pid", "thread_id"]
        );
        assert_eq!(events[0].1["application_object"], "application");
        assert_eq!(events[0].1["callable_object"], "application");
        assert!(events[0].1["thread_id"].as_i64().unwrap() >= 1);
        assert!(events[0].1["server_pid"].as_i64().unwrap() > 1);
        assert_eq!(events[0].1["daemon_connects"], mode.pick(0, 1));
        assert_eq!(events[0].1["daemon_restarts"], 0);
        assert_eq!(
            keys(&events[1].1),
            ["exception_info", "request_data", "request_id", "response_headers", "response_status"]
        );
        assert_eq!(events[1].1["response_status"], "202 Accepted");
        assert_eq!(events[1].1["response_headers"].to_string(), r#"[["X-One","1"]]"#);
        assert!(events[1].1["exception_info"].is_null());
        assert_eq!(
            keys(&events[2].1),
            ["application_finish", "application_time", "cpu_system_time", "cpu_time",
             "cpu_user_time", "daemon_start", "gil_wait_count", "gil_wait_time", "input_length",
             "input_reads", "input_time", "output_length", "output_time", "output_writes",
             "queue_start", "request_data", "request_id", "request_start", "server_pid", "status",
             "thread_id"]
        );
    }

    fn the_last_event_says_what_the_request_has_cost(mode) {
        let server = serving(mode);
        assert_eq!(server.post("/read", b"0123456789").status(), 202);
        let finished = heard(&server).pop().unwrap().1;
        assert_eq!(finished["status"], 202);
        assert_eq!(finished["input_length"], 10);
        assert!(finished["input_reads"].as_i64().unwrap() >= 1, "{finished}");
        assert_eq!((&finished["output_length"], &finished["output_writes"]), (&11.into(), &2.into()));
        assert!(finished["output_time"].as_f64().unwrap() > 0.0, "{finished}");
        assert_eq!(server.get("/several").ok(), "fourfive!");
        let finished = heard(&server).pop().unwrap().1;
        assert_eq!((&finished["output_length"], &finished["output_writes"]), (&9.into(), &2.into()));
        assert_eq!(finished["input_length"], 0);
        server.get("/several").ok();
        let times = mode.pick(3, 5);
        assert_eq!(server.get("/times").ok(), format!("[true, {times}, true, true, true]"));
    }

    fn the_first_request_of_a_script_is_heard_too(mode) {
        let server = serving(mode);
        assert_eq!(server.get("/several").ok(), "fourfive!");
        let events = heard(&server);
        assert_eq!(names(&events), ["request_started", "response_started", "request_finished"]);
        assert_eq!(events[2].1["output_length"], 9);
    }

    fn callbacks_share_the_data_and_what_others_return(mode) {
        let server = serving(mode);
        assert_eq!(
            server.get("/data").ok(),
            r#"{"seen": "/data", "merged": "request_started", "third": true}"#
        );
    }

    fn a_callback_may_replace_the_application(mode) {
        let server = serving(mode);
        assert_eq!(server.get("/replaced").ok(), "\"replaced\"");
    }

    fn a_callback_that_raises_is_logged_and_the_next_one_runs(mode) {
        let server = serving(mode);
        server.expect_log("WSGI0112").expect_traceback("KeyError: 'of a callback'");
        server.expect_log("WSGI0190").expect_log("SystemExit: 3");
        for query in ["raise", "exit"] {
            let text = server.get(&format!("/data?{query}")).ok();
            assert!(text.contains("\"third\": true"), "{text}");
        }
        let record = server.wait_for_log("WSGI0112");
        let names_request = record.line.contains("127.0.0.1:") || original::is_original();
        assert!(names_request, "{}", record.line);
        assert!(record.message.contains("event callback for 'request_started'"));
        server.wait_for_log("WSGI0190");
    }

    fn an_exception_is_told_before_it_is_logged(mode) {
        let server = serving(mode);
        server.expect_log("WSGI0174").expect_traceback("ValueError: of the application");
        assert_eq!(server.get("/boom").status(), 500);
        let events = heard(&server);
        assert_eq!(names(&events), ["request_started", "request_exception", "request_finished"]);
        assert_eq!(keys(&events[1].1), ["exception_info", "request_data", "request_id"]);
        assert_eq!(
            events[1].1["exception_info"].to_string(),
            r#"["ValueError","of the application","traceback"]"#
        );
        assert_eq!(events[2].1["status"], 500);
    }

    fn each_start_of_a_response_is_told(mode) {
        let server = serving(mode);
        assert_eq!(server.get("/late").status(), 503);
        let events = heard(&server);
        assert_eq!(names(&events)[1..3], ["response_started", "response_started"]);
        assert_eq!(
            events[2].1["exception_info"].to_string(),
            r#"["LookupError","handled","traceback"]"#
        );
        assert_eq!(events[3].1["status"], 503);
        assert_eq!(server.get("/invalid").ok(), "\"invalid\"");
        let events = heard(&server);
        assert_eq!(names(&events)[1..3], ["response_started", "response_started"]);
        assert_eq!(events[1].1["response_status"], "bad");
    }

    fn the_end_of_a_process_is_told_to_every_interpreter(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /one @apps@/events.py application-group=one\n\
             WSGIScriptAlias /main @apps@/events.py application-group=%{GLOBAL}",
        )
        .mode(mode)
        .one_child()
        .start();
        server.get("/one/ready").ok();
        server.get("/main/ready").ok();
        server.stop();
        let lines = wait_for_lines(&server, 4);
        let reason = mode.pick("", "shutdown_signal");
        let all = format!("everything process_stopping [('shutdown_reason', '{reason}')]");
        let own = format!(
            "shutdown process_stopping [('merged', True), ('shutdown_reason', '{reason}')]"
        );
        let mut sorted = lines.clone();
        sorted.sort();
        assert_eq!(sorted, [all.clone(), all.clone(), own.clone(), own]);
        assert_eq!(lines[0], all, "those who asked for everything hear it first");
    }
}

one! {
    fn the_reason_of_a_shutdown_is_told() {
        ours!("it tells `graceful_signal`");
        let (server, process) = group("threads=2");
        process.signal(libc::SIGUSR1);
        let lines = wait_for_lines(&server, 2);
        assert_eq!(lines[0], "everything process_stopping [('shutdown_reason', 'eviction_signal')]");
        process.wait_for_end();
        assert_eq!(wait_for_lines(&server, 2).len(), 2, "told once");
    }

    fn a_request_that_was_handed_back_says_so() {
        let app = include_str!("../apps/events.py");
        let lines = "WSGIDaemonProcess app threads=2\nWSGIProcessGroup app\n\
                     WSGIScriptAlias / @root@/app.py";
        let server = Httpd::with(lines).file("app.py", app).start();
        assert_eq!(server.get("/several").ok(), "fourfive!");
        rundir::replace(&server.path("app.py"), app, 5);
        assert_eq!(server.get("/several").ok(), "fourfive!");
        let started = heard(&server).remove(0).1;
        let (connects, restarts) = (&started["daemon_connects"], &started["daemon_restarts"]);
        assert!(restarts.as_i64().unwrap() >= 1, "{started}");
        assert_eq!(connects.as_i64().unwrap(), restarts.as_i64().unwrap() + 1, "{started}");
    }

    fn signals_are_delivered_to_subscribers() {
        let (server, process) = group("threads=2");
        for (signal, name) in [(libc::SIGHUP, "SIGHUP"), (libc::SIGUSR2, "SIGUSR2")] {
            let before = server.out("process").lines().count();
            process.signal(signal);
            let lines = wait_for_lines(&server, before + 2);
            let content = format!("('signame', '{name}'), ('signum', {signal})");
            assert_eq!(lines[before], format!("everything process_signal [{content}]"));
            let merged = format!("signals process_signal [('merged', True), {content}]");
            assert_eq!(lines[before + 1], merged);
        }
        assert_eq!(daemon(&server), process);
    }

    fn a_callback_that_takes_its_time_keeps_nobody_from_anything() {
        let (server, process) = group("threads=2 shutdown-timeout=2");
        server.open_gate("block");
        process.signal(libc::SIGUSR2);
        server.wait_for_out("blocked");
        assert_eq!(daemon(&server), process);
        process.signal(libc::SIGUSR1);
        assert_eq!(server.wait_for_log("Shutdown requested").level, "info");
        server.open_gate("unblock");
        server.wait_for_out("unblocked");
        process.wait_for_end();
        assert!(server.out("process").contains("process_stopping"));
    }

    fn a_callback_that_hangs_at_the_end_is_given_up() {
        let (server, process) = group("threads=2 shutdown-timeout=1");
        server.open_gate("hang");
        process.signal(libc::SIGTERM);
        server.wait_for_out("hanging");
        process.wait_for_end();
        assert_ne!(daemon(&server), process);
        // Nothing may keep the end of the server waiting.
        std::fs::remove_file(server.path("out/hang")).unwrap();
    }

    fn a_callback_can_be_interrupted_like_the_application() {
        ours!("it logs the interruption as the callback's exception");
        let (server, process) = group("threads=1 request-timeout=1 interrupt-timeout=5");
        server.expect_log("WSGI1220").allow_log("  ");
        assert_eq!(server.get("/slow_callback").status(), 504);
        server.wait_for_log("Request interrupted by RequestTimeout; thread recovered.");
        assert_eq!(daemon(&server), process);
    }
}
