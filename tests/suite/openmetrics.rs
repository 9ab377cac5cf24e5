//! The metrics of `wsgi-status?metrics`, read by the library of Prometheus itself: docs/status.md.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Httpd, poll, rundir};

/// Two groups, the second with the name that is to be written, and the metrics.
fn serving(options: &str, second: &str) -> Httpd {
    Httpd::with(&format!(
        "WSGIDaemonProcess app processes=2 threads=3 {options}\n\
         WSGIDaemonProcess {second} threads=1\n\
         WSGIScriptAlias /app @apps@/status.py process-group=app application-group=%{{GLOBAL}}\n\
         WSGIScriptAlias /other @apps@/status.py process-group={second} application-group=%{{GLOBAL}}\n\
         <Location /wsgi-status>\nSetHandler wsgi-status\n</Location>"
    ))
    .start()
}

/// What a scrape has found.
struct Scrape(Value);

impl Scrape {
    /// Asks a server, and Prometheus's library what the answer says.
    #[track_caller]
    fn of(server: &Httpd) -> Scrape {
        let response = server.get("/wsgi-status?metrics");
        let media_type = response.header("content-type").expect("a type").to_owned();
        assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let text = response.ok();
        let python = rundir::venv().expect("the venv").join("bin/python");
        let mut command = Command::new(python);
        command.args(["-c", include_str!("../support/openmetrics.py")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("python");
        child.stdin.take().expect("input").write_all(text.as_bytes()).expect("input");
        let done = child.wait_with_output().expect("python");
        let why = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{why}\nhas refused\n{text}");
        Scrape(serde_json::from_slice(&done.stdout).expect("JSON"))
    }

    /// The samples of a family: name, labels, value.
    fn samples(&self, family: &str) -> Vec<(&str, &Value, f64)> {
        let samples = self.0[family]["samples"].as_array().unwrap_or_else(|| panic!("{family}"));
        let one = |sample: &'_ Value| sample[2].as_f64();
        let parts = samples
            .iter()
            .filter_map(|sample| Some((sample[0].as_str()?, &sample[1], one(sample)?)));
        parts.collect()
    }

    /// The value of one sample.
    #[track_caller]
    fn value(&self, family: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
        let is_meant = |found: &Value| {
            found.as_object().is_some_and(|map| map.len() == labels.len())
                && labels.iter().all(|(key, value)| found[*key] == *value)
        };
        let found: Vec<_> = self.samples(family);
        let meant = found.iter().find(|(own, found, _)| *own == name && is_meant(found));
        meant.unwrap_or_else(|| panic!("no {name} {labels:?} in {found:?}")).2
    }

    /// Everything that may only grow: the samples of counters and histograms.
    fn growing(&self) -> BTreeMap<String, f64> {
        let families = self.0.as_object().expect("families").iter();
        let growing = families.filter(|(_, family)| family["type"] != "gauge");
        let samples = growing.flat_map(|(name, _)| self.samples(name));
        samples.map(|(name, labels, value)| (format!("{name}{labels}"), value)).collect()
    }
}

/// Asserts that nothing that may only grow has gone back, or away; the families in `but` aside.
#[track_caller]
fn check_growth(before: &Scrape, after: &Scrape, but: &str) {
    let after = after.growing();
    for (key, old) in before.growing() {
        if but.is_empty() || !key.starts_with(but) {
            let new = after.get(&key).unwrap_or_else(|| panic!("{key} is gone"));
            assert!(*new >= old, "{key}: {old} {new}");
        }
    }
}

/// Waits until a group has counted so many requests that went well.
#[track_caller]
fn scrape_with(server: &Httpd, group: &str, requests: f64) -> Scrape {
    poll("the requests", || {
        let scrape = Scrape::of(server);
        let labels = [("group", group), ("status", "2xx")];
        let count = scrape.value("wsgi_requests", "wsgi_requests_total", &labels);
        (count >= requests).then_some(scrape)
    })
}

one! {
    fn requests_are_counted_by_group_status_and_time() {
        ours!("has no such handler");
        needs_modules!("prometheus_client");
        let server = serving("", "other");
        for _ in 0..7 {
            server.get("/app/pid").ok();
        }
        server.get("/other/pid").ok();
        server.expect_traceback("KeyError: 'missing'").expect_log("WSGI0174");
        assert_eq!(server.get("/app/missing").status(), 500);
        server.get("/app/slow").ok();
        let scrape = scrape_with(&server, "app", 8.0);
        scrape_with(&server, "other", 1.0);
        let app = ("group", "app");
        assert_eq!(scrape.value("wsgi_requests", "wsgi_requests_total", &[app, ("status", "5xx")]), 1.0);
        for part in ["queue", "gil_wait", "application", "send"] {
            let family = format!("wsgi_{part}_seconds");
            assert_eq!((&scrape.0[&family]["type"], &scrape.0[&family]["unit"]), (&"histogram".into(), &"seconds".into()));
            let buckets = scrape.samples(&family);
            assert!(buckets.iter().filter(|(name, ..)| name.ends_with("_bucket")).count() > 20);
            assert_eq!(scrape.value(&family, &format!("{family}_count"), &[app]), 9.0, "{family}");
            let last = [app, ("le", "+Inf")];
            assert_eq!(scrape.value(&family, &format!("{family}_bucket"), &last), 9.0, "{family}");
        }
        let time = scrape.value("wsgi_application_seconds", "wsgi_application_seconds_sum", &[app]);
        assert!((0.02..20.0).contains(&time), "{time}");
        let gauge = |name: &str, labels: &[(&str, &str)]| scrape.value(name, name, labels);
        assert_eq!(gauge("wsgi_processes", &[app, ("state", "ready")]), 2.0);
        assert_eq!(gauge("wsgi_threads", &[app, ("state", "idle")]), 6.0);
        assert_eq!(gauge("wsgi_threads", &[("group", "other"), ("state", "idle")]), 1.0);
        assert_eq!(gauge("wsgi_group_serving", &[app]), 1.0);
        assert_eq!(gauge("wsgi_queue_length", &[app]), 0.0);
        assert!(gauge("wsgi_memory_bytes", &[app]) > 1e6);
        assert_eq!(gauge("wsgi_up", &[]), 1.0);
    }

    fn names_of_groups_come_back_as_they_are() {
        ours!("has no such handler");
        needs_modules!("prometheus_client");
        let server = serving("", r#""a \"b\" \\n {c=d}, grün #""#);
        server.get("/other/pid").ok();
        scrape_with(&server, "a \"b\" \\n {c=d}, grün #", 1.0);
    }

    fn counters_never_go_back() {
        ours!("has no such handler");
        needs_modules!("prometheus_client");
        let server = serving("maximum-requests=5", "other");
        for _ in 0..4 {
            server.get("/app/pid").ok();
        }
        let first = scrape_with(&server, "app", 4.0);
        let second = poll("processes to be replaced", || {
            server.get("/app/pid").ok();
            let scrape = Scrape::of(&server);
            let labels = [("group", "app"), ("reason", "maximum_requests")];
            let family = "wsgi_restarts";
            let is_there = scrape.samples(family).iter().any(|(_, found, _)| {
                found["group"] == "app" && found["reason"] == "maximum_requests"
            });
            let is_enough = is_there && scrape.value(family, "wsgi_restarts_total", &labels) >= 2.0;
            is_enough.then_some(scrape)
        });
        check_growth(&first, &second, "");
        server.graceful();
        server.get("/app/pid").ok();
        // Ended processes are the supervisor's to count, and that is a new one.
        let third = Scrape::of(&server);
        check_growth(&second, &third, "wsgi_restarts_total");
    }
}
