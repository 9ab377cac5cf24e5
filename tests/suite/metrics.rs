//! What `mod_wsgi` counts of requests.

use std::{fs, time::Duration};

use serde_json::Value;

use crate::support::{Httpd, Mode, poll};

const PHASES: [&str; 8] = [
    "server_time",
    "queue_time",
    "daemon_time",
    "application_time",
    "request_time",
    "gil_wait_time",
    "input_read_time",
    "output_write_time",
];

fn serving(mode: Mode) -> Httpd {
    let server = Httpd::with("WSGIScriptAlias / @apps@/metrics.py").mode(mode);
    if mode.is_daemon() { server.start() } else { server.one_child().start() }
}

/// A server that counts, and whose next interval has just begun.
fn recording(mode: Mode) -> Httpd {
    let server = serving(mode);
    asked(&server, "/start");
    asked(&server, "/interval");
    // The request that asked is counted when it has ended, which is after its answer has come.
    poll("the end of the request that asked", || {
        (asked(&server, "/interval")["request_count"] == 1).then_some(())
    });
    server
}

#[track_caller]
fn asked(server: &Httpd, target: &str) -> Value {
    serde_json::from_str(&server.get(target).ok()).expect(target)
}

fn float(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key}: {}", value[key]))
}

fn sum(value: &Value) -> u64 {
    value.as_array().expect("a list").iter().map(|count| count.as_u64().unwrap()).sum()
}

/// The last interval once it holds so many requests beside those that asked for it.
fn with_requests(server: &Httpd, wanted: u64) -> Value {
    let mut seen = 0;
    poll("the requests", || {
        let interval = asked(server, "/interval");
        seen += interval["request_count"].as_u64().unwrap();
        (seen >= wanted).then_some(interval)
    })
}

