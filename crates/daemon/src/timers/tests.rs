//! Tests of the rules with made-up times and a host that is no Python.

use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use wsgi_core::{
    control::{FromDaemon, GroupSpec, decode},
    exchange::{Exchange, Outcome},
    head::{RequestHead, RequestHeadBuilder},
    reason::Reason,
    timers::Timers,
};
use wsgi_ipc::{
    scoreboard::Slots,
    socket::{self, Listener},
};

use super::*;
use crate::{
    host::Host,
    inspector::{INSPECTING, Inspectors},
    startup::Descriptors,
    state::Drain,
};

#[derive(Debug)]
struct Fake;

impl Host for Fake {
    fn serve(&self, _: &RequestHead<'_>, _: &dyn Exchange, _: u32, _: i64) -> Outcome {
        Outcome::Completed
    }

    fn thread_end(&self) {}

    fn stack(&self, _: &[u8], _: u64) -> Option<Vec<String>> {
        Some(vec!["in the test".to_owned()])
    }
}

const THREADS: u32 = 2;

fn daemon(timers: Timers) -> (&'static Daemon, OwnedFd) {
    let (supervisor, control) = socket::pair().unwrap();
    let slots = Slots::create(2 * THREADS).unwrap();
    let listener = Listener::create(1).unwrap().socket;
    let descriptors = Descriptors { listener, control, slots, questions: None };
    let spec = GroupSpec {
        threads: THREADS,
        slots: 2 * THREADS,
        timers,
        processes: 1,
        ..GroupSpec::default()
    };
    let daemon = Daemon::new(spec, 1, 0, descriptors).unwrap();
    (Box::leak(Box::new(daemon)), supervisor)
}

fn head() -> Vec<u8> {
    RequestHeadBuilder::new().finish(&RequestHead::empty())
}

fn round(daemon: &'static Daemon, now: Moment) -> Round {
    Round { now, ..Round::begin(daemon) }
}

