//! The parts that a request's time is divided into, and what was seen of each.

use std::time::Duration;

use super::{Figures, histogram::Histogram};

/// A part of a request's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// In httpd, until it turns to the daemon or calls the application.
    Server,
    /// Until the daemon has taken the request; daemons only.
    Queue,
    /// In the daemon, until the application is called; daemons only.
    Daemon,
    /// In the application, until what it returned is closed.
    Application,
    /// All of these.
    Request,
    /// Waits for the interpreter's lock, part of the above.
    GilWait,
    /// Waits for the request body, part of the above.
    InputRead,
    /// Sending of the response, part of the above unless the application has ended before.
    OutputWrite,
}

impl Phase {
    /// All, in the order of their numbers in telemetry.
    pub const ALL: [Self; 8] = [
        Self::Server,
        Self::Queue,
        Self::Daemon,
        Self::Application,
        Self::Request,
        Self::GilWait,
        Self::InputRead,
        Self::OutputWrite,
    ];

    /// Its name in `request_metrics()`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server_time",
            Self::Queue => "queue_time",
            Self::Daemon => "daemon_time",
            Self::Application => "application_time",
            Self::Request => "request_time",
            Self::GilWait => "gil_wait_time",
            Self::InputRead => "input_read_time",
            Self::OutputWrite => "output_write_time",
        }
    }
}

impl Figures {
    /// How long the request was in a phase; `None` for one that it does not have. What has not
    /// begun takes no time.
    pub fn time_in(&self, phase: Phase) -> Option<Duration> {
        let stamps = &self.stamps;
        let is_daemon = stamps.daemon_start != 0;
        let queued = if is_daemon { stamps.queue_start } else { stamps.application_start };
        match phase {
            Phase::Server => Some(between(stamps.request_start, queued)),
            Phase::Queue => is_daemon.then(|| between(stamps.queue_start, stamps.daemon_start)),
            Phase::Daemon => {
                is_daemon.then(|| between(stamps.daemon_start, stamps.application_start))
            }
            Phase::Application => {
                Some(between(stamps.application_start, stamps.application_finish))
            }
            Phase::Request => {
                let parts = [Phase::Server, Phase::Queue, Phase::Daemon, Phase::Application];
                Some(parts.into_iter().filter_map(|part| self.time_in(part)).sum())
            }
            Phase::GilWait => Some(self.lock.time),
            Phase::InputRead => Some(self.input.time),
            Phase::OutputWrite => Some(self.output.time),
        }
    }
}

/// The time between two stamps; nothing where one is missing or the clock was set back.
fn between(start: i64, end: i64) -> Duration {
    if start == 0 || end == 0 {
        return Duration::ZERO;
    }
    Duration::from_micros(u64::try_from(end.saturating_sub(start)).unwrap_or(0))
}

/// What was seen of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Times {
    count: u32,
    sum: Duration,
    range: Option<(Duration, Duration)>,
    histogram: Histogram,
}

impl Times {
    /// Counts one request.
    pub fn add(&mut self, time: Duration) {
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(time);
        let (least, most) = self.range.unwrap_or((time, time));
        self.range = Some((least.min(time), most.max(time)));
        self.histogram.add(time);
    }

    /// The mean; nothing when none was seen.
    pub fn mean(&self) -> Duration {
        self.sum.checked_div(self.count).unwrap_or_default()
    }

    /// The shortest and the longest, when any was seen.
    pub fn range(&self) -> Option<(Duration, Duration)> {
        self.range
    }

    /// By size.
    pub fn histogram(&self) -> &Histogram {
        &self.histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Flow, Stamps};

    fn stamped(stamps: [i64; 5]) -> Figures {
        let [request_start, queue_start, daemon_start, application_start, application_finish] =
            stamps;
        let stamps = Stamps {
            request_start,
            queue_start,
            daemon_start,
            application_start,
            application_finish,
        };
        Figures { stamps, ..Figures::default() }
    }

    fn times(figures: &Figures) -> [Option<u64>; 5] {
        [Phase::Server, Phase::Queue, Phase::Daemon, Phase::Application, Phase::Request]
            .map(|phase| figures.time_in(phase).map(|time| time.as_micros() as u64))
    }

    #[test]
    fn the_phases_of_a_request_to_a_daemon_follow_each_other() {
        let figures = stamped([100, 103, 110, 130, 200]);
        assert_eq!(times(&figures), [Some(3), Some(7), Some(20), Some(70), Some(100)]);
    }

    #[test]
    fn an_embedded_request_has_no_queue_and_no_daemon() {
        let figures = stamped([100, 0, 0, 130, 200]);
        assert_eq!(times(&figures), [Some(30), None, None, Some(70), Some(100)]);
    }

    #[test]
    fn what_did_not_happen_and_clocks_set_back_take_no_time() {
        let never_called = stamped([100, 103, 110, 0, 0]);
        assert_eq!(times(&never_called), [Some(3), Some(7), Some(0), Some(0), Some(10)]);
        let set_back = stamped([100, 103, 110, 50, 60]);
        assert_eq!(times(&set_back), [Some(3), Some(7), Some(0), Some(10), Some(20)]);
    }

    #[test]
    fn input_output_and_waits_have_their_own_clocks() {
        let flow = |micros| Flow { time: Duration::from_micros(micros), ..Flow::default() };
        let figures =
            Figures { input: flow(1), output: flow(2), lock: flow(3), ..Figures::default() };
        let found = [Phase::InputRead, Phase::OutputWrite, Phase::GilWait]
            .map(|phase| figures.time_in(phase).unwrap().as_micros());
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn mean_range_and_sizes() {
        let mut times = Times::default();
        assert_eq!((times.mean(), times.range()), (Duration::ZERO, None));
        for micros in [3000, 1000, 8000] {
            times.add(Duration::from_micros(micros));
        }
        assert_eq!(times.mean(), Duration::from_micros(4000));
        let range = (Duration::from_micros(1000), Duration::from_micros(8000));
        assert_eq!(times.range(), Some(range));
        assert_eq!(times.histogram().counts().iter().sum::<u32>(), 3);
    }
}
