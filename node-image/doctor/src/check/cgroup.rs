//! Cgroups: one hierarchy, every controller, and processes where daemons expect them.

use facts::{Section, Severity};

use super::Case;
use crate::{finding::Verdict, system::cgroup_of};

/// Where the hierarchy is mounted.
const ROOT: &str = "/sys/fs/cgroup";
/// What systemd mounts it with, and daemons therefore count on.
const OPTIONS: [&str; 2] = ["nsdelegate", "memory_recursiveprot"];

/// The second version, and nothing of the first.
pub fn unified(case: &Case<'_>) -> Verdict {
    let mounts = case.system.mounts();
    if let Some(old) = mounts.iter().find(|mount| mount.fstype == "cgroup") {
        let found = format!("a hierarchy of version 1 is mounted on {}", old.at);
        return Verdict::fails(found).fix(
            "take systemd.unified_cgroup_hierarchy=0 off the kernel's command line, or set \
                  rc_cgroup_mode=unified for OpenRC, and boot again",
        );
    }
    match case.system.mount_of(ROOT) {
        Some(mount) if mount.at == ROOT && mount.fstype == "cgroup2" => {
            let missing: Vec<&str> =
                OPTIONS.into_iter().filter(|option| !mount.has(option)).collect();
            if missing.is_empty() {
                return Verdict::Holds(format!("version 2 on {ROOT}"));
            }
            Verdict::fails(format!("mounted without {}", missing.join(", ")))
                .at_most(Severity::Warning)
                .set_up(Section::Mounts)
        }
        Some(_) | None => {
            Verdict::fails(format!("nothing is mounted on {ROOT}")).set_up(Section::Mounts)
        }
    }
}

