//! Times of lines: RFC 3339, UTC, microseconds, always 27 bytes. Proleptic Gregorian calendar,
//! days counted as in Howard Hinnant's "chrono-compatible low-level date algorithms".

use core::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 86_400;
const DAY_US: u64 = 86_400_000_000;
const SECOND_US: u64 = 1_000_000;
/// 9999-12-31T23:59:59.999999Z: the year has four digits.
const LAST_US: u64 = 253_402_300_799_999_999;

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Stamp(pub u64);

impl Stamp {
    /// `2026-11-20T16:33:04.123456Z` is this long.
    pub const LEN: usize = 27;

    /// The moment as text; moments after the year 9999 are shown as its end.
    #[must_use]
    pub fn text(self) -> [u8; Self::LEN] {
        let us = self.0.min(LAST_US);
        let (second, fraction) = (us / SECOND_US, us % SECOND_US);
        let (year, month, day) = civil(second / DAY_S);
        let of_day = second % DAY_S;
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        [
            digit(year / 1000),
            digit(year / 100),
            digit(year / 10),
            digit(year),
            b'-',
            digit(month / 10),
            digit(month),
            b'-',
            digit(day / 10),
            digit(day),
            b'T',
            digit(hour / 10),
            digit(hour),
            b':',
            digit(minute / 10),
            digit(minute),
            b':',
            digit(second / 10),
            digit(second),
            b'.',
            digit(fraction / 100_000),
            digit(fraction / 10_000),
            digit(fraction / 1000),
            digit(fraction / 100),
            digit(fraction / 10),
            digit(fraction),
            b'Z',
        ]
    }

    /// The moment that exactly these 27 bytes say; nothing else is a stamp.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text: &[u8; Self::LEN] = text.try_into().ok()?;
        let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', rest @ ..] = text else {
            return None;
        };
        let [h0, h1, b':', n0, n1, b':', s0, s1, b'.', f0, f1, f2, f3, f4, f5, b'Z'] = rest else {
            return None;
        };
        let day = days(number(&[*y0, *y1, *y2, *y3])?, number(&[*m0, *m1])?, number(&[*d0, *d1])?)?;
        let of_day = seconds(number(&[*h0, *h1])?, number(&[*n0, *n1])?, number(&[*s0, *s1])?)?;
        let fraction = number(&[*f0, *f1, *f2, *f3, *f4, *f5])?;
        day.checked_mul(DAY_S)?
            .checked_add(of_day)?
            .checked_mul(SECOND_US)?
            .checked_add(fraction)
            .map(Self)
    }

    /// Now, by the wall clock; a clock before 1970 is at 1970.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// So much earlier; never before 1970.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// So much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn second(self) -> u64 {
        self.0 / SECOND_US
    }

    /// Midnight, UTC, of its day.
    #[must_use]
    pub fn midnight(self) -> Self {
        Self(self.0.saturating_sub(self.0 % DAY_US))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// The number that these decimal digits say.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |sum, byte| {
        let value = byte.is_ascii_digit().then(|| u64::from(*byte & 0xf))?;
        sum.checked_mul(10)?.checked_add(value)
    })
}

/// Days from 1970-01-01 to a date from 1970 to 9999; `None` for dates that do not exist.
#[expect(clippy::arithmetic_side_effects, reason = "all operands are checked and below 10,000")]
pub(crate) fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    // The year begins in March, so that the leap day is its last.
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Seconds since midnight; `None` for times that do not exist. A leap second is none of ours.
pub(crate) fn seconds(hour: u64, minute: u64, second: u64) -> Option<u64> {
    (hour < 24 && minute < 60 && second < 60)
        .then(|| hour.saturating_mul(3600).saturating_add(minute.saturating_mul(60)))
        .map(|s| s.saturating_add(second))
}

/// Year, month and day of a day since 1970-01-01.
#[expect(clippy::arithmetic_side_effects, reason = "a day is at most that of the year 9999")]
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}

/// The last decimal digit.
fn digit(value: u64) -> u8 {
    b'0' | u8::try_from(value % 10).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_rfc_3339_in_utc() {
        // Known moments, from date(1).
        for (us, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (1_795_192_384_123_456, "2026-11-20T16:33:04.123456Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (u64::MAX, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Stamp(us).to_string(), text);
        }
    }

    #[test]
    fn every_day_of_400_years_is_the_one_after_the_last() {
        // One whole era of the calendar, counted without the formulas.
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for n in 0..146_097 {
            assert_eq!(civil(n), (year, month, day));
            assert_eq!(days(year, month, day), Some(n));
            if days(year, month, day + 1).is_some() {
                day += 1;
            } else if month < 12 {
                (month, day) = (month + 1, 1);
            } else {
                (year, month, day) = (year + 1, 1, 1);
            }
        }
        assert_eq!((year, month, day), (2370, 1, 1));
    }

    #[test]
    fn only_real_moments_parse() {
        // Wrong lengths, separators, digits, dates and times.
        for bad in [
            "",
            "2026-11-20T16:33:04.123456",
            "2026-11-20T16:33:04.123456Z ",
            "2026-11-20 16:33:04.123456Z",
            "2026-02-29T16:33:04.123456Z",
            "2026-13-20T16:33:04.123456Z",
            "2026-00-20T16:33:04.123456Z",
            "2026-11-00T16:33:04.123456Z",
            "2026-11-31T16:33:04.123456Z",
            "2026-11-20T24:33:04.123456Z",
            "2026-11-20T16:60:04.123456Z",
            "2026-11-20T16:33:60.123456Z",
            "1969-11-20T16:33:04.123456Z",
            "2026-11-20T16:33:04.12345xZ",
        ] {
            assert_eq!(Stamp::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_and_parse_agree(us in 0..=LAST_US) {
            prop_assert_eq!(Stamp::parse(&Stamp(us).text()), Some(Stamp(us)));
        }

        #[test]
        fn order_of_texts_is_order_of_moments(a in 0..=LAST_US, b in 0..=LAST_US) {
            prop_assert_eq!(Stamp(a).text().cmp(&Stamp(b).text()), a.cmp(&b));
        }
    }
}