both_modes! {
    fn nothing_is_counted_until_somebody_asks(mode) {
        let server = serving(mode);
        assert_eq!(asked(&server, "/interval"), Value::Null);
        assert_eq!(asked(&server, "/process"), Value::Null);
        asked(&server, "/start");
        asked(&server, "/start");
        assert!(asked(&server, "/interval").is_object());
        assert!(asked(&server, "/process").is_object());
    }

    fn an_interval_has_all_its_keys(mode) {
        let server = recording(mode);
        let interval = asked(&server, "/interval");
        let has = |key: &str| assert!(interval.get(key).is_some(), "{key} is missing: {interval}");
        for key in [
            "pid", "start_time", "stop_time", "sample_period", "cpu_user_utilization",
            "cpu_system_utilization", "cpu_utilization", "cpu_user_time", "cpu_system_time",
            "cpu_time", "memory_rss", "memory_max_rss", "request_threads_maximum",
            "request_threads_started", "request_threads_active", "capacity_utilization",
            "request_count", "request_throughput", "status_1xx", "status_2xx", "status_3xx",
            "status_4xx", "status_5xx", "input_bytes", "input_reads", "output_bytes",
            "output_writes", "gil_wait_count",
        ] {
            has(key);
        }
        for phase in PHASES {
            let is_there = mode.is_daemon() || !["queue_time", "daemon_time"].contains(&phase);
            assert_eq!(interval[phase].is_number(), is_there, "{phase}: {}", interval[phase]);
            has(&format!("{phase}_min_us"));
            has(&format!("{phase}_max_us"));
            let buckets = interval[format!("{phase}_buckets")].as_array().expect(phase);
            assert_eq!(buckets.len(), 65, "{phase}");
        }
        let threads = interval["request_threads_maximum"].as_u64().unwrap();
        for key in [
            "request_threads_completed",
            "request_threads_buckets",
            "request_threads_busy_time",
            "request_threads_cpu_time",
            "request_threads_current_elapsed",
            "request_threads_max_duration",
        ] {
            let list = interval[key].as_array().expect(key);
            assert_eq!(list.len() as u64, threads, "{key}");
        }
    }

    fn requests_are_counted_with_their_status_and_their_bytes(mode) {
        let server = recording(mode);
        server.expect_traceback("RuntimeError: on purpose").allow_log("RuntimeError exception raised");
        for code in [201, 304, 404, 503] {
            assert_eq!(server.get(&format!("/status?{code}")).status(), code);
        }
        assert_eq!(server.get("/fail").status(), 500);
        assert_eq!(server.post("/read", &[b'x'; 5000]).ok().len(), 5000);
        let mut total = [0u64; 9];
        poll("the requests", || {
            let interval = asked(&server, "/interval");
            let keys = ["status_1xx", "status_2xx", "status_3xx", "status_4xx", "status_5xx",
                        "request_count", "input_bytes", "output_bytes", "output_writes"];
            for (total, key) in total.iter_mut().zip(keys) {
                *total += interval[key].as_u64().unwrap();
            }
            let statuses: u64 = (1..=5)
                .map(|class| interval[format!("status_{class}xx")].as_u64().unwrap())
                .sum();
            assert_eq!(interval["request_count"], statuses, "{interval}");
            // A request counts once it has ended, which is after its answer.
            (total[4] == 2 && total[6] > 0).then_some(())
        });
        let [informational, _, redirected, refused, failed, _, input, output, writes] = total;
        assert_eq!([informational, redirected, refused, failed, input], [0, 1, 1, 2, 5000]);
        assert!(output > 5000 && writes > 5, "{output} bytes in {writes} blocks");
    }

    fn time_is_told_apart(mode) {
        let server = recording(mode);
        server.get("/nap?40").ok();
        let interval = with_requests(&server, 2);
        let longest = interval["application_time_max_us"].as_u64().unwrap();
        assert!((40_000..2_000_000).contains(&longest), "{longest}");
        assert!(interval["application_time_min_us"].as_u64().unwrap() < longest);
        assert_eq!(sum(&interval["application_time_buckets"]), interval["request_count"]);
        let mean = float(&interval, "application_time");
        assert!(mean > 0.01 && mean * 1e6 <= longest as f64, "{mean}");
        assert!(float(&interval, "request_time") >= mean);
        let queued = sum(&interval["queue_time_buckets"]) > 0;
        assert_eq!(queued, mode.is_daemon());
        let busy: f64 = interval["request_threads_busy_time"]
            .as_array().unwrap().iter().map(|time| time.as_f64().unwrap()).sum();
        assert!(busy >= 0.04, "{busy}");
        let capacity = float(&interval, "capacity_utilization");
        assert!(capacity > 0.0 && capacity <= 1.0, "{capacity}");
    }

    fn cpu_time_is_that_of_the_thread(mode) {
        let server = recording(mode);
        server.get("/spin?60").ok();
        let interval = with_requests(&server, 2);
        let most = interval["request_threads_cpu_time"]
            .as_array().unwrap().iter().map(|time| time.as_f64().unwrap()).fold(0.0, f64::max);
        assert!((0.04..1.0).contains(&most), "{most}");
        assert!(float(&interval, "cpu_utilization") > 0.0);
        assert!(interval["memory_rss"].as_u64().unwrap() > 1 << 20);
    }

    fn intervals_follow_each_other(mode) {
        ours!("the start of an interval is its own end there");
        let server = recording(mode);
        let first = asked(&server, "/interval");
        let second = asked(&server, "/interval");
        assert_eq!(first["stop_time"], second["start_time"]);
        let length = float(&second, "stop_time") - float(&second, "start_time");
        assert!(length > 0.0 && (length - float(&second, "sample_period")).abs() < 0.01);
    }

    fn a_request_in_progress_is_seen(mode) {
        if mode == Mode::Embedded {
            needs_threads!("a child has one client");
        }
        let server = recording(mode);
        let mut waiting = server.connect();
        waiting.request("GET", "/wait", &[], b"");
        poll("the note", || server.path("out/waiting").exists().then_some(()));
        let interval = asked(&server, "/interval");
        std::thread::sleep(Duration::from_millis(20));
        let later = asked(&server, "/interval");
        fs::write(server.path("out/gate"), "").unwrap();
        waiting.response().ok();
        assert!(interval["request_threads_active"].as_u64().unwrap() >= 2);
        let longest = |interval: &Value| {
            let elapsed = interval["request_threads_current_elapsed"].as_array().unwrap();
            elapsed.iter().map(|time| time.as_f64().unwrap()).fold(0.0, f64::max)
        };
        assert!(longest(&later) >= longest(&interval) + 0.02);
        assert!(asked(&server, "/process")["active_requests"].as_u64().unwrap() <= 2);
    }

    fn a_process_adds_up_what_its_threads_do(mode) {
        let server = recording(mode);
        for _ in 0..5 {
            server.get("/nap?1").ok();
        }
        let process = poll("the requests", || {
            let process = asked(&server, "/process");
            (process["request_count"].as_u64().unwrap() >= 6).then_some(process)
        });
        let threads = process["threads"].as_array().unwrap();
        let counts = threads.iter().map(|thread| thread["request_count"].as_u64().unwrap());
        let (ended, active) = (&process["request_count"], &process["active_requests"]);
        let (ended, active) = (ended.as_u64().unwrap(), active.as_u64().unwrap());
        assert!((ended..=ended + active).contains(&counts.sum::<u64>()), "{process}");
        assert!(threads.iter().all(|thread| thread["thread_id"].as_u64().unwrap() >= 1));
        assert_eq!(process["request_threads"], threads.len());
        assert!(float(&process, "request_busy_time") >= 0.005);
        assert!(float(&process, "cpu_time") > 0.0);
        let age = float(&process, "current_time") - float(&process, "restart_time");
        assert!(age > 0.0 && age < 60.0, "{age}");
        assert_eq!(process["running_time"].as_u64().unwrap(), age as u64);
        let memory = |key: &str| process[key].as_u64().unwrap();
        // The kernel's peak, which the original tells as it is, may lag behind.
        assert!(memory("memory_max_rss") >= memory("memory_rss") * 3 / 4);
    }
}

#[test]
fn waits_for_the_interpreters_lock_are_counted() {
    ours!("it counts something else");
    let server = recording(Mode::Daemon);
    server.post("/read", &[b'x'; 3000]).ok();
    let interval = with_requests(&server, 2);
    // Each request has attached once, and this one again after reading and sending.
    assert!(interval["gil_wait_count"].as_u64().unwrap() >= 6, "{}", interval["gil_wait_count"]);
}
