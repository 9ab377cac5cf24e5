//! What is in a datagram of each kind.

use std::time::Duration;

use super::Datagram;
use crate::metrics::{Cpu, Figures, Flow, Phase, Report, Usage};

/// Most threads of a process that are told one by one.
const MOST_THREADS: usize = 128;

/// Who sends.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Identity {
    /// The contract's level.
    pub version: String,
    /// Version of CPython.
    pub python: String,
    /// Version of httpd, as `Apache/2.4.x`.
    pub apache: String,
    /// httpd's MPM.
    pub mpm: String,
    /// Name of the machine.
    pub host: String,
    /// Name of the daemon group; empty in httpd's children.
    pub group: String,
    /// Process id of the parent.
    pub parent: u32,
}

/// How it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Settings {
    /// Between two ticks.
    pub interval: Duration,
    /// From when on a request is slow; `None` never.
    pub slow: Option<Duration>,
    /// After which a thread is asked for the interpreter's lock.
    pub switch_interval: Duration,
}

/// The process has begun.
pub fn started(to: &mut Datagram, who: &Identity, settings: &Settings) {
    identify(to, who);
    to.float(13, settings.switch_interval.as_secs_f64());
}

fn identify(to: &mut Datagram, who: &Identity) {
    let texts = [&who.version, &who.python, &who.apache, &who.mpm, &who.host, &who.group];
    for (id, text) in (1..).zip(texts) {
        to.text(id, text);
    }
    to.count(7, who.parent.into());
}

/// What was counted in an interval.
pub fn tick(
    to: &mut Datagram,
    who: &Identity,
    settings: &Settings,
    report: &Report,
    usage: &Usage,
) {
    identify(to, who);
    to.float(10, report.period.as_secs_f64());
    to.float(11, settings.interval.as_secs_f64());
    to.float(12, settings.slow.unwrap_or_default().as_secs_f64());
    to.float(13, settings.switch_interval.as_secs_f64());
    to.count(20, report.count);
    to.float(21, report.throughput);
    to.float(22, report.capacity);
    let [user, system] = report.cpu_rates;
    for (id, rate) in (30..).zip([user, system, user + system]) {
        to.float(id, rate);
    }
    to.count(40, usage.memory);
    to.count(41, usage.memory_peak);
    for (id, count) in (50..).zip([report.threads, report.started, report.active]) {
        to.count(id, wide(count));
    }
    add_times(to, report, !who.group.is_empty());
    for (id, flow) in [(100, &report.input), (102, &report.output)] {
        to.count(id, flow.bytes);
        to.count(id + 1, flow.count);
    }
    add_threads(to, report);
    for (id, count) in (120..).zip(report.statuses) {
        to.count(id, count);
    }
}

/// Means, extremes and histograms. What an idle process has none of, or httpd's children never
/// have, is left out.
fn add_times(to: &mut Datagram, report: &Report, is_daemon: bool) {
    let phases = (0..).zip(Phase::ALL).zip(&report.phases);
    let phases = phases
        .filter(|((_, phase), _)| is_daemon || !matches!(phase, Phase::Queue | Phase::Daemon));
    for ((id, _), times) in phases {
        to.float(60 + id, times.mean().as_secs_f64());
        if let Some((least, most)) = times.range() {
            to.float(70 + id, least.as_secs_f64());
            to.float(80 + id, most.as_secs_f64());
        }
        to.counts(90 + id, times.histogram().counts().iter().map(|count| (*count).into()));
    }
}

fn add_threads(to: &mut Datagram, report: &Report) {
    let slots = report.slots.get(..MOST_THREADS).unwrap_or(&report.slots);
    to.counts(110, slots.iter().map(|done| done.completed));
    to.floats(111, slots.iter().map(|done| done.busy.as_secs_f64()));
    to.floats(112, slots.iter().map(|done| done.cpu.total().as_secs_f64()));
    to.floats(113, slots.iter().map(|done| done.elapsed.as_secs_f64()));
    to.floats(114, slots.iter().map(|done| done.longest.as_secs_f64()));
}

/// The process is about to end, for this reason, with so many requests in progress.
pub fn stopping(to: &mut Datagram, who: &Identity, reason: &str, active: usize) {
    to.text(5, &who.host);
    to.text(6, &who.group);
    to.text(130, reason);
    to.count(133, wide(active));
}