/// There, and given to those below the root.
pub fn controllers(case: &Case<'_>) -> Verdict {
    let list = |file: &str| {
        let text = case.system.word(&format!("{ROOT}/{file}"))?;
        Some(text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let (Some(there), Some(given)) = (list("cgroup.controllers"), list("cgroup.subtree_control"))
    else {
        return Verdict::Unknown(format!("{ROOT}/cgroup.controllers cannot be read"));
    };
    let among = |list: &[String], name: &str| list.iter().any(|has| has == name);
    let lacking = |key: &str, list: &[String]| {
        let lacking = case.with.words(key).filter(|name| !among(list, name));
        lacking.collect::<Vec<_>>().join(", ")
    };
    let missing = lacking("required", &there);
    if !missing.is_empty() {
        return Verdict::fails(format!("the kernel does not have {missing}"));
    }
    let withheld = lacking("required", &given);
    if !withheld.is_empty() {
        return Verdict::fails(format!("not enabled in {ROOT}/cgroup.subtree_control: {withheld}"))
            .set_up(Section::Cgroups);
    }
    let optional = case.with.words("optional");
    let withheld: Vec<&str> =
        optional.filter(|name| among(&there, name) && !among(&given, name)).collect();
    if !withheld.is_empty() {
        let found = format!("not enabled, and not required: {}", withheld.join(", "));
        return Verdict::fails(found).at_most(Severity::Warning).set_up(Section::Cgroups);
    }
    Verdict::Holds(given.join(" "))
}

/// The firmware of a Raspberry Pi switches it off; of several words the last counts.
pub fn memory_on_the_command_line(case: &Case<'_>) -> Verdict {
    let line = case.system.word("/proc/cmdline").unwrap_or_default();
    let last = line.split_whitespace().rev().find_map(|word| {
        let (key, values) = word.split_once('=')?;
        let is_memory = values.split(',').any(|value| value == "memory");
        match (key, is_memory) {
            ("cgroup_disable", true) => Some(false),
            ("cgroup_enable", true) => Some(true),
            _ => None,
        }
    });
    match last {
        Some(false) => Verdict::fails("cgroup_disable=memory has the last word"),
        Some(true) => Verdict::Holds("cgroup_enable=memory has the last word".into()),
        None => Verdict::Holds("nothing switches it off".into()),
    }
}

/// k3s takes any other place for a container's, and moves everything.
pub fn of_init(case: &Case<'_>) -> Verdict {
    let Some(cgroup) = cgroup_of(case.system, "1") else {
        return Verdict::Unknown("process 1 is in no cgroup of version 2".into());
    };
    if case.with.words("allowed").any(|allowed| allowed == cgroup) {
        return Verdict::Holds(format!("process 1 is in {cgroup}"));
    }
    Verdict::fails(format!("process 1 is in {cgroup}"))
}

#[cfg(test)]
mod tests {
    use super::super::{ask, fault};
    use super::*;
    use crate::system::testing::Machine;

    const UNIFIED: &str = "30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 \
                           rw,nsdelegate,memory_recursiveprot";

    #[test]
    fn one_hierarchy_and_no_other() {
        let ask = |lines: &[&str]| ask("cgroup-v2", &Machine::new().mounts(lines), &[]);
        assert!(matches!(ask(&[UNIFIED]), Verdict::Holds(_)));
        let openrc = "31 24 0:28 / /sys/fs/cgroup/openrc rw - cgroup openrc rw,name=openrc";
        let hybrid = fault(ask(&[UNIFIED, openrc]));
        assert_eq!(hybrid.found, "a hierarchy of version 1 is mounted on /sys/fs/cgroup/openrc");
        let plain = fault(ask(&["30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate"]));
        assert_eq!(plain.found, "mounted without memory_recursiveprot");
        assert_eq!(plain.at_most, Severity::Warning);
        assert_eq!(fault(ask(&[])).set_up, Some(Section::Mounts));
    }

    #[test]
    fn a_controller_may_be_missing_or_withheld() {
        let with = [("required", "cpu memory pids"), ("optional", "hugetlb rdma")];
        let ask = |there: &str, given: &str| {
            let machine = Machine::new()
                .file("/sys/fs/cgroup/cgroup.controllers", there)
                .file("/sys/fs/cgroup/cgroup.subtree_control", given);
            ask("cgroup-controllers", &machine, &with)
        };
        assert!(matches!(ask("cpu memory pids\n", "cpu memory pids\n"), Verdict::Holds(_)));
        let missing = fault(ask("cpu pids", "cpu pids"));
        assert_eq!(
            (missing.found.as_str(), missing.set_up),
            ("the kernel does not have memory", None)
        );
        let withheld = fault(ask("cpu memory pids", "cpu"));
        assert_eq!(
            withheld.found,
            "not enabled in /sys/fs/cgroup/cgroup.subtree_control: memory, pids"
        );
        assert_eq!(withheld.set_up, Some(Section::Cgroups));
        let optional = fault(ask("cpu memory pids hugetlb", "cpu memory pids"));
        assert_eq!(optional.at_most, Severity::Warning);
        assert_eq!(optional.found, "not enabled, and not required: hugetlb");
    }

    #[test]
    fn the_last_word_on_memory_counts() {
        let ask = |line: &str| {
            ask("memory-cgroup-cmdline", &Machine::new().file("/proc/cmdline", line), &[])
        };
        assert!(matches!(ask("quiet cgroup_disable=pids"), Verdict::Holds(_)));
        assert!(matches!(ask("cgroup_disable=memory cgroup_enable=memory\n"), Verdict::Holds(_)));
        assert!(matches!(ask("cgroup_enable=memory cgroup_disable=cpu,memory"), Verdict::Fails(_)));
    }

    #[test]
    fn process_1_is_where_k3s_knows_it() {
        let ask = |cgroup: &str| {
            let machine = Machine::new().file("/proc/1/cgroup", &format!("0::{cgroup}\n"));
            ask("init-cgroup", &machine, &[("allowed", "/ /init.scope")])
        };
        for good in ["/", "/init.scope"] {
            assert_eq!(ask(good), Verdict::Holds(format!("process 1 is in {good}")));
        }
        assert_eq!(ask("/init"), Verdict::fails("process 1 is in /init"));
    }
}
