//! What error logs and access logs show of requests. docs/logs.md.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{Httpd, Mode, load, poll};

/// The virtual host of a group, with logs of its own.
fn host(options: &str, lines: &str) -> String {
    format!(
        "<VirtualHost *:@port@>\nErrorLog @root@/own.log\nLogLevel info\n{lines}\n\
         WSGIDaemonProcess app {options}\nWSGIProcessGroup app\nWSGIApplicationGroup shop\n\
         WSGIScriptAlias / @apps@/logs.py\n</VirtualHost>\n"
    )
}

fn own_log(server: &Httpd) -> String {
    fs::read_to_string(server.path("own.log")).unwrap_or_default()
}

/// The records of a log in which every line is a JSON object.
#[track_caller]
fn objects(server: &Httpd) -> Vec<Value> {
    let text = own_log(server);
    let object = |line: &str| -> Value {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(value.is_object(), "{line}");
        value
    };
    text.lines().map(object).collect()
}

fn with_message<'a>(objects: &'a [Value], text: &str) -> Vec<&'a Value> {
    let has = |object: &&Value| object["message"].as_str().is_some_and(|m| m.contains(text));
    objects.iter().filter(has).collect()
}

#[track_caller]
fn waited(server: &Httpd, text: &str) -> Value {
    poll(text, || with_message(&objects(server), text).first().map(|found| (*found).clone()))
}

one! {
    fn with_log_format_json_every_record_is_an_object() {
        ours!("log-format is ours");
        let server = Httpd::with(&host("threads=3 log-format=json", "")).start();
        let [pid, thread, id] = server.get("/place").ok().split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        assert!(!pid.is_empty() && !thread.is_empty());
        let start = waited(&server, "Starting daemon process");
        assert_eq!((&start["level"], &start["group"]), (&"info".into(), &"app".into()));
        assert_eq!(start["request_id"], Value::Null);
        let loading = waited(&server, "Loading WSGI script");
        assert_eq!(loading["request_id"], id);
        assert_eq!(loading["application_group"], "shop");
        assert!(loading["script"].as_str().unwrap().ends_with("/apps/logs.py"));
        assert_eq!(loading["client"], "127.0.0.1");
        assert_eq!(server.get("/fail").status(), 500);
        let failed = waited(&server, "Traceback (most recent call last):");
        let message = failed["message"].as_str().unwrap();
        assert!(message.contains("\n    raise ValueError(\"wanted\")\n"), "{message}");
        assert!(message.starts_with("WSGI0174") && message.ends_with("ValueError: wanted"), "{message}");
        assert!(!message.contains("[script "), "{message}");
        assert_eq!(failed["level"], "error");
        server.get("/report").ok();
        let caught = waited(&server, "caught");
        let message = caught["message"].as_str().unwrap();
        assert!(message.starts_with("caught\nTraceback") && message.ends_with("wanted"), "{message}");
        assert!(caught["file"].as_str().unwrap().ends_with("logs.py") && caught["line"].is_number());
        server.get("/outside").ok();
        assert_eq!(waited(&server, "of a thread")["request_id"], Value::Null);
    }

    fn a_line_of_json_stays_as_it_was_written() {
        ours!("log-format is ours");
        let server = Httpd::with(&host("threads=3 log-format=json", "")).start();
        server.get("/own").ok();
        let own = r#","data":{"b": 1.0e5, "a": "\u00e4\"\\", "b": [ 2 ]}}"#;
        poll("both lines", || (own_log(&server).lines().filter(|line| line.ends_with(own)).count() == 2).then_some(()));
        let levels: Vec<_> = objects(&server).into_iter().filter(|o| o["data"].is_object()).collect();
        assert_eq!((&levels[0]["level"], &levels[1]["level"]), (&"error".into(), &"warn".into()));
    }

    fn objects_of_many_processes_never_mix() {
        ours!("log-format is ours");
        let server = Httpd::with(&host("processes=3 threads=4 log-format=json", "")).many_clients().start();
        server.get("/place").ok();
        load::during(server.port(), 6, "/report", || {
            poll("many records", || (own_log(&server).lines().count() > 150).then_some(()));
        });
        let objects = objects(&server);
        assert!(with_message(&objects, "caught").iter().all(|o| {
            o["message"].as_str().unwrap().ends_with("ValueError: wanted")
        }));
    }

    fn the_lines_of_a_traceback_stay_together() {
        ours!("lines of others may come in between");
        let format = "ErrorLogFormat \"%P:%-T %M\"";
        let server = Httpd::with(&host("processes=2 threads=4", format)).many_clients().start();
        server.get("/place").ok();
        load::during(server.port(), 8, "/report", || {
            poll("many records", || (own_log(&server).lines().count() > 600).then_some(()));
        });
        // From the first line of a traceback to its last, all lines are of one thread.
        let (mut inside, mut seen, mut writers) = (None, 0, BTreeMap::new());
        for line in own_log(&server).lines() {
            let (writer, text) = line.split_once(' ').unwrap();
            *writers.entry(writer.to_owned()).or_insert(0) += 1;
            if text.ends_with("caught") {
                assert_eq!(inside, None, "{line}");
                inside = Some(writer.to_owned());
            }
            if let Some(expected) = &inside {
                assert_eq!(expected, writer, "{line}");
            }
            if text.ends_with("ValueError: wanted") {
                inside = None;
                seen += 1;
            }
        }
        assert!(seen > 50 && writers.len() > 3, "{seen} {writers:?}");
    }

    fn error_log_formats_show_script_group_and_request() {
        ours!("has no such notes");
        let format = "ErrorLogFormat \"<%L|%{wsgi:script}n|%{wsgi:application-group}n|%{wsgi:group}n> %M\"";
        let server = Httpd::with(&host("threads=3", format)).start();
        let text = server.get("/place").ok();
        let id = text.split(' ').nth(2).unwrap();
        let line = poll("the record", || {
            own_log(&server).lines().find(|line| line.contains("Loading WSGI script")).map(str::to_owned)
        });
        assert!(line.starts_with(&format!("<{id}|")), "{id} {line}");
        assert!(line.contains("/apps/logs.py|shop|app> "), "{line}");
    }

    fn nothing_is_logged_for_each_request_at_info() {
        let server = Httpd::with(&host("threads=3", "")).start();
        server.get("/place").ok();
        let before = own_log(&server).lines().count();
        for _ in 0..30 {
            server.get("/place").ok();
        }
        assert_eq!(own_log(&server).lines().count(), before);
    }
}

