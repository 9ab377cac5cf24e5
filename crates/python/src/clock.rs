//! Clocks for what is measured in every request: as numbers, because `Instant` and `SystemTime` take
//! longer to compare two of theirs than to read one.

/// ns of a clock that is never set.
pub(crate) fn nanoseconds() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// µs since the epoch.
pub(crate) fn since_epoch() -> i64 {
    i64::try_from(read(libc::CLOCK_REALTIME) / 1000).unwrap_or(i64::MAX)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the time; a clock that every Linux has.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    // Neither is ever below zero.
    let (seconds, rest) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    #[test]
    fn they_are_the_clocks_of_the_standard_library() {
        let std = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
        assert!((since_epoch() - std).abs() < 1_000_000);
        let start = nanoseconds();
        std::thread::sleep(Duration::from_millis(2));
        assert!((2_000_000..10_000_000_000).contains(&(nanoseconds() - start)));
    }
}
