//! Seats, lids and sleep.

use super::Case;
use crate::finding::Verdict;

/// One at most gives out the screen.
pub fn seat_manager(case: &Case<'_>) -> Verdict {
    let running: Vec<&str> = case
        .with
        .words("names")
        .filter(|name| case.system.processes_named(name).next().is_some())
        .collect();
    match running.as_slice() {
        [] => Verdict::Holds("none runs".into()),
        [one] => Verdict::Holds((*one).into()),
        several => Verdict::fails(format!("{} run", several.join(" and "))),
    }
}

/// One at most acts when the lid closes.
pub fn lid_handler(case: &Case<'_>) -> Verdict {
    let has = |name: &str| case.system.processes_named(name).next().is_some();
    if has("acpid") && has("elogind") {
        return Verdict::fails("acpid and elogind both run");
    }
    Verdict::Holds("one at most".into())
}

/// How the machine sleeps.
pub fn suspend(case: &Case<'_>) -> Verdict {
    let Some(modes) = case.system.word("/sys/power/mem_sleep").filter(|modes| !modes.is_empty())
    else {
        return Verdict::fails("the kernel cannot suspend this machine");
    };
    let chosen =
        modes.split_whitespace().find_map(|mode| mode.strip_prefix('[')?.strip_suffix(']'));
    Verdict::Holds(format!("{} of {modes}", chosen.unwrap_or("none")))
}

#[cfg(test)]
mod tests {
    use super::super::ask;
    use super::*;
    use crate::system::testing::Machine;

    #[test]
    fn two_seat_managers_are_one_too_many() {
        let with = [("names", "seatd elogind systemd-logind")];
        let ask = |machine: Machine| ask("seat-manager", &machine, &with);
        assert!(matches!(ask(Machine::new()), Verdict::Holds(_)));
        let one = || Machine::new().process(7, "seatd");
        assert_eq!(ask(one()), Verdict::Holds("seatd".into()));
        assert_eq!(ask(one().process(8, "elogind")), Verdict::fails("seatd and elogind run"));
    }

    #[test]
    fn two_that_close_the_lid_are_one_too_many() {
        let one = || Machine::new().process(7, "acpid");
        assert!(matches!(ask("lid-handler", &one(), &[]), Verdict::Holds(_)));
        let two = one().process(8, "elogind");
        assert!(matches!(ask("lid-handler", &two, &[]), Verdict::Fails(_)));
    }

    #[test]
    fn a_machine_sleeps_in_one_way_or_not_at_all() {
        let modes = |text| ask("suspend", &Machine::new().file("/sys/power/mem_sleep", text), &[]);
        assert_eq!(modes("[s2idle] deep\n"), Verdict::Holds("s2idle of [s2idle] deep".into()));
        assert!(matches!(ask("suspend", &Machine::new(), &[]), Verdict::Fails(_)));
    }
}