/// How a process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stopped {
    /// How long it has lived.
    pub age: Duration,
    /// Requests that it has finished.
    pub count: u64,
    /// Requests that it has not.
    pub active: usize,
    /// Whether it could finish what it had to.
    pub is_clean: bool,
}

/// The process ends.
pub fn stopped(to: &mut Datagram, who: &Identity, how: &Stopped) {
    to.text(5, &who.host);
    to.text(6, &who.group);
    to.float(131, how.age.as_secs_f64());
    to.count(132, how.count);
    to.count(134, wide(how.active));
    to.count(135, how.is_clean.into());
}

/// A request that takes or took long.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Slow {
    /// Whether it has ended.
    pub is_completed: bool,
    /// When a thread of the process took it, µs since the epoch.
    pub start: i64,
    /// How long that has had it.
    pub duration: Duration,
    /// Number of the thread.
    pub thread: u32,
    /// httpd's id of the request.
    pub log_id: String,
    /// Process id of the httpd child.
    pub server_pid: u64,
    /// Method, scheme, host, script name, path below it, protocol, client and, if that is told,
    /// user agent.
    pub subject: [String; 8],
    /// What it has cost.
    pub figures: Figures,
    /// The response's status; 0 when there is none.
    pub status: u16,
    /// Requests in progress in the process when it began, and when it ended.
    pub active: [usize; 2],
}

/// A request that takes or took long.
pub fn slow(to: &mut Datagram, slow: &Slow) {
    to.count(200, slow.is_completed.into());
    to.float(201, seconds(slow.start));
    to.float(202, slow.duration.as_secs_f64());
    to.count(203, slow.thread.into());
    to.text(204, &slow.log_id);
    to.count(205, slow.server_pid);
    for (id, text) in (210..).zip(&slow.subject) {
        to.text(id, text);
    }
    let figures = &slow.figures;
    let phases = [Phase::Server, Phase::Queue, Phase::Daemon, Phase::Application, Phase::GilWait];
    for (id, phase) in (220..).zip(phases) {
        to.float(id, figures.time_in(phase).unwrap_or_default().as_secs_f64());
    }
    to.count(225, figures.lock.count);
    for (id, Flow { count, bytes, .. }) in [(230, figures.input), (232, figures.output)] {
        to.count(id, bytes);
        to.count(id + 1, count);
    }
    to.float(234, figures.input.time.as_secs_f64());
    to.float(235, figures.output.time.as_secs_f64());
    to.count(240, slow.status.into());
    let Cpu { user, system } = figures.cpu;
    to.float(250, user.as_secs_f64());
    to.float(251, system.as_secs_f64());
    for (id, active) in (260..).zip(slow.active) {
        to.count(id, wide(active));
    }
}

/// The state of an interpreter's garbage collector; three numbers are one for each generation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collector {
    /// Objects made since the last collection.
    pub count: [u64; 3],
    /// From when on a generation is collected.
    pub threshold: [u64; 3],
    /// How often each was.
    pub collections: [u64; 3],
    /// What was collected.
    pub collected: [u64; 3],
    /// What could not be.
    pub uncollectable: [u64; 3],
    /// Whether it collects of itself.
    pub is_enabled: bool,
    /// Objects that it leaves alone.
    pub frozen: u64,
}

/// The state of a garbage collector; `dropped` collections of the process were too many to tell.
pub fn collector(to: &mut Datagram, interpreter: &str, state: &Collector, dropped: u64) {
    to.text(8, interpreter);
    let numbers =
        [state.count, state.threshold, state.collections, state.collected, state.uncollectable];
    for (id, number) in (300..).zip(numbers.as_flattened()) {
        to.count(id, *number);
    }
    to.count(315, state.is_enabled.into());
    to.count(316, state.frozen);
    to.count(317, dropped);
}

/// One garbage collection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Collection {
    /// When it began, µs since the epoch.
    pub start: i64,
    /// How long it took.
    pub duration: Duration,
    /// The oldest generation that was collected.
    pub generation: u64,
    /// Objects that were collected.
    pub collected: u64,
    /// Objects that could not be.
    pub uncollectable: u64,
}

