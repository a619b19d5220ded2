//! Section `clock`: the time of day, before the network can tell it.
//!
//! A machine without a battery begins in 1970, and no certificate is valid there. So the clock is
//! never left behind the last moment that this machine is known to have seen, as swclock and
//! systemd-timesyncd have it: the modification time of a file that each stop touches. It is never
//! put back: what is ahead is for chronyd to judge.

use std::fs::{self, File};
use std::io;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use facts::section::Clock;
use rustix::time::{ClockId, Timespec, clock_settime};

use crate::looked::{self, Looked, useful};
use crate::{Finding, Report, Root};

/// Its modification time is the last moment that was seen.
const SEEN: &str = "/var/lib/cooper/clock";
/// What a distribution may have to say when it was built; systemd looks at it, too.
const BUILT: &str = "/usr/lib/clock-epoch";
/// 2026-01-01: this was not written before.
const WRITTEN: Duration = Duration::from_secs(1_767_225_600);
/// It is up to us once in a boot.
const DONE: &str = "/run/cooper/clock-is-local";

const WHY: &str = "certificates, and tokens of service accounts, are not valid yet in the past";
const SOURCE: &str = "systemd-timesyncd(8), /var/lib/systemd/timesync/clock";

enum Step {
    /// The hardware clock runs in local time, and the kernel took it for UTC.
    Local,
    Set(SystemTime),
}

/// How it stands.
#[must_use]
pub fn inspect(table: &Clock, root: &Root) -> Vec<Finding> {
    looked::findings(look(table, root, SystemTime::now()))
}

/// Sets it.
pub fn apply(table: &Clock, root: &Root, report: &mut Report<'_>) {
    if table.rtc_is_local {
        let local = look(table, root, SystemTime::now());
        let is_local = |it: &Looked<Step>| matches!(it.step(), Some(Step::Local));
        looked::settle(local.into_iter().filter(is_local).collect(), report, |step| {
            take(step, root)
        });
    }
    let rest = look(&Clock::default(), root, SystemTime::now());
    looked::settle(rest, report, |step| take(step, root));
    save(root, report);
}

/// Remembers this moment: at each start, when it may be right already, and at each stop, when it
/// is.
pub fn save(root: &Root, report: &mut Report<'_>) {
    if let Err(error) = touch(root, SystemTime::now()) {
        let need = useful("the next boot begins no earlier", SOURCE);
        report.failed(&format_args!("cannot touch {SEEN}: {error}"), &need);
    }
}

fn touch(root: &Root, now: SystemTime) -> io::Result<()> {
    let path = root.path(SEEN);
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    file.set_modified(now)?;
    file.sync_all()
}

fn look(table: &Clock, root: &Root, now: SystemTime) -> Vec<Looked<Step>> {
    let need = || useful(WHY, SOURCE);
    let mut looked = Vec::new();
    if table.rtc_is_local && !root.exists(DONE) {
        let why = useful("another system on this machine wants it so", "hwclock(8), --localtime");
        looked.push(Looked::differs("hardware clock", "UTC", "local time", why, Step::Local));
    }
    let (floor, from) = floor(root);
    looked.push(match now < floor {
        false => Looked::holds("clock", date(now), need()),
        true => {
            let wanted = format!("{}, {from}", date(floor));
            Looked::differs("clock", date(now), wanted, need(), Step::Set(floor))
        }
    });
    looked
}

/// The latest moment that is certainly over, and how that is known.
fn floor(root: &Root) -> (SystemTime, &'static str) {
    let written = UNIX_EPOCH.checked_add(WRITTEN).unwrap_or(UNIX_EPOCH);
    let modified = |path: &str| fs::metadata(root.path(path)).and_then(|it| it.modified()).ok();
    let known = [
        (Some(written), "when this was written"),
        (modified(BUILT), "when the image was built"),
        (modified(SEEN), "when it was last seen"),
    ];
    let known = known.into_iter().filter_map(|(time, from)| Some((time?, from)));
    known.max_by_key(|(time, _)| *time).unwrap_or((written, ""))
}

fn take(step: &Step, root: &Root) -> Result<(), String> {
    match step {
        Step::Set(time) => {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            let tv_sec = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
            let time = Timespec { tv_sec, tv_nsec: 0 };
            clock_settime(ClockId::Realtime, time)
                .map_err(|errno| format!("set the clock: {errno}"))
        }
        Step::Local => {
            let mut command = Command::new("hwclock");
            command.args(["--hctosys", "--localtime"]);
            crate::tools::run(&mut command)
                .map_err(|why| format!("read the hardware clock: {why}"))?;
            fs::write(root.path(DONE), "").map_err(|error| format!("write {DONE}: {error}"))
        }
    }
}

/// `2026-11-20T16:33:04Z`.
fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days since 1970 as a date: years begin in March here, so that a leap day is a year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let leaps = (day / 1460).saturating_add(day / 146_096);
    let year = day.saturating_add(day / 36_524).saturating_sub(leaps) / 365;
    let before = (year.saturating_mul(365).saturating_add(year / 4)).saturating_sub(year / 100);
    let day = day.saturating_sub(before);
    let month = day.saturating_mul(5).saturating_add(2) / 153;
    let first = month.saturating_mul(153).saturating_add(2) / 5;
    let is_next_year = month >= 10;
    let month = if is_next_year { month.saturating_sub(9) } else { month.saturating_add(3) };
    let year = era.saturating_mul(400).saturating_add(year);
    let year = year.saturating_add(u64::from(is_next_year));
    (year, month, day.saturating_sub(first).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Machine, said};

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap()
    }

    #[test]
    fn dates_are_as_date_has_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(at(seconds)), text);
        }
    }

    #[test]
    fn the_clock_is_never_behind_what_was_seen_and_never_put_back() {
        let machine = Machine::new(&[]);
        let root = machine.root();
        let look = |now| look(&Clock::default(), &root, now);
        let wanted = |now| match looked::findings(look(now)).remove(0).state {
            State::Differs { wanted, .. } => Some(wanted),
            State::Holds(_) | State::Cannot(_) | State::Hidden(_) => None,
        };
        assert_eq!(wanted(at(0)).as_deref(), Some("2026-01-01T00:00:00Z, when this was written"));
        touch(&root, at(2_000_000_000)).unwrap();
        let seen = Some("2033-05-18T03:33:20Z, when it was last seen");
        assert_eq!(wanted(at(1_999_999_999)).as_deref(), seen);
        assert_eq!(wanted(at(2_000_000_000)), None);
        assert_eq!(wanted(at(3_000_000_000)), None);
        machine.write(BUILT, "");
        let built = File::options().write(true).open(root.path(BUILT)).unwrap();
        built.set_modified(at(2_500_000_000)).unwrap();
        assert!(wanted(at(2_400_000_000)).unwrap().ends_with("when the image was built"));
    }

    #[test]
    fn what_is_seen_is_remembered() {
        let machine = Machine::new(&[]);
        said(|report| save(&machine.root(), report));
        let seen = fs::metadata(machine.root().path(SEEN)).unwrap().modified().unwrap();
        assert!(seen.elapsed().unwrap() < Duration::from_secs(60));
    }
}
