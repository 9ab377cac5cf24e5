//! The clocks that all processes of the machine share.

use rustix::time::{ClockId, clock_gettime};

/// Now, in ns of the monotonic clock.
pub fn nanoseconds() -> u64 {
    read(ClockId::Monotonic)
}

/// The same, or up to a tick of the kernel ago: all that the request path has the time for.
pub fn recent_nanoseconds() -> u64 {
    read(ClockId::MonotonicCoarse)
}

/// Now, in µs since the epoch.
pub fn since_epoch() -> i64 {
    i64::try_from(read(ClockId::Realtime) / 1000).unwrap_or(i64::MAX)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Neither is ever below zero.
    let (seconds, rest) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
}
