//! What the machine has.

use super::Case;
use crate::{finding::Verdict, system::field};

/// Without privileges some things cannot be seen.
pub fn root(case: &Case<'_>) -> Verdict {
    if case.system.is_root() {
        return Verdict::Holds("running as root".into());
    }
    Verdict::fails("not running as root: some checks cannot look")
}

/// Those that we may run on.
pub fn cpus(case: &Case<'_>) -> Verdict {
    let Some(list) = case.system.own_status("Cpus_allowed_list") else {
        return Verdict::Unknown("/proc/self/status does not say".into());
    };
    let count = ranges(&list);
    let found = format!("{count} {}", if count == 1 { "processor" } else { "processors" });
    let minimum = case.with.number("minimum");
    if count >= minimum {
        return Verdict::Holds(found);
    }
    Verdict::fails(format!("{found}, and {minimum} are needed"))
}

/// All that the kernel has to give.
pub fn memory(case: &Case<'_>) -> Verdict {
    let text = case.system.text("/proc/meminfo").unwrap_or_default();
    let total = field(&text, "MemTotal").and_then(|value| value.strip_suffix(" kB"));
    let Some(total) = total.and_then(|kib| kib.trim().parse::<u64>().ok()) else {
        return Verdict::Unknown("/proc/meminfo does not say".into());
    };
    let (mib, minimum) = (total / 1024, case.with.number("minimum-mb"));
    if mib >= minimum {
        return Verdict::Holds(format!("{mib} MiB"));
    }
    Verdict::fails(format!("{mib} MiB, and {minimum} are needed"))
}

/// How many are in a list like `0-3,8`.
fn ranges(list: &str) -> u64 {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    list.split(',').filter_map(range).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::super::ask;
    use super::*;
    use crate::system::testing::Machine;

    #[test]
    fn root_is_who_has_its_effective_identity() {
        let who = |uid: &str| {
            let machine = Machine::new().file("/proc/self/status", &format!("Uid:\t{uid}\n"));
            ask("root", &machine, &[])
        };
        assert_eq!(who("1000\t0\t0\t0"), Verdict::Holds("running as root".into()));
        assert!(matches!(who("0\t1000\t0\t0"), Verdict::Fails(_)));
    }

    #[test]
    fn processors_that_we_may_not_run_on_do_not_count() {
        let cpus = |list: &str| {
            let status = format!("Cpus_allowed_list:\t{list}\n");
            let machine = Machine::new().file("/proc/self/status", &status);
            ask("cpus", &machine, &[("minimum", "2")])
        };
        assert_eq!(cpus("0-3,8"), Verdict::Holds("5 processors".into()));
        assert_eq!(cpus("7"), Verdict::fails("1 processor, and 2 are needed"));
        assert!(matches!(ask("cpus", &Machine::new(), &[]), Verdict::Unknown(_)));
    }

    #[test]
    fn memory_is_counted_in_mebibytes() {
        let memory = |kib: u64| {
            let machine = Machine::new()
                .file("/proc/meminfo", &format!("MemTotal:       {kib} kB\nMemFree: 1 kB\n"));
            ask("memory", &machine, &[("minimum-mb", "1700")])
        };
        assert_eq!(memory(1700 * 1024), Verdict::Holds("1700 MiB".into()));
        assert_eq!(memory(1700 * 1024 - 1), Verdict::fails("1699 MiB, and 1700 are needed"));
    }
}
