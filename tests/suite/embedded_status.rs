//! What runs in httpd's own children is seen where daemons are, and the phases of a request in both
//! placements. docs/status.md.

use serde_json::Value;

use crate::status::{STATUS, groups, start_request, wait_for};
use crate::support::command::{run, said};
use crate::support::{Httpd, Mode, poll, process::Process};

/// The application of long requests, embedded, and the status.
fn embedded(lines: &str) -> Httpd {
    Httpd::with(&format!("WSGIScriptAlias / @apps@/status.py\n{lines}")).more(STATUS).start()
}

/// The same with clients that are waited for, for reading and for writing.
fn unbuffered(mode: Mode, script: &str) -> Httpd {
    let placed = match mode {
        Mode::Embedded => "",
        Mode::Daemon => {
            "WSGIDaemonProcess app threads=2 response-spool-limit=0\nWSGIProcessGroup app\n"
        }
    };
    let lines = format!("{placed}WSGIRequestBuffering Off\nWSGIScriptAlias / @apps@/{script}");
    Httpd::with(&lines).more(STATUS).start()
}

/// What httpd runs itself.
#[track_caller]
fn own(server: &Httpd) -> Option<Value> {
    groups(server).into_iter().find(|group| group["name"] == "")
}

fn requests(group: &Value) -> u64 {
    group["requests"].as_object().unwrap().values().filter_map(Value::as_u64).sum()
}

one! {
    fn what_httpd_runs_itself_is_seen() {
        ours!("has no such handler");
        let server = embedded("");
        assert_eq!(own(&server), None, "nothing has run");
        let mut running = start_request(&server, "/blocked?of=this");
        let (process, thread) = wait_for(&server, "/blocked?of=this", "running");
        assert_eq!(thread["request"]["method"], "GET");
        assert!(thread["request"]["application_group"].as_str().unwrap().contains('|'));
        assert!(thread["request"]["age"].as_f64().unwrap() < 30.0);
        let child = Process::of(process["pid"].as_i64().unwrap() as i32).unwrap();
        assert_eq!(child.parent(), server.pid());
        let group = own(&server).unwrap();
        assert_eq!((&group["state"], &group["busy"]), (&"embedded".into(), &1.into()));
        assert!(process["memory"].as_u64().unwrap() > 1 << 20);
        server.open_gate("gate");
        running.response().ok();
        poll("its end", || (own(&server).unwrap()["busy"] == 0).then_some(()));
    }

    fn what_httpd_has_run_itself_is_counted_over_restarts() {
        ours!("has no such handler");
        let server = embedded("");
        for _ in 0..5 {
            server.get("/pid").ok();
        }
        server.expect_traceback("KeyError: 'missing'").expect_log("WSGI0174");
        assert_eq!(server.get("/missing").status(), 500);
        let group = poll("all requests", || own(&server).filter(|group| requests(group) == 6));
        assert_eq!((&group["requests"]["2xx"], &group["requests"]["5xx"]), (&5.into(), &1.into()));
        for (part, count) in [("application", 6), ("send", 6), ("gil_wait", 6), ("queue", 0)] {
            assert_eq!(group["times"][part]["count"], count, "{part}");
        }
        server.graceful();
        server.get("/pid").ok();
        poll("one more", || own(&server).filter(|group| group["requests"]["2xx"] == 6));
        let metrics = server.get("/wsgi-status?metrics").ok();
        let sample = "wsgi_requests_total{group=\"\",status=\"2xx\"} 6";
        assert!(metrics.lines().any(|line| line == sample), "{metrics}");
        assert!(metrics.contains("wsgi_group_serving{group=\"\"} 1"), "{metrics}");
    }

    fn a_child_that_dies_leaves_its_place_and_its_counts() {
        ours!("has no such handler");
        let server = embedded("");
        let mut running = start_request(&server, "/blocked");
        let (process, _) = wait_for(&server, "/blocked", "running");
        // httpd says nothing of a child that was killed.
        Process::of(process["pid"].as_i64().unwrap() as i32).unwrap().signal(libc::SIGKILL);
        assert!(running.try_response().is_err() || !running.is_complete());
        server.open_gate("gate");
        poll("another child", || {
            server.get("/pid").ok();
            let group = own(&server).unwrap();
            let processes = group["processes"].as_array().unwrap().clone();
            let is_gone = processes.iter().all(|one| one["pid"] != process["pid"]);
            (is_gone && !processes.is_empty() && group["busy"] == 0).then_some(())
        });
    }

    fn operators_see_it_with_and_without_daemons() {
        ours!("has no such command");
        for lines in ["", "WSGIDaemonProcess beside"] {
            let server = embedded(lines);
            let mut running = start_request(&server, "/blocked");
            wait_for(&server, "/blocked", "running");
            let socket = server.path("run/httpd.wsgi");
            let words = ["status", "--socket", socket.to_str().unwrap()];
            let text = said(&run(std::path::Path::new("/"), &words));
            assert!(text.contains("embedded in httpd") && text.contains("GET /blocked"), "{text}");
            assert_eq!(text.contains("beside"), !lines.is_empty(), "{text}");
            server.open_gate("gate");
            running.response().ok();
            assert_eq!(server.stop(), Vec::<String>::new());
            assert!(!socket.exists());
        }
    }

    fn the_status_of_httpd_has_a_part_for_what_it_runs_itself() {
        ours!("has no such part");
        let lines = "WSGIScriptAlias / @apps@/status.py\n\
                     <Location /server-status>\nSetHandler server-status\nRequire local\n</Location>";
        let server = Httpd::with(lines).modules(&["status", "authz_host"]).start();
        server.get("/pid").ok();
        let page = server.get("/server-status").ok();
        assert!(page.contains("Embedded in httpd"), "{page}");
        let lines = server.get("/server-status?auto").ok();
        assert!(lines.lines().any(|line| line == "WSGIState[]: embedded"), "{lines}");
    }
}

both_modes! {
    fn an_application_that_waits_for_its_body_is_reading(mode) {
        ours!("has no such handler");
        let server = unbuffered(mode, "status.py");
        let mut client = server.connect();
        client.send("POST /reading HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello");
        wait_for(&server, "/reading", "reading");
        client.send("world");
        assert_eq!(client.response().ok(), "helloworld");
    }

    fn a_thread_whose_client_does_not_read_is_sending(mode) {
        ours!("has no such handler");
        let server = unbuffered(mode, "slow.py");
        let mut client = start_request(&server, "/large?3000");
        wait_for(&server, "/large?3000", "sending");
        assert!(client.response().complete);
    }
}
