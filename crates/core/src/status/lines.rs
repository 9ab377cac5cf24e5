//! The groups in httpd's own server-status: a table, or lines for machines (`?auto`).

use std::fmt::Write as _;

use super::report::{Group, Report};

/// HTML for the page of mod_status; `has_tables` unless somebody wants it without (`?notable`).
pub fn html(report: &Report, has_tables: bool) -> String {
    let mut out = String::from("<hr />\n<h1>WSGI processes</h1>\n");
    if let Some(problem) = &report.problem {
        line(&mut out, format_args!("<p>{}</p>\n", escaped(problem)));
    }
    for group in &report.groups {
        line(&mut out, format_args!("<h2>{}</h2>\n", escaped(&title(&group.name))));
        line(&mut out, format_args!("<p>{}</p>\n", escaped(&summary(group))));
        if has_tables {
            table(&mut out, group, report.time);
        } else {
            list(&mut out, group, report.time);
        }
    }
    out
}

/// Lines for machines.
pub fn auto(report: &Report) -> String {
    let mut out = String::new();
    let groups = report.groups.len();
    line(&mut out, format_args!("WSGIGroups: {groups}\n"));
    for group in &report.groups {
        let name = plain(&group.name);
        let busy = group.busy;
        let processes = group.processes.len();
        let memory: u64 = group.processes.iter().map(|process| process.memory).sum();
        let restarts: u64 = group.restarts.values().sum();
        line(&mut out, format_args!("WSGIState[{name}]: {}\n", group.state));
        line(&mut out, format_args!("WSGIProcesses[{name}]: {processes}\n"));
        line(&mut out, format_args!("WSGIThreads[{name}]: {}\n", capacity(group)));
        line(&mut out, format_args!("WSGIBusyThreads[{name}]: {busy}\n"));
        if let Some(queue) = group.queue {
            line(&mut out, format_args!("WSGIQueue[{name}]: {queue}\n"));
        }
        line(&mut out, format_args!("WSGIRequests[{name}]: {}\n", group.request_count()));
        line(&mut out, format_args!("WSGIMemory[{name}]: {memory}\n"));
        line(&mut out, format_args!("WSGIRestarts[{name}]: {restarts}\n"));
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    out.write_fmt(text).ok();
}

/// The title of a group.
pub fn title(name: &str) -> String {
    if name.is_empty() { "Embedded in httpd".to_owned() } else { format!("Group {name}") }
}

fn capacity(group: &Group) -> u64 {
    u64::from(group.threads)
        .saturating_mul(u64::try_from(group.processes.len()).unwrap_or(u64::MAX))
}

fn summary(group: &Group) -> String {
    let mut text = format!(
        "{}, {} of {} processes, {} of {} threads busy, {} requests",
        group.state,
        group.processes.len(),
        group.wanted_processes,
        group.busy,
        capacity(group),
        group.request_count(),
    );
    if let Some(queue) = group.queue {
        line(&mut text, format_args!(", {queue} waiting"));
    }
    for (reason, count) in &group.restarts {
        line(&mut text, format_args!(", {count} ended ({reason})"));
    }
    if let Some(reason) = &group.reason {
        line(&mut text, format_args!(": {reason}"));
    }
    text
}

/// What every line of a group has: process, thread and what that does.
fn rows(group: &Group, now: f64) -> Vec<[String; 7]> {
    let mut rows = Vec::new();
    for process in &group.processes {
        let age = (now - process.started).max(0.0);
        let own = [
            process.pid.to_string(),
            process.state.clone(),
            format!("{age:.0}"),
            format!("{:.1}", megabytes(process.memory)),
            process.requests.to_string(),
        ];
        let requests = process.threads.iter().flatten().filter_map(|thread| {
            let request = thread.request.as_ref()?;
            let doing = serde_json::to_string(&thread.doing).unwrap_or_default();
            let doing =
                format!("{} {:.1} s", doing.trim_matches('"').replace('_', " "), request.age);
            Some((doing, format!("{} {}", request.method, request.uri)))
        });
        let before = rows.len();
        for (doing, subject) in requests {
            let [pid, state, age, memory, count] = own.clone();
            rows.push([pid, state, age, memory, count, doing, subject]);
        }
        if rows.len() == before {
            let [pid, state, age, memory, count] = own;
            rows.push([pid, state, age, memory, count, "idle".to_owned(), String::new()]);
        }
    }
    rows
}

#[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1048576.0
}

fn table(out: &mut String, group: &Group, now: f64) {
    out.push_str(
        "<table border=\"0\"><tr><th>PID</th><th>State</th><th>Age</th><th>MB</th>\
         <th>Requests</th><th>Doing</th><th>Request</th></tr>\n",
    );
    for row in rows(group, now) {
        out.push_str("<tr>");
        for field in row {
            line(out, format_args!("<td>{}</td>", escaped(&field)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

fn list(out: &mut String, group: &Group, now: f64) {
    out.push_str("<ul>\n");
    for row in rows(group, now) {
        line(out, format_args!("<li>{}</li>\n", escaped(row.join(" ").trim())));
    }
    out.push_str("</ul>\n");
}

/// A name in a line for machines: nothing in it may look like another line or field.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || "[]:".contains(c) { '_' } else { c }).collect()
}

/// Text in HTML.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::report::tests::report;

    #[test]
    fn nothing_that_a_client_sent_is_markup() {
        for has_tables in [true, false] {
            let page = html(&report("a<b", "/<script>alert('x')</script>&\"\u{1b}"), has_tables);
            assert!(page.contains("Group a&lt;b"), "{page}");
            assert!(!page.contains("<script"), "{page}");
            assert!(page.contains("/&lt;script&gt;alert(&#39;x&#39;)"), "{page}");
            assert!(page.contains("running 1.5 s"), "{page}");
        }
    }

    #[test]
    fn machines_read_one_figure_a_line() {
        let text = auto(&report("a]: 1\nb", "/"));
        assert!(text.contains("WSGIBusyThreads[a__ 1_b]: 1\n"), "{text}");
        assert!(text.contains("WSGIQueue[a__ 1_b]: 4\n"), "{text}");
        assert!(text.contains("WSGIRestarts[a__ 1_b]: 2\n"), "{text}");
        assert!(text.lines().all(|line| line.matches(": ").count() == 1), "{text}");
    }
}