/// One garbage collection.
pub fn collection(to: &mut Datagram, interpreter: &str, collection: &Collection) {
    to.text(8, interpreter);
    to.float(320, seconds(collection.start));
    to.float(321, collection.duration.as_secs_f64());
    to.count(322, collection.generation);
    to.count(323, collection.collected);
    to.count(324, collection.uncollectable);
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// µs since the epoch in seconds.
fn seconds(microseconds: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for every date that can occur")]
    let microseconds = microseconds as f64;
    microseconds / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::{Finished, Recorder},
        telemetry::{Kind, LONGEST},
    };

    fn datagram(kind: Kind) -> Datagram {
        Datagram::new(kind, 1, 1, 0.0)
    }

    /// The ids of the fields, in their order.
    fn ids(datagram: &Datagram) -> Vec<u16> {
        let mut rest = &datagram.bytes()[24..];
        let mut ids = Vec::new();
        while let [low, high, class, value @ ..] = rest {
            ids.push(u16::from_le_bytes([*low, *high]));
            let length =
                |size: usize| 2 + size * usize::from(u16::from_le_bytes([value[0], value[1]]));
            let length = match class {
                1..=3 => 8,
                4 => length(1),
                5 => length(4),
                _ => length(8),
            };
            rest = &value[length..];
        }
        ids
    }

    fn report(threads: usize, requests: u32) -> Report {
        let mut recorder = Recorder::new(threads, Duration::ZERO, Cpu::default());
        for thread in 0..requests {
            let place = recorder.begin(thread, Duration::ZERO);
            recorder.end(place, Some(&Finished::default()), Duration::from_secs(1));
        }
        recorder.drain(Duration::from_secs(1), Cpu::default())
    }

    fn ticked(threads: usize, requests: u32, group: &str) -> Datagram {
        let mut to = datagram(Kind::Tick);
        let who = Identity { group: group.to_owned(), version: "6".into(), ..Identity::default() };
        let settings = Settings::default();
        tick(&mut to, &who, &settings, &report(threads, requests), &Usage::default());
        to
    }

    #[test]
    fn idle_ticks_have_no_extremes_and_children_no_queue() {
        let has = |datagram: &Datagram, id| ids(datagram).contains(&id);
        let (busy, idle) = (ticked(2, 1, "app"), ticked(2, 0, "app"));
        for id in [60, 61, 67, 90, 97, 110, 114, 120, 124] {
            assert!(has(&busy, id) && has(&idle, id), "{id}");
        }
        for id in [70, 77, 80, 87] {
            assert!(has(&busy, id) && !has(&idle, id), "{id}");
        }
        let child = ticked(2, 1, "");
        assert!(has(&child, 60) && !has(&child, 61) && !has(&child, 92) && !has(&child, 6));
    }

    #[test]
    fn a_tick_fits_however_many_threads_there_are() {
        let most = ticked(5000, 3, &"group".repeat(500));
        assert!(most.bytes().len() <= LONGEST);
        assert_eq!(ids(&most).last(), Some(&124), "nothing was left out");
    }

    #[test]
    fn a_slow_request_fits_whatever_it_asked_for() {
        let mut to = datagram(Kind::Slow);
        let long = || "x".repeat(9000);
        let subject = std::array::from_fn(|_| long());
        slow(&mut to, &Slow { log_id: "id".into(), subject, ..Slow::default() });
        assert!(to.bytes().len() <= LONGEST);
        assert_eq!(ids(&to).last(), Some(&261));
    }

    #[test]
    fn the_collectors_numbers_stand_in_their_order() {
        let mut to = datagram(Kind::Collector);
        collector(&mut to, "", &Collector::default(), 0);
        assert_eq!(ids(&to), (300..=317).collect::<Vec<_>>());
        let mut to = datagram(Kind::Collection);
        collection(&mut to, "group", &Collection::default());
        assert_eq!(ids(&to), [8, 320, 321, 322, 323, 324]);
    }

    #[test]
    fn the_end_of_a_process() {
        let who = Identity { host: "here".into(), ..Identity::default() };
        let mut to = datagram(Kind::Stopping);
        stopping(&mut to, &who, "", 1);
        assert_eq!(ids(&to), [5, 133]);
        let mut to = datagram(Kind::Stopped);
        stopped(&mut to, &who, &Stopped::default());
        assert_eq!(ids(&to), [5, 131, 132, 134, 135]);
        let mut to = datagram(Kind::Started);
        started(&mut to, &who, &Settings::default());
        assert_eq!(ids(&to), [5, 7, 13]);
    }
}
