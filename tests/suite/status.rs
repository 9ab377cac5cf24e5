//! What is to be seen of daemon groups: the handler `wsgi-status` and its JSON, and the module's
//! part of httpd's server-status. docs/status.md; its metrics are in `openmetrics`.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::daemon::configured;
use crate::support::process::Process;
use crate::support::{Connection, Httpd, poll};

/// A place for the status beside the application.
pub(crate) const STATUS: &str = "\n<Location /wsgi-status>\nSetHandler wsgi-status\n</Location>\n";

/// Lets a header say where the client is.
const ELSEWHERE: &str = "\nRemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n";

/// The application of long requests in a group `app` with these options, and the status.
fn serving(options: &str) -> Httpd {
    configured("status.py", options).more(STATUS).start()
}

#[track_caller]
fn json(server: &Httpd) -> Value {
    serde_json::from_str(&server.get("/wsgi-status?json").ok()).unwrap()
}

/// The only group.
#[track_caller]
fn group(server: &Httpd) -> Value {
    json(server)["groups"][0].clone()
}

/// All groups, when nothing is missing.
#[track_caller]
pub(crate) fn groups(server: &Httpd) -> Vec<Value> {
    let status = json(server);
    assert_eq!(status["problem"], Value::Null);
    status["groups"].as_array().unwrap().clone()
}

/// Waits for a thread that does this with a request of this URI; its process, and itself.
#[track_caller]
pub(crate) fn wait_for(server: &Httpd, uri: &str, doing: &str) -> (Value, Value) {
    poll(&format!("a thread {doing} {uri}"), || {
        let groups = groups(server);
        let processes = groups.iter().flat_map(|group| group["processes"].as_array().unwrap());
        let threads = processes.flat_map(|process| {
            let threads = process["threads"].as_array().into_iter().flatten();
            threads.map(move |thread| (process.clone(), thread.clone()))
        });
        let is_it = |(_, thread): &(Value, Value)| {
            thread["request"]["uri"] == uri && thread["doing"] == doing
        };
        threads.into_iter().find(is_it)
    })
}

/// Asks for the stack of a thread, as the page does.
#[track_caller]
fn stack(server: &Httpd, (process, thread): &(Value, Value)) -> Value {
    let (epoch, number) = (&process["epoch"], &thread["request"]["number"]);
    let thread = &thread["thread"];
    let target =
        format!("/wsgi-status?stack&group=app&epoch={epoch}&thread={thread}&request={number}");
    serde_json::from_str(&server.get(&target).ok()).unwrap()
}

#[track_caller]
pub(crate) fn start_request(server: &Httpd, target: &str) -> Connection {
    let mut connection = server.connect();
    connection.request("GET", target, &[], b"");
    connection
}

