//! `request-timeout` and `interrupt-timeout`: a request that takes too long is logged with what it
//! is doing and, if so configured, interrupted. One that goes on all the same is given up: another
//! thread takes the place of its thread, and another process that of the process.

use std::time::Duration;

use wsgi_core::{level::Level, reason::Reason, timers::unless_zero};

use super::{Busy, Round};
use crate::{clock::Moment, inspector::Answer, progress::Seen, state::Drain};

/// How long the interpreter lock is waited for before the record is written without a stack.
const LOOK: Duration = Duration::from_secs(1);

/// The overdue requests.
#[derive(Debug, Default)]
pub(super) struct RequestTimeout {
    cases: Vec<Case>,
}

/// A request that has taken too long.
#[derive(Debug)]
struct Case {
    busy: Busy,
    seen: Seen,
    stage: Stage,
    /// The interpreter lock was not free: another thread could run no more than this one.
    is_locked: bool,
}

#[derive(Debug)]
enum Stage {
    /// Its stack is being taken, if it can be, until then.
    Looking(Option<Answer<Option<Vec<String>>>>, Moment),
    /// It was interrupted, and has until then.
    Interrupted(Moment),
    /// Nobody waits for it.
    GivenUp,
}

impl RequestTimeout {
    pub(super) fn check(&mut self, round: &Round) -> Option<Moment> {
        let limit = round.daemon.spec.timers.request_limit(round.daemon.spec.threads)?;
        if round.daemon.drain() == Drain::Stop {
            // What still runs has the shutdown timeout.
            return None;
        }
        let mut next = None;
        for busy in &round.busy {
            let due = busy.since.after(limit);
            if round.now < due {
                next = [next, Some(due)].into_iter().flatten().min();
            } else if !self.knows(busy) {
                self.cases.extend(Case::open(round, *busy));
            }
        }
        for case in &mut self.cases {
            case.advance(round);
        }
        self.cases.retain(|case| {
            matches!(case.stage, Stage::Looking(..)) || case.busy.worker.is_in(case.seen.number)
        });
        let cases = self.cases.iter().filter_map(Case::due);
        cases.chain(next).min()
    }

    fn knows(&self, busy: &Busy) -> bool {
        self.cases
            .iter()
            .any(|case| case.busy.index == busy.index && case.busy.worker.is_in(case.seen.number))
    }
}

impl Case {
    fn open(round: &Round, busy: Busy) -> Option<Self> {
        let seen = busy.worker.look()?;
        let inspectors = round.daemon.inspectors.get()?;
        let (group, thread) = (seen.application_group.clone(), seen.identity);
        let answer =
            inspectors.ask(&seen.application_group, move |host| host.stack(&group, thread));
        let stage = Stage::Looking(answer, round.now.after(LOOK));
        Some(Self { busy, seen, stage, is_locked: false })
    }

    fn due(&self) -> Option<Moment> {
        match self.stage {
            Stage::Looking(_, due) | Stage::Interrupted(due) => Some(due),
            Stage::GivenUp => None,
        }
    }

    fn advance(&mut self, round: &Round) {
        match &self.stage {
            Stage::Looking(answer, until) => {
                let found = answer.as_ref().map_or(Some(&None), Answer::get);
                if found.is_some() || round.now >= *until {
                    self.is_locked = found.is_none();
                    self.report(round, found.and_then(Option::as_ref));
                    self.act(round);
                }
            }
            Stage::Interrupted(until) if round.now >= *until => self.give_up(round),
            Stage::Interrupted(_) | Stage::GivenUp => {}
        }
    }

    fn report(&self, round: &Round, stack: Option<&Vec<String>>) {
        let age = round.now.since(self.seen.since).as_secs_f64();
        let stack = match stack {
            Some(lines) if !lines.is_empty() => {
                format!("Python stack (most recent call last):\n{}", lines.join("\n"))
            }
            Some(_) => "the thread is not in Python.".to_owned(),
            None => "its Python stack is not known, because the interpreter lock is not free."
                .to_owned(),
        };
        round.daemon.log.log(
            Level::WARNING,
            &format!(
                "WSGI1220: Request '{}' has run for {age:.1} seconds in thread {} of daemon process \
                 '{}', longer than its request timeout; {stack}",
                self.seen.subject,
                self.busy.index + 1,
                round.daemon.group(),
            ),
        );
    }

    fn act(&mut self, round: &Round) {
        match unless_zero(round.daemon.spec.timers.interrupt_timeout) {
            Some(time) => {
                self.interrupt(round);
                self.stage = Stage::Interrupted(round.now.after(time));
            }
            None => self.give_up(round),
        }
    }

    fn interrupt(&self, round: &Round) {
        let Some(inspectors) = round.daemon.inspectors.get() else { return };
        let (group, thread) = (self.seen.application_group.clone(), self.seen.identity);
        let (worker, number) = (self.busy.worker, self.seen.number);
        // What has come of it shows when the time is over.
        let _answer = inspectors.ask(&self.seen.application_group, move |host| {
            host.interrupt(&group, thread, &|work| worker.interrupt(number, work))
        });
    }

    fn give_up(&mut self, round: &Round) {
        self.stage = Stage::GivenUp;
        if !self.busy.worker.is_in(self.seen.number) {
            return;
        }
        self.busy.worker.write_off();
        let crew = round.daemon.crew.get().filter(|_| !round.daemon.is_draining());
        // Where none can run, another thread would only take requests from other processes.
        let is_replaced = !self.is_locked && crew.is_some_and(|crew| crew.add());
        let thread = if is_replaced { "another thread takes its place, and " } else { "" };
        round.daemon.log.log(
            Level::WARNING,
            &format!(
                "WSGI1221: Request '{}' is stuck in thread {} of daemon process '{}': {thread}the \
                 process is to be replaced ({}).",
                self.seen.subject,
                self.busy.index + 1,
                round.daemon.group(),
                Reason::RequestTimeout.name(),
            ),
        );
        round.daemon.retire(Reason::RequestTimeout);
    }
}
