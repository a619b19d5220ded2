//! Moments as people type them. All are UTC, as the stamps in the files are.

use std::time::Duration;

use crate::{
    Stamp,
    stamp::{days, number, seconds},
};

/// What was typed is no moment.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "cannot read the time \"{0}\": write 10m, 2h30m, 3d, today, yesterday, 16:33, 2026-11-20, \
     \"2026-11-20 16:33:04\" or 2026-11-20T16:33:04Z (UTC)"
)]
pub struct TimeError(pub String);

/// The moment that `text` means at the moment `now`: a time ago (`10m`, `2h30m`), a day (`today`,
/// `yesterday`, `2026-11-20`: its first moment), a time of today (`16:33`), or RFC 3339, in which
/// a space may stand for the T and the time zone may be left out.
///
/// # Errors
/// It is none of these.
pub fn parse_time(text: &str, now: Stamp) -> Result<Stamp, TimeError> {
    let day = Duration::from_secs(86_400);
    let moment = match text.trim() {
        "now" => Some(now),
        "today" => Some(now.midnight()),
        "yesterday" => Some(now.midnight().before(day)),
        text => ago(text)
            .map(|duration| now.before(duration))
            .or_else(|| Some(now.midnight().after(time_of_day(text)?)))
            .or_else(|| date_time(text)),
    };
    moment.ok_or_else(|| TimeError(text.to_owned()))
}

/// `90s`, `10m`, `2h30m`, `3d`, `1w`, `500ms`; also with `ago` behind it.
fn ago(text: &str) -> Option<Duration> {
    let mut rest = text.strip_suffix("ago").unwrap_or(text).trim_end();
    if rest.is_empty() {
        return None;
    }
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (value, tail) = rest.split_at_checked(digits).filter(|_| digits > 0)?;
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters)?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" | "sec" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        let value_ms = number(value.as_bytes())?.checked_mul(unit_ms)?;
        sum = sum.checked_add(Duration::from_millis(value_ms))?;
        rest = tail.trim_start();
    }
    Some(sum)
}

/// `2026-11-20`, `2026-11-20T16:33`, `2026-11-20 16:33:04.5+01:00`.
fn date_time(text: &str) -> Option<Stamp> {
    let (date, time) = match text.split_at_checked(10)? {
        (date, "") => (date, None),
        (date, rest) => (date, Some(rest.strip_prefix(['T', 't', ' '])?)),
    };
    let mut parts = date.split('-');
    let (year, month, of_month) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || of_month.len() != 2 {
        return None;
    }
    let value = |digits: &str| number(digits.as_bytes());
    let day = days(value(year)?, value(month)?, value(of_month)?)?;
    let midnight = Stamp(0).after(Duration::from_secs(day.checked_mul(86_400)?));
    let Some(time) = time else { return Some(midnight) };
    let (time, east, offset) = zone(time)?;
    let local = midnight.after(time_of_day(time)?);
    Some(if east { local.before(offset) } else { local.after(offset) })
}

/// A time without its zone; whether the zone is east of Greenwich; and by how much.
fn zone(time: &str) -> Option<(&str, bool, Duration)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, true, Duration::ZERO));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, true, Duration::ZERO)) };
    let (time, offset) = time.split_at_checked(at)?;
    let (east, offset) = (offset.starts_with('+'), offset.get(1..)?);
    Some((time, east, time_of_day(offset).filter(|_| offset.len() == 5)?))
}

/// `16:33`, `16:33:04`, `16:33:04.123456`.
fn time_of_day(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<&str> = whole.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (*hour, *minute, "00"),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    let two_digits = [hour, minute, second].iter().all(|part| part.len() == 2);
    if !two_digits || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let value = |digits: &str| number(digits.as_bytes());
    let of_day = seconds(value(hour)?, value(minute)?, value(second)?)?;
    let scale = 10_u64.checked_pow(u32::try_from(9_usize.checked_sub(fraction.len())?).ok()?)?;
    let nanos = value(fraction)?.checked_mul(scale)?;
    Duration::from_secs(of_day).checked_add(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Stamp = Stamp(1_795_192_384_123_456);

    #[test]
    fn people_type_times_like_these() {
        // One of each kind, and what it means at 2026-11-20T16:33:04.123456Z.
        for (text, meaning) in [
            ("now", "2026-11-20T16:33:04.123456Z"),
            ("today", "2026-11-20T00:00:00.000000Z"),
            ("yesterday", "2026-11-19T00:00:00.000000Z"),
            ("10m", "2026-11-20T16:23:04.123456Z"),
            ("2h30m ago", "2026-11-20T14:03:04.123456Z"),
            ("90s", "2026-11-20T16:31:34.123456Z"),
            ("1w1d", "2026-11-12T16:33:04.123456Z"),
            ("500ms", "2026-11-20T16:33:03.623456Z"),
            ("16:30", "2026-11-20T16:30:00.000000Z"),
            ("16:30:05.25", "2026-11-20T16:30:05.250000Z"),
            ("2026-11-01", "2026-11-01T00:00:00.000000Z"),
            ("2026-11-01 12:00", "2026-11-01T12:00:00.000000Z"),
            ("2026-11-01T12:00:01Z", "2026-11-01T12:00:01.000000Z"),
            ("2026-11-01T12:00:01.5+01:30", "2026-11-01T10:30:01.500000Z"),
            ("2026-11-01t12:00:01-08:00", "2026-11-01T20:00:01.000000Z"),
        ] {
            assert_eq!(parse_time(text, NOW).unwrap().to_string(), meaning, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        // The message says what would be one.
        for text in [
            "",
            "10",
            "m",
            "10x",
            "-5m",
            "2026-02-29",
            "2026-1-1",
            "24:00",
            "1:00",
            "16:30:",
            "2026-11-01T",
            "2026-11-01T12:00+1",
            "2026-11-01T12:00Z+01:00",
            "tomorrow",
            "99999999999999999999s",
            "2026-11-0é",
            "ago",
        ] {
            assert_eq!(parse_time(text, NOW), Err(TimeError(text.to_owned())));
        }
        let text = TimeError("10x".to_owned()).to_string();
        assert!(text.starts_with("cannot read the time \"10x\": write 10m, "));
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_an_error(text in ".{0,40}") {
            let _ = parse_time(&text, NOW);
        }

        #[test]
        fn a_stamp_is_a_time(us in 0..=253_402_300_799_999_999_u64) {
            prop_assert_eq!(parse_time(&Stamp(us).to_string(), NOW), Ok(Stamp(us)));
        }
    }
}
