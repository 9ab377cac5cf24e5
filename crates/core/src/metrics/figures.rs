//! The figures of one request.

use std::time::Duration;

/// Something that was done several times: reads, writes, waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// How often.
    pub count: u64,
    /// Bytes in total; 0 where it has none.
    pub bytes: u64,
    /// Time in total.
    pub time: Duration,
}

/// CPU time of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cpu {
    /// In user mode.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
}

impl Cpu {
    /// What was used between `earlier` and this.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }

    /// No more than `limit` in each mode: CPU time is counted in coarser steps than real time.
    #[must_use]
    pub fn at_most(self, limit: Duration) -> Self {
        Self { user: self.user.min(limit), system: self.system.min(limit) }
    }

    /// Both together.
    pub fn total(self) -> Duration {
        self.user + self.system
    }
}

/// When a request passed from one hand to the next: µs since the epoch, 0 for what was not (yet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamps {
    /// httpd took the request.
    pub request_start: i64,
    /// httpd turned to the daemon; 0 embedded.
    pub queue_start: i64,
    /// The daemon took the request; 0 embedded.
    pub daemon_start: i64,
    /// The application was called.
    pub application_start: i64,
    /// What it returned was closed.
    pub application_finish: i64,
}

/// The figures of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Reads of the request body from httpd.
    pub input: Flow,
    /// Blocks that the application produced, whether they were sent or cut off, and the time that
    /// sending took.
    pub output: Flow,
    /// Waits for the interpreter's lock.
    pub lock: Flow,
    /// CPU time of the application, as far as the request's own thread used it.
    pub cpu: Cpu,
    /// When it passed where.
    pub stamps: Stamps,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(user: u64, system: u64) -> Cpu {
        Cpu { user: Duration::from_micros(user), system: Duration::from_micros(system) }
    }

    #[test]
    fn cpu_time_never_runs_backwards_or_faster_than_the_clock() {
        assert_eq!(cpu(50, 70).since(cpu(20, 60)), cpu(30, 10));
        assert_eq!(cpu(50, 70).since(cpu(60, 60)), cpu(0, 10));
        assert_eq!(cpu(50, 70).at_most(Duration::from_micros(60)), cpu(50, 60));
        assert_eq!(cpu(50, 70).total(), Duration::from_micros(120));
    }
}
