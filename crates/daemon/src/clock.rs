//! Moments on the monotonic clock, small enough for an atomic.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use wsgi_ipc::clock::{nanoseconds, recent_nanoseconds};

/// A moment, in ms of the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Now.
    pub(crate) fn now() -> Self {
        Self(nanoseconds() / 1_000_000)
    }

    /// Now or up to a tick of the kernel ago: all that the request path has the time for.
    pub(crate) fn recent() -> Self {
        Self(recent_nanoseconds() / 1_000_000)
    }

    /// A while ago.
    pub(crate) fn before_now(time: Duration) -> Self {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self(Self::now().0.saturating_sub(time))
    }

    /// This moment and a while.
    pub(crate) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; nothing when it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A moment that threads share, or none.
#[derive(Debug, Default)]
pub(crate) struct SharedMoment(AtomicU64);

impl SharedMoment {
    /// Sets it.
    pub(crate) fn set(&self, moment: Moment) {
        self.0.store(moment.0, Ordering::Relaxed);
    }

    /// Unsets it.
    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// What was set.
    pub(crate) fn get(&self) -> Option<Moment> {
        Some(Moment(self.0.load(Ordering::Relaxed))).filter(|moment| moment.0 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recent_moment_is_hardly_behind() {
        let (recent, now) = (Moment::recent(), Moment::now());
        assert!(recent <= now && now.since(recent) < Duration::from_millis(100));
        assert_eq!(recent.since(now.after(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!(now.after(Duration::from_secs(2)).since(now), Duration::from_secs(2));
    }

    #[test]
    fn no_moment_was_set() {
        let shared = SharedMoment::default();
        assert_eq!(shared.get(), None);
        let now = Moment::now();
        shared.set(now);
        assert_eq!(shared.get(), Some(now));
        shared.clear();
        assert_eq!(shared.get(), None);
        assert!(Moment::before_now(Duration::from_secs(1)) < now);
    }
}
