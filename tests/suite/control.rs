//! The control socket: who may use it, and what an operator can have done. docs/status.md.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::process::Command;

use serde_json::Value;

use crate::support::daemon::{answering, serving};
use crate::support::{Httpd, conf, poll};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/support/control.py");

/// The answers to a question.
#[track_caller]
fn ask(server: &Httpd, question: &str) -> Vec<Value> {
    let mut client = Command::new("/usr/bin/python3");
    client.arg(CLIENT).arg(server.path("run/httpd.wsgi")).arg(question);
    let done = client.output().expect("python3");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{errors}"))
}

/// Answers of a kind.
fn of<'a>(answers: &'a [Value], kind: &str) -> Vec<&'a Value> {
    answers.iter().filter(|answer| answer["answer"] == kind).collect()
}

one! {
    fn the_socket_is_for_whoever_started_httpd_and_goes_with_it() {
        ours!("has no such socket");
        let server = serving("status.py", "threads=2");
        let path = server.path("run/httpd.wsgi");
        let data = fs::symlink_metadata(&path).unwrap();
        assert!(data.file_type().is_socket());
        assert_eq!(data.permissions().mode() & 0o7777, 0o600);
        assert_eq!(data.uid(), fs::metadata("/proc/self").unwrap().uid());
        server.graceful();
        assert_eq!(of(&ask(&server, r#"{"ask":"status"}"#), "groups").len(), 1);
        assert_eq!(server.stop(), Vec::<String>::new());
        assert!(!path.exists());
    }

    fn nobody_else_is_answered_whatever_the_mode_is() {
        ours!("has no such socket");
        needs_root!();
        let server = serving("status.py", "threads=2");
        server.expect_log("WSGI1218");
        let path = server.path("run/httpd.wsgi");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let mut client = Command::new("setpriv");
        client.args(["--reuid", conf::user(), "--regid", &conf::group(), "--clear-groups"]);
        // The client lies where that user may not go.
        client.args(["/usr/bin/python3", "-c", include_str!("../support/control.py")]);
        let done = client.arg(&path).arg(r#"{"ask":"status"}"#).output().unwrap();
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(said.trim() == "[]" || said.contains("Error"), "{said}");
        server.wait_for_log("WSGI1218");
    }

    fn reload_replaces_the_processes_without_losing_a_request() {
        ours!("has no such socket");
        let server = serving("status.py", "processes=2 threads=3");
        let first = answering(&server);
        let (tally, answers) = crate::support::load::during(server.port(), 6, "/pid", || {
            let answers = ask(&server, r#"{"ask":"reload","group":"app"}"#);
            first.wait_for_end();
            answers
        });
        tally.all_served();
        assert_eq!(of(&answers, "done").len(), 1, "{answers:?}");
        assert_ne!(answering(&server), first);
    }

    fn a_drained_group_has_no_processes_until_it_is_reloaded() {
        ours!("has no such socket");
        let server = serving("status.py", "threads=2");
        let first = answering(&server);
        let mut running = server.connect();
        running.request("GET", "/blocked", &[], b"");
        poll("the request", || {
            let status = ask(&server, r#"{"ask":"status"}"#);
            of(&status, "process")[0].to_string().contains("/blocked").then_some(())
        });
        let answers = ask(&server, r#"{"ask":"drain","group":"app"}"#);
        assert_eq!(of(&answers, "done").len(), 1, "{answers:?}");
        server.open_gate("gate");
        running.response().ok();
        first.wait_for_end();
        server.expect_log("drained by an operator");
        assert_eq!(server.get("/pid").status(), 503);
        let status = ask(&server, r#"{"ask":"status"}"#);
        let group = &of(&status, "groups")[0]["groups"][0];
        assert_eq!((&group["state"], &group["processes"]), (&"drained".into(), &Value::Array(vec![])));
        ask(&server, r#"{"ask":"reload"}"#);
        assert_ne!(answering(&server), first);
    }

    fn dump_has_the_stacks_of_all_threads() {
        ours!("has no such socket");
        let server = serving("status.py", "processes=1 threads=3");
        answering(&server);
        let mut running = server.connect();
        running.request("GET", "/blocked", &[], b"");
        let stacks = poll("the stack", || {
            let answers = ask(&server, r#"{"ask":"dump","group":"app"}"#);
            let stacks: Vec<Value> = of(&answers, "stack").into_iter().cloned().collect();
            stacks.iter().any(|s| s["lines"].to_string().contains("in blocked")).then_some(stacks)
        });
        assert_eq!(stacks.len(), 3, "{stacks:?}");
        let busy = stacks.iter().find(|stack| stack["request"].is_object()).unwrap();
        assert_eq!(busy["request"]["uri"], "/blocked");
        server.open_gate("gate");
        running.response().ok();
    }

    fn dump_has_the_threads_of_applications_too() {
        ours!("has no such socket");
        let server = serving("status.py", "processes=1 threads=1");
        server.get("/background").ok();
        let lines = poll("the stack", || {
            let answers = ask(&server, r#"{"ask":"dump"}"#);
            let own = of(&answers, "stack").into_iter().find(|stack| stack["thread"] == 0)?.clone();
            own["lines"].to_string().contains("waits_in_the_background").then_some(own)
        });
        assert_eq!(lines["application_group"], "localhost|");
        server.open_gate("gate");
        poll("its end", || {
            let answers = ask(&server, r#"{"ask":"dump"}"#);
            of(&answers, "stack").iter().all(|stack| stack["thread"] != 0).then_some(())
        });
    }

    fn what_cannot_be_done_is_refused() {
        ours!("has no such socket");
        let server = serving("status.py", "threads=2");
        for question in [
            r#"{"ask":"drain","group":"other"}"#,
            r#"{"ask":"drain"}"#,
            r#"{"ask":"explode"}"#,
            "nonsense",
        ] {
            let answers = ask(&server, question);
            assert_eq!(of(&answers, "refused").len(), 1, "{question} {answers:?}");
        }
        answering(&server);
    }
}
