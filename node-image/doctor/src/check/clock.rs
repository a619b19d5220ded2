//! What time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use facts::{Section, Severity};

use super::Case;
use crate::finding::Verdict;

const DAY: u64 = 86_400;
/// A certificate of a cluster is valid for less; a machine that was switched off for longer wants
/// looking at anyway.
const YEARS_MAX: u64 = 10;
/// Written when the system was, or since.
const FILES: [&str; 3] = ["/etc/os-release", "/etc/machine-id", "/var/lib/cooper/graph/current"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Somebody disciplines the clock, and says so to the kernel.
pub fn synchronised(case: &Case<'_>) -> Verdict {
    if !case.system.is_running() {
        return Verdict::Unknown("the kernel of that machine cannot be asked".into());
    }
    match sys::clock::is_synchronised() {
        Ok(true) => Verdict::Holds("the kernel's clock is synchronised".into()),
        Ok(false) => Verdict::fails("nobody has synchronised the kernel's clock since the boot"),
        Err(error) => Verdict::Unknown(error.to_string()),
    }
}

/// Plausible, and as set-up would leave it.
pub fn plausible(case: &Case<'_>) -> Verdict {
    let left = case.left(Section::Clock);
    match (fits(case), left) {
        (Verdict::Fails(fault), Some(_)) => Verdict::Fails(fault).set_up(Section::Clock),
        (Verdict::Holds(_), Some(left)) => left.at_most(Severity::Warning),
        (verdict, _) => verdict,
    }
}

/// Not before the kernel was built, nor long after. A kernel that was built to be repeatable does
/// not say when; then the system's files do, which may be much older than the system.
fn fits(case: &Case<'_>) -> Verdict {
    let today = day_of(SystemTime::now());
    let version = case.system.sysctl("kernel.version").unwrap_or_default();
    if let Some(built) = build_day(&version) {
        return between(today, built);
    }
    let written = FILES.iter().filter_map(|path| {
        let metadata = std::fs::metadata(case.system.path(path)).ok()?;
        metadata.modified().ok().map(day_of)
    });
    match written.max() {
        Some(written) if today < written => {
            Verdict::fails(format!("{}, and files are of {}", date(today), date(written)))
        }
        Some(_) => Verdict::Holds(date(today)),
        None => Verdict::Unknown("neither the kernel nor a file says when it was made".into()),
    }
}

fn day_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) / DAY
}

fn between(today: u64, built: u64) -> Verdict {
    let (shown, since) = (date(today), date(built));
    if today < built {
        return Verdict::fails(format!("{shown}, and the kernel was built on {since}"));
    }
    if today.saturating_sub(built) > YEARS_MAX.saturating_mul(366) {
        let found = format!("{shown}, more than {YEARS_MAX} years after the kernel was built");
        return Verdict::fails(found);
    }
    Verdict::Holds(shown)
}

/// The day in `uname -v`: `… (2025-09-20)` or `… Thu Jan 9 13:09:44 UTC 2025`.
fn build_day(version: &str) -> Option<u64> {
    let words: Vec<&str> = version.split_whitespace().collect();
    let iso = words.iter().rev().find_map(|word| {
        let mut parts = word.trim_matches(['(', ')']).splitn(3, '-').map(str::parse::<u64>);
        let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        days(year, month, day)
    });
    iso.or_else(|| {
        let at = words.iter().position(|word| MONTHS.contains(word))?;
        let month = MONTHS.iter().position(|month| Some(month) == words.get(at))?;
        let day = words.get(at.checked_add(1)?)?.parse().ok()?;
        let year = words.last()?.parse().ok()?;
        days(year, u64::try_from(month).ok()?.checked_add(1)?, day)
    })
}

/// Days since 1970-01-01 of a day in the Gregorian calendar. Years begin in March, so that the
/// odd day is the last one.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month.checked_sub(3)?)
    } else {
        (year.checked_sub(1)?, month.checked_add(9)?)
    };
    let leap = (year / 4).checked_sub(year / 100)?.checked_add(year / 400)?;
    let before = month.checked_mul(153)?.checked_add(2)? / 5;
    let since = year.checked_mul(365)?.checked_add(leap)?.checked_add(before)?.checked_add(day)?;
    // From the 1st of March of the year 0 to 1970, and the day itself.
    since.checked_sub(719_469)
}

/// `2025-09-20`.
fn date(day: u64) -> String {
    // By counting, as `days` is the only place that knows the calendar.
    let fits = |year: u64, month: u64| days(year, month, 1).is_some_and(|first| first <= day);
    let year = (1970..=9999).take_while(|year| fits(*year, 1)).last().unwrap_or(1970);
    let month = (1..=12).take_while(|month| fits(year, *month)).last().unwrap_or(1);
    let first = days(year, month, 1).unwrap_or(day);
    format!("{year}-{month:02}-{:02}", day.saturating_sub(first).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::super::ask;
    use super::*;
    use crate::system::testing::Machine;

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        for (year, month, day, count) in
            [(1970, 1, 1, 0), (1970, 3, 1, 59), (2000, 2, 29, 11_016), (2026, 11, 20, 20_777)]
        {
            assert_eq!(days(year, month, day), Some(count));
            assert_eq!(date(count), format!("{year}-{month:02}-{day:02}"));
        }
        assert_eq!(days(1969, 12, 31), None);
        assert_eq!(days(2000, 13, 1), None);
    }

    #[test]
    fn a_kernel_says_when_it_was_built() {
        let debian = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1 (2025-09-20)";
        assert_eq!(build_day(debian), days(2025, 9, 20));
        let ubuntu = "#52-Ubuntu SMP PREEMPT_DYNAMIC Thu Dec  5 13:09:44 UTC 2024";
        assert_eq!(build_day(ubuntu), days(2024, 12, 5));
        assert_eq!(build_day("#1 SMP"), None);
        assert_eq!(build_day("#1-2 SMP a-b-c"), None);
    }

    #[test]
    fn a_wrong_clock_is_found() {
        let built = days(2025, 9, 20).unwrap();
        assert_eq!(between(built, built), Verdict::Holds("2025-09-20".into()));
        let found = "1970-01-01, and the kernel was built on 2025-09-20";
        assert_eq!(between(0, built), Verdict::fails(found));
        let found = "2038-01-19, more than 10 years after the kernel was built";
        assert_eq!(between(days(2038, 1, 19).unwrap(), built), Verdict::fails(found));
        let machine = Machine::new().file("/proc/sys/kernel/version", "#1 SMP (9998-12-31)\n");
        assert!(matches!(ask("clock-plausible", &machine, &[]), Verdict::Fails(_)));
    }

    /// Where the kernel does not say when it was built, the clock may not be behind the files.
    #[test]
    fn files_are_not_of_tomorrow() {
        let written = |seconds: u64| {
            let machine = Machine::new().file("/etc/os-release", "ID=x");
            let file = std::fs::File::open(machine.system().path("/etc/os-release")).unwrap();
            let then = UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(then).unwrap();
            ask("clock-plausible", &machine, &[])
        };
        assert!(matches!(written(0), Verdict::Holds(_)));
        assert!(matches!(written(DAY * 365 * 200), Verdict::Fails(_)));
        assert!(matches!(ask("clock-plausible", &Machine::new(), &[]), Verdict::Unknown(_)));
    }

    /// What only the kernel tells is not made up for a machine that is not running.
    #[test]
    fn a_directory_has_no_clock() {
        assert!(matches!(ask("time-synchronised", &Machine::new(), &[]), Verdict::Unknown(_)));
    }
}
