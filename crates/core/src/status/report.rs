//! The whole picture: what the supervisor, the daemons and the counters say, in one document.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    inquiry::{Answer, EndedReport, GroupReport, MemberReport, ProcessReport},
    times::{BORDERS, Histogram, Part, STATUS_NAMES, Totals},
};

/// What httpd knows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The group.
    pub name: String,
    /// Processes it should have.
    pub processes: u32,
    /// Threads of each.
    pub threads: u32,
    /// What it has counted.
    pub totals: Totals,
}

/// The document. Times are seconds, sizes bytes; moments are seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// This software's version.
    pub version: &'static str,
    /// When it was made.
    pub time: f64,
    /// What is missing, if anything is.
    pub problem: Option<String>,
    /// Upper borders of the histograms.
    pub borders: Vec<f64>,
    /// Daemon groups by name, then what runs embedded.
    pub groups: Vec<Group>,
}

/// A group in the document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name; empty for what httpd's children run themselves.
    pub name: String,
    /// `serving`, `failing`, `drained`, `ending`, `unknown` where nobody has told, or `embedded`.
    pub state: String,
    /// Why it cannot serve.
    pub reason: Option<String>,
    /// Processes it should have.
    pub wanted_processes: u32,
    /// Worker threads of each.
    pub threads: u32,
    /// Requests that wait for a thread.
    pub queue: Option<u32>,
    /// Threads that have a request.
    pub busy: u64,
    /// Ended requests by the kind of their status.
    pub requests: BTreeMap<&'static str, u64>,
    /// Parts of their time.
    pub times: BTreeMap<&'static str, Times>,
    /// Ended processes by their reason.
    pub restarts: BTreeMap<String, u64>,
    /// The last ones.
    pub ended: Vec<EndedReport>,
    /// Its processes.
    pub processes: Vec<MemberReport>,
}

/// A histogram in the document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// All together.
    pub sum: f64,
    /// How many between the borders; the last is of what is longer than all.
    pub counts: Vec<u64>,
}

impl From<&Histogram> for Times {
    fn from(histogram: &Histogram) -> Self {
        Self {
            count: histogram.count(),
            sum: histogram.seconds(),
            counts: histogram.counts.to_vec(),
        }
    }
}

impl Report {
    /// Puts together what was counted and what was answered at `time`; `problem` says what is
    /// missing.
    pub fn new(
        counted: Vec<Counted>,
        answers: Vec<Answer>,
        time: f64,
        problem: Option<String>,
    ) -> Self {
        let (mut reports, mut processes) = (Vec::new(), Vec::new());
        for answer in answers {
            match answer {
                Answer::Groups { groups, .. } => reports = groups,
                Answer::Process(process) => processes.push(process),
                // Nobody has asked for those.
                Answer::Stack(_) | Answer::Done { .. } | Answer::Refused { .. } => {}
            }
        }
        let groups = counted.into_iter().map(|counted| {
            let known = reports.iter().position(|report| report.name == counted.name);
            let report = known.map(|place| reports.swap_remove(place));
            group(counted, report, &mut processes)
        });
        let groups = groups.collect();
        let borders = BORDERS.iter().map(|border| seconds(*border)).collect();
        Self { version: crate::version::OWN, time, problem, borders, groups }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a border")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn group(counted: Counted, report: Option<GroupReport>, answers: &mut Vec<ProcessReport>) -> Group {
    let report = report.unwrap_or_else(|| GroupReport {
        state: "unknown".to_owned(),
        wanted_processes: counted.processes,
        threads: counted.threads,
        ..GroupReport::default()
    });
    let mut processes = report.processes;
    for process in &mut processes {
        let is_its =
            |answer: &ProcessReport| answer.group == counted.name && answer.epoch == process.epoch;
        let mut answer = || answers.iter().position(is_its).map(|place| answers.swap_remove(place));
        // Those of httpd's children are told with them.
        process.threads = process.threads.take().or_else(|| answer().map(|answer| answer.threads));
    }
    let threads = processes.iter().flat_map(|process| process.threads.iter().flatten());
    let busy = threads.filter(|thread| thread.request.is_some()).count();
    let Totals { statuses, times } = &counted.totals;
    Group {
        state: report.state,
        reason: report.reason,
        wanted_processes: report.wanted_processes,
        threads: report.threads,
        queue: report.queue,
        busy: u64::try_from(busy).unwrap_or(u64::MAX),
        requests: STATUS_NAMES.into_iter().zip(statuses.iter().copied()).collect(),
        times: Part::ALL.map(Part::name).into_iter().zip(times.iter().map(Times::from)).collect(),
        restarts: report.ends,
        ended: report.ended,
        processes,
        name: counted.name,
    }
}

impl Report {
    /// Adds what httpd's children run themselves.
    pub fn add_embedded(&mut self, report: GroupReport, totals: Totals) {
        let name = report.name.clone();
        let (processes, threads) = (report.wanted_processes, report.threads);
        let counted = Counted { name, processes, threads, totals };
        self.groups.push(group(counted, Some(report), &mut Vec::new()));
    }
}

impl Group {
    /// Whether it takes requests.
    pub fn serves(&self) -> bool {
        ["serving", "embedded"].contains(&self.state.as_str())
    }