fn told(supervisor: &OwnedFd) -> Option<FromDaemon> {
    if !socket::poll_readable(supervisor.as_fd(), 0).unwrap() {
        return None;
    }
    let (bytes, _) = socket::receive_packet(supervisor.as_fd(), 1000).unwrap().unwrap();
    Some(decode(&bytes).unwrap())
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_idle_process_is_looked_at_once_more_and_then_left_alone() {
    let (daemon, _supervisor) = daemon(Timers::default());
    let mut activity = activity::Activity::default();
    let start = Moment::now();
    assert_eq!(activity.check(&round(daemon, start)), None);
    let head = head();
    daemon.begin_request(&daemon.workers[0], &head).end();
    assert!(daemon.is_watched());
    assert_eq!(activity.check(&round(daemon, start)), Some(start.after(SECOND)));
    let between = start.after(SECOND / 2);
    assert_eq!(activity.check(&round(daemon, between)), Some(start.after(SECOND)));
    let later = start.after(SECOND);
    assert_eq!(activity.check(&round(daemon, later)), Some(later.after(SECOND)));
    assert!(!daemon.is_watched());
    assert_eq!(activity.check(&round(daemon, later.after(SECOND))), None);
}

#[test]
fn a_request_that_was_not_noticed_is_found_by_the_last_look() {
    let (daemon, _supervisor) = daemon(Timers::default());
    let mut activity = activity::Activity::default();
    let (start, head) = (Moment::now(), head());
    daemon.begin_request(&daemon.workers[0], &head).end();
    activity.check(&round(daemon, start));
    activity.check(&round(daemon, start.after(SECOND)));
    // It saw the watch before it ended.
    let _running = daemon.workers[1].begin(&head);
    assert!(activity.check(&round(daemon, start.after(2 * SECOND))).is_some());
    assert!(daemon.is_watched());
}

#[test]
fn a_process_is_inactive_only_after_a_request() {
    let (daemon, supervisor) = daemon(Timers { inactivity_timeout: 1, ..Timers::default() });
    let head = head();
    let far = Moment::now().after(100 * SECOND);
    assert_eq!(inactivity::check(&round(daemon, far)), None);
    assert_eq!(told(&supervisor), None, "it has served nothing");
    let running = daemon.begin_request(&daemon.workers[0], &head);
    running.end();
    daemon.note_answered(&daemon.workers[0], true);
    let due = inactivity::check(&round(daemon, Moment::now())).unwrap();
    let running = daemon.begin_request(&daemon.workers[1], &head);
    assert_eq!(inactivity::check(&round(daemon, far)), None);
    assert_eq!(told(&supervisor), None, "a request runs");
    running.end();
    assert_eq!(inactivity::check(&round(daemon, due)), None);
    assert_eq!(told(&supervisor), Some(FromDaemon::Retire(Reason::InactivityTimeout)));
    inactivity::check(&round(daemon, far));
    assert_eq!(told(&supervisor), None, "it is said once");
}

#[test]
fn a_drain_waits_for_requests_within_its_limit() {
    let (daemon, _supervisor) = daemon(Timers::default());
    let mut drain = drain::DrainLimit::default();
    let (start, head) = (Moment::now(), head());
    let _running = daemon.begin_request(&daemon.workers[0], &head);
    daemon.begin_drain(Drain::Graceful, Reason::GracefulSignal);
    assert_eq!(drain.check(&round(daemon, start)), None);
    drain.limit(start.after(2 * SECOND));
    drain.limit(start.after(3 * SECOND));
    assert_eq!(drain.check(&round(daemon, start)), Some(start.after(2 * SECOND)));
    assert_eq!(daemon.drain(), Drain::Graceful);
    drain.check(&round(daemon, start.after(2 * SECOND)));
    assert_eq!(daemon.drain(), Drain::Stop);
}

#[test]
fn a_drain_does_not_wait_for_what_was_given_up() {
    let (daemon, _supervisor) = daemon(Timers::default());
    let (start, head) = (Moment::now(), head());
    let _stuck = daemon.begin_request(&daemon.workers[0], &head);
    let running = daemon.begin_request(&daemon.workers[1], &head);
    daemon.workers[0].write_off();
    daemon.begin_drain(Drain::Graceful, Reason::RequestTimeout);
    let mut drain = drain::DrainLimit::default();
    assert!(drain.check(&round(daemon, start)).is_some(), "it looks again soon");
    assert_eq!(daemon.drain(), Drain::Graceful);
    running.end();
    drain.check(&round(daemon, start));
    assert_eq!(daemon.drain(), Drain::Stop);
}

#[test]
fn an_overdue_request_is_given_up_when_its_time_is_over() {
    let (daemon, supervisor) =
        daemon(Timers { request_timeout: 1, interrupt_timeout: 5, ..Timers::default() });
    daemon.inspectors.get_or_init(|| Inspectors::new(daemon, &Fake, &INSPECTING));
    let mut rule = request::RequestTimeout::default();
    let (start, head) = (Moment::now(), head());
    let running = daemon.begin_request(&daemon.workers[0], &head);
    // 1 + ln(2)
    let due = rule.check(&round(daemon, start)).unwrap();
    let limit = due.since(start);
    assert!(limit > SECOND * 16 / 10 && limit < SECOND * 18 / 10, "{limit:?}");
    // Its stack is there within a second, or the record is written without.
    let mut now = due;
    assert!(rule.check(&round(daemon, now)).is_some());
    now = now.after(SECOND);
    assert_eq!(rule.check(&round(daemon, now)), Some(now.after(5 * SECOND)), "interrupted");
    assert!(!daemon.workers[0].is_written_off() && told(&supervisor).is_none());
    now = now.after(5 * SECOND);
    assert_eq!(rule.check(&round(daemon, now)), None);
    assert!(daemon.workers[0].is_written_off());
    assert_eq!(told(&supervisor), Some(FromDaemon::Retire(Reason::RequestTimeout)));
    running.end();
    assert_eq!(rule.check(&round(daemon, now)), None);
}
