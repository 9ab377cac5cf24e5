//! The document as OpenMetrics text (version 1.0.0 of its specification): histograms in seconds,
//! memory in bytes.

use std::fmt::Write as _;

use super::{
    report::{Group, Report},
    times::{BORDERS, Part},
};

/// The media type.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// States of processes.
const STATES: [&str; 3] = ["starting", "ready", "draining"];

/// The text.
pub fn text(report: &Report) -> String {
    let mut out = Text(String::new());
    out.head("wsgi_up", "gauge", None, "1 if everybody who was asked has answered.");
    out.sample("wsgi_up", &[], u64::from(report.problem.is_none()));
    gauges(&mut out, report);
    counters(&mut out, report);
    for part in Part::ALL {
        histograms(&mut out, report, part);
    }
    out.0.push_str("# EOF\n");
    out.0
}

fn gauges(out: &mut Text, report: &Report) {
    let name = "wsgi_group_serving";
    out.head(name, "gauge", None, "1 if the group takes requests.");
    for group in &report.groups {
        out.sample(name, &[("group", &group.name)], u64::from(group.serves()));
    }
    let name = "wsgi_processes";
    out.head(name, "gauge", None, "Processes by their state.");
    for group in &report.groups {
        for state in STATES {
            let count = group.processes.iter().filter(|process| process.state == state).count();
            out.sample(name, &[("group", &group.name), ("state", state)], wide(count));
        }
    }
    let name = "wsgi_threads";
    out.head(name, "gauge", None, "Worker threads by whether they have a request.");
    for group in &report.groups {
        let all = wide(group.processes.len()).saturating_mul(group.threads.into());
        let labels = |state| [("group", group.name.as_str()), ("state", state)];
        out.sample(name, &labels("busy"), group.busy);
        out.sample(name, &labels("idle"), all.saturating_sub(group.busy));
    }
    let name = "wsgi_queue_length";
    out.head(name, "gauge", None, "Requests that wait for a thread.");
    for (group, queue) in report.groups.iter().filter_map(|group| Some((group, group.queue?))) {
        out.sample(name, &[("group", &group.name)], queue.into());
    }
    let name = "wsgi_memory_bytes";
    out.head(name, "gauge", Some("bytes"), "Resident memory of the group's processes.");
    for group in &report.groups {
        let memory = group.processes.iter().map(|process| process.memory);
        out.sample(name, &[("group", &group.name)], memory.fold(0, u64::saturating_add));
    }
}

fn counters(out: &mut Text, report: &Report) {
    out.head("wsgi_requests", "counter", None, "Requests by the hundreds of their status.");
    for group in &report.groups {
        for (status, count) in &group.requests {
            let labels = [("group", group.name.as_str()), ("status", status)];
            out.sample("wsgi_requests_total", &labels, *count);
        }
    }
    out.head("wsgi_restarts", "counter", None, "Processes that have ended, by their reason.");
    for group in &report.groups {
        for (reason, count) in &group.restarts {
            let labels = [("group", group.name.as_str()), ("reason", reason)];
            out.sample("wsgi_restarts_total", &labels, *count);
        }
    }
}

/// Its name and help.
fn family(part: Part) -> (&'static str, &'static str) {
    match part {
        Part::Queue => ("wsgi_queue_seconds", "Time until a thread has taken the request."),
        Part::GilWait => {
            ("wsgi_gil_wait_seconds", "Time that the request waited for the interpreter's lock.")
        }
        Part::Application => ("wsgi_application_seconds", "Time in the application."),
        Part::Send => ("wsgi_send_seconds", "Time of sending the response to httpd."),
    }
}

fn histograms(out: &mut Text, report: &Report, part: Part) {
    let (name, help) = family(part);
    out.head(name, "histogram", Some("seconds"), help);
    for group in &report.groups {
        histogram(out, group, name, part);
    }
}

fn histogram(out: &mut Text, group: &Group, name: &str, part: Part) {
    let Some(times) = group.times.get(part.name()) else { return };
    let mut below = 0u64;
    for (place, count) in times.counts.iter().enumerate() {
        below = below.saturating_add(*count);
        let border = BORDERS.get(place).map_or_else(|| "+Inf".to_owned(), |us| border(*us));
        let labels = [("group", group.name.as_str()), ("le", &border)];
        out.sample(&format!("{name}_bucket"), &labels, below);
    }
    out.sample(&format!("{name}_count"), &[("group", &group.name)], times.count);
    out.number(&format!("{name}_sum"), &[("group", &group.name)], &format!("{:.9}", times.sum));
}

/// A border in seconds, in the form that OpenMetrics calls canonical.
#[allow(clippy::cast_precision_loss, reason = "a constant far below 2^53")]
fn border(micros: u64) -> String {
    let seconds = format!("{:?}", micros as f64 / 1e6);
    if seconds.contains('e') { format!("{:.5}", micros as f64 / 1e6) } else { seconds }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

struct Text(String);

impl Text {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.0.write_fmt(text).ok();
    }

    fn head(&mut self, name: &str, kind: &str, unit: Option<&str>, help: &str) {
        self.line(format_args!("# TYPE {name} {kind}\n"));
        if let Some(unit) = unit {
            self.line(format_args!("# UNIT {name} {unit}\n"));
        }
        self.line(format_args!("# HELP {name} {help}\n"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.number(name, labels, &value.to_string());
    }

    fn number(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            self.0.push(if place == 0 { '{' } else { ',' });
            self.line(format_args!("{label}=\"{}\"", escaped(text)));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        self.line(format_args!(" {value}\n"));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::report::tests::report;

    #[test]
    fn the_text_is_what_the_specification_asks_for() {
        let text = text(&report("a\"\\b", "/"));
        let group = r#"group="a\"\\b""#;
        for line in [
            "# TYPE wsgi_queue_seconds histogram".to_owned(),
            "# UNIT wsgi_queue_seconds seconds".to_owned(),
            format!("wsgi_queue_seconds_bucket{{{group},le=\"0.0001\"}} 2"),
            format!("wsgi_queue_seconds_bucket{{{group},le=\"60.0\"}} 2"),
            format!("wsgi_queue_seconds_bucket{{{group},le=\"+Inf\"}} 3"),
            format!("wsgi_queue_seconds_count{{{group}}} 3"),
            format!("wsgi_queue_seconds_sum{{{group}}} 61.500000000"),
            format!("wsgi_requests_total{{{group},status=\"2xx\"}} 3"),
            format!("wsgi_restarts_total{{{group},reason=\"script_reload\"}} 2"),
            format!("wsgi_threads{{{group},state=\"idle\"}} 1"),
            "wsgi_up 1".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn borders_are_written_as_numbers() {
        let borders: Vec<String> = BORDERS.iter().map(|micros| border(*micros)).collect();
        assert_eq!(borders.first().unwrap(), "0.0001");
        assert_eq!(borders.get(1).unwrap(), "0.00025");
        assert_eq!(borders.last().unwrap(), "60.0");
    }
}
