//! Answers of a server as text. What comes from requests is escaped: a URL must not steer a terminal.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use wsgi_core::status::inquiry::{
    Answer, GroupReport, MemberReport, ProcessReport, RequestReport, ThreadReport,
};

use crate::terminal;

/// Keeps what is about one group.
pub(super) fn keep(answers: &mut Vec<Answer>, wanted: &str) {
    answers.retain_mut(|answer| match answer {
        Answer::Groups { groups, .. } => {
            groups.retain(|group| group.name == wanted);
            true
        }
        Answer::Process(process) => process.group == wanted,
        _ => true,
    });
}

/// Whether there is no group in the answers.
pub(super) fn is_empty(answers: &[Answer]) -> bool {
    groups(answers).next().is_none()
}

fn groups(answers: &[Answer]) -> impl Iterator<Item = &GroupReport> {
    answers.iter().flat_map(|answer| match answer {
        Answer::Groups { groups, .. } => groups.as_slice(),
        _ => &[],
    })
}

/// The answers as one JSON array.
pub(super) fn json(answers: &[Answer]) -> Result<String> {
    Ok(serde_json::to_string_pretty(answers)? + "\n")
}

/// Every group with its processes and what they are doing.
pub(super) fn status(answers: &[Answer]) -> String {
    let mut text = String::new();
    for group in groups(answers) {
        let queue = group.queue.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let reason =
            group.reason.as_ref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
        let name = match group.name.as_str() {
            "" => "embedded in httpd".to_owned(),
            name => plain(name),
        };
        let name = terminal::strong(&name);
        writeln!(
            text,
            "{name}  {}{reason}  {} of {} processes, {} threads each, {queue} waiting",
            plain(&group.state),
            group.processes.len(),
            group.wanted_processes,
            group.threads
        )
        .ok();
        for member in &group.processes {
            process(&mut text, member, threads_of(answers, &group.name, member));
        }
        for end in group.ended.iter().take(3) {
            writeln!(
                text,
                "  ended: {} ({}) after {} requests",
                end.pid,
                plain(&end.how),
                end.requests
            )
            .ok();
        }
    }
    if text.is_empty() {
        text.push_str("no process groups\n");
    }
    text
}

/// What a process has told, or others about it.
fn threads_of<'a>(
    answers: &'a [Answer],
    group: &str,
    member: &'a MemberReport,
) -> Option<&'a [ThreadReport]> {
    let told = member.threads.as_deref();
    told.or_else(|| {
        answers.iter().find_map(|answer| match answer {
            Answer::Process(ProcessReport { group: its, epoch, threads })
                if its == group && *epoch == member.epoch =>
            {
                Some(threads.as_slice())
            }
            _ => None,
        })
    })
}

fn process(text: &mut String, member: &MemberReport, threads: Option<&[ThreadReport]>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    writeln!(
        text,
        "  {:>7}  {}  {} requests  {} MB  {}",
        member.pid,
        plain(&member.state),
        member.requests,
        member.memory >> 20,
        age((now - member.started).max(0.0))
    )
    .ok();
    let Some(threads) = threads else {
        if member.state == "ready" {
            text.push_str("           (it has not answered)\n");
        }
        return;
    };
    for thread in threads {
        if let Some(request) = &thread.request {
            let doing = serde_json::to_value(thread.doing).ok();
            let doing =
                doing.as_ref().and_then(|doing| doing.as_str()).unwrap_or_default().to_owned();
            let doing = doing.replace('_', " ");
            writeln!(text, "           thread {}: {doing}  {}", thread.thread, one(request)).ok();
        }
    }
}

fn one(request: &RequestReport) -> String {
    format!("{} {}  {}", plain(&request.method), plain(&request.uri), age(request.age))
}

/// The stacks, process by process.
pub(super) fn stacks(answers: &[Answer]) -> String {
    let mut text = String::new();
    for answer in answers {
        let Answer::Stack(stack) = answer else { continue };
        let idle = || match &stack.application_group {
            Some(group) => format!("started by application group '{}'", plain(group)),
            None => "idle".to_owned(),
        };
        let request = stack.request.as_ref().map_or_else(idle, one);
        let thread = if stack.thread == 0 { "-".to_owned() } else { stack.thread.to_string() };
        let head = format!("{} process {} thread {thread}", plain(&stack.group), stack.pid);
        writeln!(text, "{}  {request}", terminal::strong(&head)).ok();
        for line in stack.lines.iter().flat_map(|line| line.lines()) {
            writeln!(text, "    {}", plain(line)).ok();
        }
        if let Some(problem) = &stack.problem {
            writeln!(text, "    {}", plain(problem)).ok();
        }
    }
    if text.is_empty() {
        text.push_str("no thread runs Python\n");
    }
    text
}

/// Seconds for people.
fn age(seconds: f64) -> String {
    match seconds {
        short if short < 10.0 => format!("{short:.1} s"),
        some if some < 600.0 => format!("{some:.0} s"),
        many if many < 7200.0 => format!("{:.0} min", many / 60.0),
        long => format!("{:.0} h", long / 3600.0),
    }
}

/// Text without anything that a terminal obeys.
fn plain(text: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().collect::<String>(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_cannot_steer_the_terminal() {
        assert_eq!(plain("/a\u{1b}[2J\u{9b}x"), "/a\\u{1b}[2J\\u{9b}x");
    }

    #[test]
    fn ages_are_short() {
        assert_eq!(
            (age(1.25), age(75.0), age(3600.0)),
            ("1.2 s".into(), "75 s".into(), "60 min".into())
        );
    }

    #[test]
    fn one_group_can_be_chosen() {
        let named = |name: &str| GroupReport { name: name.to_owned(), ..GroupReport::default() };
        let mut answers =
            vec![Answer::Groups { groups: vec![named("a"), named("b")], asked: Vec::new() }];
        keep(&mut answers, "b");
        assert!(status(&answers).starts_with('b'), "{}", status(&answers));
        keep(&mut answers, "c");
        assert!(is_empty(&answers));
    }
}
