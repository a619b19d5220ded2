//! What time it is.

use rustix::time::{ClockId, Timespec, clock_gettime};
use unit::Instant;

/// Microseconds, CLOCK_MONOTONIC.
pub fn now() -> Instant {
    Instant(micros(clock_gettime(ClockId::Monotonic)))
}

/// The clock that process start times are on, in its ticks of 10 ms.
///
/// USER_HZ has been 100 on every architecture we run on since Linux 2.6.
pub fn ticks() -> u64 {
    micros(clock_gettime(ClockId::Boottime)) / 10_000
}

fn micros(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}