both_modes! {
    fn access_logs_show_where_and_how_long(mode) {
        ours!("has no such notes");
        let format = "LogFormat \"%U|%{wsgi:queue}n|%{wsgi:application}n|%{wsgi:total}n|%{wsgi:group}n|%{wsgi:pid}n|%{wsgi:thread}n|%D\" times\n\
                      CustomLog @root@/times.log times\nWSGIScriptAlias / @apps@/logs.py";
        let server = Httpd::with(format).mode(mode).start();
        let place = server.get("/place").ok();
        server.get("/slow").ok();
        server.get("/nothing-of-ours").status();
        server.allow_log("WSGI0174").allow_log("Traceback").allow_log("KeyError").allow_log("  ");
        let line = |path: &str| -> Vec<String> {
            poll(path, || {
                let text = fs::read_to_string(server.path("times.log")).unwrap_or_default();
                let found = text.lines().find(|line| line.starts_with(path))?.to_owned();
                Some(found.split('|').map(str::to_owned).collect())
            })
        };
        let found = line("/place|");
        let (pid, thread) = (place.split(' ').next().unwrap(), place.split(' ').nth(1).unwrap());
        assert_eq!(found[5], pid, "{found:?}");
        assert_eq!(found[4], if mode == Mode::Daemon { "app" } else { "-" }, "{found:?}");
        let slow: Vec<String> = line("/slow|");
        let number = |place: usize| slow[place].parse::<u64>().unwrap_or_else(|_| panic!("{slow:?}"));
        // Microseconds; the application has slept for 50 ms.
        assert!((50_000..20_000_000).contains(&number(2)), "{slow:?}");
        assert!(number(3) >= number(2) && number(7) >= number(3), "{slow:?}");
        if mode == Mode::Daemon {
            assert_eq!(found[6], thread, "{found:?}");
            assert!(number(1) <= number(3), "{slow:?}");
        } else {
            assert_eq!((&*slow[1], &*slow[6]), ("-", "-"));
        }
        assert!(line("/nothing-of-ours|")[2].parse::<u64>().is_ok(), "failures have times");
    }
}
