//! The clock that all processes of the machine share, in ns.

use rustix::time::{ClockId, clock_gettime};

/// Now.
pub fn nanoseconds() -> u64 {
    read(ClockId::Monotonic)
}

/// Now or up to a tick of the kernel ago, which is quicker to say.
pub fn recent_nanoseconds() -> u64 {
    read(ClockId::MonotonicCoarse)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Neither is ever below zero.
    let (seconds, rest) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
}