one! {
    fn a_running_request_is_seen_with_its_stack() {
        ours!("has no such handler");
        let server = serving("processes=2 threads=3");
        let mut running = start_request(&server, "/blocked");
        let seen = wait_for(&server, "/blocked", "running");
        let (process, thread) = &seen;
        assert_eq!(thread["request"]["method"], "GET");
        assert!(thread["request"]["age"].as_f64().unwrap() < 30.0);
        assert!(server.processes().iter().any(|one| process["pid"] == one.pid));
        // At first the interpreter is made.
        let lines = poll("the stack", || {
            let lines = stack(&server, &seen)["lines"].to_string();
            lines.contains("in blocked").then_some(lines)
        });
        assert!(lines.contains("in application") && lines.contains("time.sleep"), "{lines}");
        server.open_gate("gate");
        running.response().ok();
        // The client has the answer before its thread has ended with it.
        let group = poll("the end", || Some(group(&server)).filter(|group| group["busy"] == 0));
        assert_eq!(stack(&server, &seen)["problem"], "the request is over");
        assert_eq!(group["state"], "serving");
        assert_eq!(group["processes"].as_array().unwrap().len(), 2);
        assert!(group["processes"][0]["memory"].as_u64().unwrap() > 1 << 20);
    }

    fn who_waits_for_the_interpreter_is_seen_and_its_stack_has_a_limit() {
        ours!("has no such handler");
        let server = serving("threads=3 shutdown-timeout=1");
        server.get("/pid").ok();
        let _holder = start_request(&server, "/holds");
        server.wait_for_out("in-holds");
        let seen = wait_for(&server, "/holds", "running");
        let _waiter = start_request(&server, "/pid?waits");
        wait_for(&server, "/pid?waits", "waiting_for_gil");
        let start = Instant::now();
        let found = stack(&server, &seen);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let problem = found["problem"].as_str().unwrap();
        assert!(problem.contains("holds the interpreter lock"), "{problem}");
        assert_eq!(json(&server)["problem"], Value::Null, "everything else is answered");
        server.allow_log("WSGI");
    }

    fn requests_are_counted_by_status() {
        ours!("has no such handler");
        let server = serving("processes=2 threads=3");
        for _ in 0..7 {
            server.get("/pid").ok();
        }
        server.expect_traceback("KeyError: 'missing'").expect_log("WSGI0174");
        assert_eq!(server.get("/missing").status(), 500);
        server.get("/slow").ok();
        let requests = poll("all requests", || {
            let group = group(&server);
            let is_counted = group["requests"]["2xx"] == 8 && group["requests"]["5xx"] == 1;
            is_counted.then_some(group["requests"].clone())
        });
        assert_eq!(requests["none"], 0, "{requests}");
    }

    fn counts_go_on_when_processes_are_replaced() {
        ours!("has no such handler");
        let server = serving("threads=2 maximum-requests=5");
        let group = poll("several ends", || {
            server.get("/pid").ok();
            let group = group(&server);
            let ended = group["restarts"]["maximum_requests"].as_u64().unwrap_or(0);
            (ended >= 2).then_some(group)
        });
        let last = &group["ended"][0];
        assert_eq!(last["reason"], "maximum_requests", "{last}");
        assert!(last["requests"].as_u64().unwrap() >= 5, "{last}");
        server.graceful();
        let before = group["requests"]["2xx"].as_u64().unwrap();
        server.get("/pid").ok();
        // A request is counted when its answer has left.
        poll("the next request to be counted", || {
            let after = json(&server)["groups"][0]["requests"]["2xx"].as_u64().unwrap();
            (after > before).then_some(())
        });
    }

    fn a_crash_is_a_reason() {
        ours!("has no such handler");
        let server = serving("threads=2");
        let pid = server.get("/pid").ok().parse().unwrap();
        Process::of(pid).unwrap().signal(libc::SIGKILL);
        poll("the end in the status", || (group(&server)["restarts"]["crash"] == 1).then_some(()));
    }

    fn only_this_machine_sees_it_unless_a_require_says_otherwise() {
        ours!("has no such handler");
        let guarded = "<Location /guarded>\nSetHandler wsgi-status\nRequire ip 192.0.2.7\n</Location>\n";
        let builder = || configured("status.py", "threads=2").modules(&["remoteip", "authz_host"]);
        let server = builder().more(STATUS).more(ELSEWHERE).start();
        let from = |server: &Httpd, target: &str, address: &str| {
            server.request("GET", target, &[("X-Forwarded-For", address)], b"").status()
        };
        assert_eq!(server.get("/wsgi-status").status(), 200);
        server.expect_log("WSGI1051");
        for target in ["/wsgi-status", "/wsgi-status?json", "/wsgi-status?metrics", "/wsgi-status?script"] {
            assert_eq!(from(&server, target, "192.0.2.7"), 403, "{target}");
        }
        drop(server);
        let server = builder().more(guarded).more(ELSEWHERE).start();
        server.allow_log("AH01630");
        assert_eq!(from(&server, "/guarded?json", "192.0.2.7"), 200);
        assert_eq!(from(&server, "/guarded?json", "192.0.2.8"), 403);
        drop(server);
        // One place without Require: nobody knows which of the two a request has come to.
        let server = builder().more(guarded).more(STATUS).more(ELSEWHERE).start();
        server.expect_log("WSGI1051").allow_log("AH01630");
        assert_eq!(from(&server, "/guarded?json", "192.0.2.7"), 403);
        assert_eq!(from(&server, "/wsgi-status?json", "192.0.2.7"), 403);
    }

    fn an_htaccess_file_cannot_borrow_the_require_of_the_server() {
        ours!("has no such handler");
        let server = Httpd::with(
            "WSGIDaemonProcess app\n<Location /guarded>\nSetHandler wsgi-status\nRequire ip 192.0.2.7\n\
             </Location>\nAlias /user @root@/user\n<Directory @root@/user>\nAllowOverride FileInfo\n</Directory>",
        )
        .modules(&["remoteip", "authz_host"])
        .more(ELSEWHERE)
        .file("user/plain/.htaccess", "SetHandler wsgi-status\n")
        .file("user/files/.htaccess", "<Files page.*>\nSetHandler wsgi-status\n</Files>\n")
        .file("user/mime/.htaccess", "AddHandler wsgi-status .html\n")
        .file("user/if/.htaccess", "<If \"true\">\nSetHandler wsgi-status\n</If>\n")
        .file("user/plain/page.html", "")
        .file("user/files/page.html", "")
        .file("user/mime/page.html", "")
        .file("user/if/page.html", "")
        .start();
        server.expect_log("WSGI1051");
        let from = |address: &str, target: &str| {
            server.request("GET", target, &[("X-Forwarded-For", address)], b"").status()
        };
        assert_eq!(from("192.0.2.7", "/guarded?json"), 200);
        for folder in ["plain", "files", "mime", "if"] {
            let target = format!("/user/{folder}/page.html?json");
            assert_eq!(server.get(&target).status(), 200, "{target} from this machine");
            assert_eq!(from("192.0.2.8", &target), 403, "{target}");
        }
    }

    fn the_page_brings_all_it_needs_and_lets_nothing_else_in() {
        ours!("has no such handler");
        let server = serving("threads=2");
        let page = server.get("/wsgi-status");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let text = page.ok();
        for outside in ["http://", "https://", "style=", "onclick", "<script>", "<style>"] {
            assert!(!text.contains(outside), "{outside}");
        }
        for (query, media_type) in [
            ("script", "text/javascript; charset=utf-8"),
            ("style", "text/css; charset=utf-8"),
            ("json", "application/json"),
        ] {
            let part = server.get(&format!("/wsgi-status?{query}"));
            assert_eq!(part.header("content-type"), Some(media_type));
            assert!(part.ok().len() > 100);
        }
        assert_eq!(server.get("/wsgi-status?nothing").status(), 404);
        assert_eq!(server.get("/wsgi-status?stack&group=app").status(), 400);
        let post = server.post("/wsgi-status", b"x");
        let allowed = post.header("allow").unwrap();
        assert!(post.status() == 405 && allowed.contains("GET") && !allowed.contains("POST"));
        let head = server.request("HEAD", "/wsgi-status?json", &[], b"");
        assert_eq!((head.status(), head.body.len()), (200, 0));
    }

    fn the_status_of_httpd_has_a_part_for_groups() {
        ours!("has no such part");
        let builder = configured("status.py", "threads=2").modules(&["status", "authz_host"]);
        let server = builder
            .more("<Location /server-status>\nSetHandler server-status\nRequire local\n</Location>\n")
            .start();
        let hostile = "/blocked/<script>alert(1)</script>'\"";
        let mut connection = server.connect();
        connection.send(format!("GET {hostile} HTTP/1.0\r\n\r\n").as_bytes());
        let page = poll("the request in the page", || {
            let page = server.get("/server-status").ok();
            let (_, ours) = page.split_once("WSGI processes")?;
            ours.contains("/blocked/").then(|| ours.to_owned())
        });
        assert!(page.contains("Group app") && !page.contains("<script"), "{page}");
        let list = server.get("/server-status?notable").ok();
        let (_, list) = list.split_once("WSGI processes").unwrap();
        assert!(list.contains("Group app") && !list.contains("<script"), "{list}");
        let lines = server.get("/server-status?auto").ok();
        for line in ["WSGIGroups: 1", "WSGIBusyThreads[app]: 1", "WSGIThreads[app]: 2", "WSGIState[app]: serving"] {
            assert!(lines.lines().any(|found| found == line), "{line}\n{lines}");
        }
        server.open_gate("gate");
    }

    fn a_supervisor_that_does_not_answer_is_told_of() {
        ours!("has no such handler");
        let server = serving("threads=2");
        server.get("/pid").ok();
        // A request is counted when its answer has left.
        poll("the request", || (group(&server)["requests"]["2xx"] == 1).then_some(()));
        let supervisor = server.processes_named("wsgi-supervisor").remove(0);
        supervisor.signal(libc::SIGSTOP);
        let status = json(&server);
        supervisor.signal(libc::SIGCONT);
        assert_eq!(status["problem"], "the supervisor has not answered within 1 s");
        let group = &status["groups"][0];
        assert_eq!((&group["state"], &group["requests"]["2xx"]), (&"unknown".into(), &1.into()));
        assert_eq!(json(&server)["problem"], Value::Null);
    }

    fn a_supervisor_that_has_taken_over_answers() {
        ours!("has no such handler");
        let server = serving("threads=2");
        server.expect_log("WSGI1002");
        server.get("/pid").ok();
        server.processes_named("wsgi-supervisor").remove(0).signal(libc::SIGKILL);
        server.wait_for_log("WSGI1002");
        poll("an answer of the new one", || {
            let status = json(&server);
            let ready = status["groups"][0]["processes"][0]["state"] == "ready";
            (ready && status["problem"].is_null()).then_some(())
        });
    }

    fn no_process_answers_for_another_group() {
        ours!("has no such handler");
        let lines = "WSGIDaemonProcess hostile threads=1 shutdown-timeout=1\n\
                     WSGIDaemonProcess victim threads=1\n\
                     WSGIScriptAlias /hostile @apps@/hostile.py process-group=hostile\n\
                     WSGIScriptAlias / @apps@/status.py process-group=victim";
        let server = Httpd::with(lines).more(STATUS).start();
        server.get("/pid").ok();
        server.get("/hostile").ok();
        let forged = poll("false answers", || {
            let status = json(&server);
            let [hostile, victim] = [0, 1].map(|place| status["groups"][place].clone());
            assert_eq!(victim["name"], "victim");
            assert!(!victim.to_string().contains("/forged"), "{victim}");
            assert!(victim["processes"][0]["threads"].is_array(), "{victim}");
            (server.path("out/has-forged").exists() && hostile.to_string().contains("/forged"))
                .then_some(hostile)
        });
        assert_eq!(forged["busy"], 1, "of itself it may say anything");
        server.allow_log("WSGI");
    }
}
