//! Clocks, and numbers for people.

use rustix::time::{ClockId, clock_gettime};
use wire::describe::duration;

/// Microseconds on the clock that the state table uses.
pub fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let rest = u64::try_from(now.tv_nsec).unwrap_or(0) / 1000;
    seconds.saturating_mul(1_000_000).saturating_add(rest)
}

/// How long ago, for a table.
pub fn ago(now_us: u64, then_us: u64) -> String {
    duration(now_us.saturating_sub(then_us))
}

/// Wall-clock time of day, UTC, for a stream of events: `16:33:04.123Z`.
pub fn utc_clock() -> String {
    let now = clock_gettime(ClockId::Realtime);
    let day = u64::try_from(now.tv_sec).unwrap_or(0) % 86_400;
    let ms = now.tv_nsec / 1_000_000;
    format!("{:02}:{:02}:{:02}.{ms:03}Z", day / 3600, day / 60 % 60, day % 60)
}

/// Seconds with milliseconds: what a boot is measured in.
pub fn seconds(us: u64) -> String {
    format!("{}.{:03} s", us / 1_000_000, us / 1000 % 1000)
}

/// A number of bytes with a binary unit: `34.1 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut shown = format!("{count} B");
    let mut whole = count;
    for unit in UNITS {
        if whole < 1024 {
            break;
        }
        let tenths = (whole % 1024).saturating_mul(10) / 1024;
        whole /= 1024;
        shown = format!("{whole}.{tenths} {unit}");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_decimal() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (35_756_441, "34.0 MiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn seconds_have_three_decimals() {
        assert_eq!(seconds(0), "0.000 s");
        assert_eq!(seconds(12_034_999), "12.034 s");
    }

    #[test]
    fn the_clock_goes_forward() {
        let first = monotonic_us();
        assert!(first > 0 && monotonic_us() >= first);
    }
}
