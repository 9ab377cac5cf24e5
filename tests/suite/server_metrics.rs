//! `mod_wsgi.server_metrics()`: httpd's scoreboard.

use std::fs;

use serde_json::Value;

use crate::support::process::Process;
use crate::support::{Httpd, Mode, poll};

/// A server whose daemons or children may see the scoreboard, or may not.
fn serving(mode: Mode, may_see: bool) -> Httpd {
    let flag = if may_see { "On" } else { "Off" };
    let placement = match mode {
        Mode::Embedded => format!("WSGIServerMetrics {flag}\n"),
        Mode::Daemon => {
            format!("WSGIDaemonProcess app threads=3 server-metrics={flag}\nWSGIProcessGroup app\n")
        }
    };
    Httpd::with(&format!("WSGIScriptAlias /app @apps@/metrics.py\n{placement}ExtendedStatus On"))
        .start()
}

#[track_caller]
fn asked(server: &Httpd) -> Value {
    serde_json::from_str(&server.get("/app/server").ok()).unwrap()
}

/// The places of threads in which something runs or may run.
fn workers(metrics: &Value) -> Vec<&Value> {
    let processes = metrics["processes"].as_array().unwrap().iter();
    let workers = processes.flat_map(|process| process["workers"].as_array().unwrap());
    workers.filter(|worker| worker["status"] != ".").collect()
}

both_modes! {
    fn nobody_sees_the_scoreboard_unless_allowed(mode) {
        assert_eq!(asked(&serving(mode, false)), Value::Null);
    }

    fn the_scoreboard_is_that_of_httpds_children(mode) {
        let server = serving(mode, true);
        let metrics = asked(&server);
        let number = |key: &str| metrics[key].as_u64().unwrap_or_else(|| panic!("{key}: {metrics}"));
        let processes = metrics["processes"].as_array().unwrap();
        assert_eq!(number("server_limit"), processes.len() as u64);
        for (process, place) in processes.iter().zip(0u64..) {
            assert_eq!(process["process_num"], place);
            assert!(process["quiescing"].is_boolean() && process["generation"].is_number());
            let workers = process["workers"].as_array().unwrap();
            assert_eq!(workers.len() as u64, number("thread_limit"));
            let is_in_place =
                |(worker, place): (&Value, u64)| worker["status"] == "." || worker["thread_num"] == place;
            assert!(workers.iter().zip(0..).all(is_in_place));
        }
        let is_child = |process: &Process| process.parent() == server.pid();
        let children: Vec<i32> = server.processes().iter().filter(|p| is_child(p)).map(|p| p.pid).collect();
        let pids = processes.iter().filter_map(|process| process["pid"].as_i64());
        let known = pids.filter(|pid| children.contains(&(*pid as i32))).count();
        assert!(known > 0, "{children:?} {metrics}");
        assert_eq!(number("running_generation"), 0);
        let age = metrics["current_time"].as_f64().unwrap() - metrics["restart_time"].as_f64().unwrap();
        assert!((0.0..60.0).contains(&age), "{age}");
        assert_eq!(number("running_time"), age as u64);
    }

    fn requests_are_seen_with_their_clients(mode) {
        let server = serving(mode, true);
        server.get("/app/server?one").ok();
        let request = |worker: &&Value| worker["request"].as_str().unwrap().contains("/app/server");
        // httpd writes the scoreboard while and after it answers.
        let metrics = poll("a request in the scoreboard", || {
            let metrics = asked(&server);
            let is_there = workers(&metrics).iter().any(request);
            is_there.then_some(metrics)
        });
        let found = workers(&metrics);
        let worker = found.iter().find(|worker| request(worker)).unwrap();
        assert_eq!(worker["client"], "127.0.0.1");
        assert!(worker["vhost"].as_str().unwrap().starts_with("localhost"), "{worker}");
        assert!(worker["last_used"].as_f64().unwrap() > 1e9 && worker["bytes_served"].is_number());
        assert!(found.iter().any(|worker| worker["status"] == "W"), "who asks is being answered");
    }
}

one! {
    fn daemons_ask_outside_of_requests_and_after_a_graceful_restart() {
        ours!("not its way");
        let server = Httpd::with(
            "WSGIDaemonProcess app server-metrics=On on-restart=keep\nWSGIProcessGroup app\n\
             WSGIScriptAlias /app @apps@/metrics.py",
        )
        .start();
        assert_eq!(server.get("/app/in_thread?server_metrics").ok(), "\"dict\"");
        let pid = server.get("/app/nap?0").ok();
        server.graceful();
        poll("the new generation", || (asked(&server)["running_generation"] == 1).then_some(()));
        assert_eq!(server.get("/app/nap?0").ok(), pid, "the process was to be kept");
    }

    fn daemons_that_may_not_ask_cannot() {
        ours!("not its way");
        let server = Httpd::with(
            "WSGIDaemonProcess app\nWSGIDaemonProcess other server-metrics=On\n\
             WSGIScriptAlias /app @apps@/metrics.py process-group=app application-group=%{GLOBAL}\n\
             WSGIScriptAlias /other @apps@/metrics.py process-group=other application-group=%{GLOBAL}",
        )
        .start();
        assert_eq!(asked(&server), Value::Null);
        assert_eq!(server.get("/other/in_thread?server_metrics").ok(), "\"dict\"");
        let daemon = |path: &str| Process::of(server.get(path).ok().parse().unwrap()).unwrap();
        // Those that carry packets: requests come on streams.
        let packets = |process: &Process| {
            let all = fs::read_to_string("/proc/net/unix").unwrap();
            let inodes = all.lines().filter_map(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                (fields[4] == "0005").then(|| format!("socket:[{}]", fields[6]))
            });
            let inodes: Vec<String> = inodes.collect();
            process.descriptors().iter().filter(|link| inodes.contains(link)).count()
        };
        let (app, other) = (daemon("/app/nap?0"), daemon("/other/nap?0"));
        assert_eq!(packets(&app) + 1, packets(&other));
    }
}