    /// All ended requests.
    pub fn request_count(&self) -> u64 {
        self.requests.values().fold(0, |all, count| all.saturating_add(*count))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        activity::Doing,
        status::inquiry::{RequestReport, ThreadReport},
    };

    /// A group `app` with a process that runs a request for `uri`.
    pub(crate) fn report(name: &str, uri: &str) -> Report {
        let request = RequestReport {
            number: 1,
            method: "GET".to_owned(),
            uri: uri.to_owned(),
            application_group: String::new(),
            age: 1.5,
        };
        let threads = vec![
            ThreadReport { thread: 1, doing: Doing::Running, request: Some(request) },
            ThreadReport { thread: 2, doing: Doing::Idle, request: None },
        ];
        let mut totals = Totals::default();
        totals.statuses[1] = 3;
        totals.times[0].counts[0] = 2;
        totals.times[0].counts[18] = 1;
        totals.times[0].sum = 61_500_000_000;
        let counted = Counted { name: name.to_owned(), processes: 1, threads: 2, totals };
        let member = MemberReport { epoch: 7, pid: 99, memory: 4096, ..MemberReport::default() };
        let groups = vec![GroupReport {
            name: name.to_owned(),
            state: "serving".to_owned(),
            wanted_processes: 1,
            threads: 2,
            queue: Some(4),
            ends: BTreeMap::from([("script_reload".to_owned(), 2)]),
            processes: vec![member],
            ..GroupReport::default()
        }];
        let process = ProcessReport { group: name.to_owned(), epoch: 7, threads };
        let answers = vec![Answer::Process(process), Answer::Groups { groups, asked: Vec::new() }];
        Report::new(vec![counted], answers, 1000.0, None)
    }

    #[test]
    fn the_document_has_what_everybody_knows() {
        let report = report("app", "/x");
        let group = &report.groups[0];
        assert_eq!((group.state.as_str(), group.queue, group.busy), ("serving", Some(4), 1));
        assert_eq!(group.request_count(), 3);
        assert_eq!(group.times["queue"].count, 3);
        assert_eq!(group.times["queue"].counts.len(), report.borders.len() + 1);
        assert_eq!(group.processes[0].threads.as_ref().unwrap().len(), 2);
    }

    #[test]
    fn what_runs_embedded_is_a_group_too() {
        let mut report = report("app", "/x");
        let threads = vec![ThreadReport { thread: 1, doing: Doing::Idle, request: None }];
        let process = MemberReport { threads: Some(threads), ..MemberReport::default() };
        let embedded = GroupReport {
            state: "embedded".to_owned(),
            processes: vec![process],
            ..GroupReport::default()
        };
        report.add_embedded(embedded, Totals::default());
        let group = &report.groups[1];
        assert_eq!((group.name.as_str(), group.state.as_str()), ("", "embedded"));
        assert_eq!(group.processes[0].threads.as_ref().unwrap().len(), 1);
    }

    #[test]
    fn without_a_supervisor_there_are_still_the_counters() {
        let counted =
            Counted { name: "app".to_owned(), processes: 3, threads: 5, totals: Totals::default() };
        let report = Report::new(vec![counted], Vec::new(), 0.0, Some("gone".to_owned()));
        let group = &report.groups[0];
        assert_eq!((group.state.as_str(), group.wanted_processes), ("unknown", 3));
        assert!(group.processes.is_empty());
    }
}
