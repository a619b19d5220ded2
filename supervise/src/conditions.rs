//! What a service's conditions are about: this machine.

use std::fs;
use std::path::Path;

use graph::{Condition, ConditionTest};
use sys::spawn::PathTest;
use wire::link::Role;

use crate::places::words;

/// Vendors of virtual machines, as DMI has them.
const HYPERVISORS: [&str; 11] = [
    "QEMU",
    "KVM",
    "VMware",
    "innotek",
    "Xen",
    "Bochs",
    "Parallels",
    "BHYVE",
    "Amazon EC2",
    "Google Compute Engine",
    "Microsoft Corporation",
];
/// What names the hardware, by DMI and by device tree.
const HARDWARE: [&str; 5] = [
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/product_family",
    "/sys/class/dmi/id/board_name",
    "/sys/class/dmi/id/sys_vendor",
    "/proc/device-tree/compatible",
];

/// What is known of this machine. Looked up when a condition first asks: most graphs never do.
#[derive(Debug)]
pub struct Facts {
    role: Role,
    command_line: Option<Vec<String>>,
    hardware: Option<String>,
}

impl Facts {
    /// Nothing is looked up yet.
    pub fn new(role: Role) -> Self {
        Self { role, command_line: None, hardware: None }
    }

    /// The index of the first condition that does not hold. Paths are not looked at: there may be
    /// a disk behind them, which is the child's to wait for ([`paths`]).
    pub fn unmet(&mut self, conditions: &[Condition]) -> Option<u8> {
        let unmet = conditions
            .iter()
            .position(|condition| self.holds(&condition.test) == Some(condition.negated));
        unmet.map(|index| u8::try_from(index).unwrap_or(u8::MAX))
    }

    /// Nothing where it cannot be said here.
    fn holds(&mut self, test: &ConditionTest) -> Option<bool> {
        Some(match test {
            ConditionTest::KernelCommandLine(wanted) => {
                let words = self.command_line.get_or_insert_with(|| words("/proc/cmdline"));
                words.iter().any(|word| is_word(word, wanted))
            }
            ConditionTest::PathExists(_) => return None,
            ConditionTest::Virtualization(kind) => self.virtualization() == kind,
            ConditionTest::Architecture(wanted) => {
                rustix::system::uname().machine().to_str() == Ok(wanted)
            }
            ConditionTest::Hardware(part) => self.hardware().contains(part.as_str()),
        })
    }

    fn virtualization(&mut self) -> &'static str {
        let marks = ["/run/.containerenv", "/.dockerenv"];
        if self.role == Role::Container || marks.iter().any(|mark| Path::new(mark).exists()) {
            return "container";
        }
        let hardware = self.hardware();
        let known = HYPERVISORS.iter().any(|vendor| hardware.contains(vendor));
        // The device tree of QEMU's `virt` machine.
        if known || hardware.contains("linux,dummy-virt") {
            return "vm";
        }
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flagged = cpu.lines().find(|line| line.starts_with("flags"));
        match flagged.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"))
        {
            true => "vm",
            false => "none",
        }
    }

    fn hardware(&mut self) -> &str {
        self.hardware.get_or_insert_with(|| {
            let texts = HARDWARE.iter().filter_map(|path| fs::read(path).ok());
            let texts: Vec<String> =
                texts.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', "\n")).collect();
            texts.join("\n")
        })
    }
}

/// Those of `conditions` that the child looks at.
pub fn paths(conditions: &[Condition]) -> Vec<PathTest<'_>> {
    (0..=u8::MAX)
        .zip(conditions)
        .filter_map(|(index, condition)| match &condition.test {
            ConditionTest::PathExists(path) => {
                Some(PathTest { index, path, negated: condition.negated })
            }
            ConditionTest::KernelCommandLine(_)
            | ConditionTest::Virtualization(_)
            | ConditionTest::Architecture(_)
            | ConditionTest::Hardware(_) => None,
        })
        .collect()
}

/// `word` is `wanted`, or `wanted=…`; or `wanted,…`: a console has its speed there.
fn is_word(word: &str, wanted: &str) -> bool {
    word.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['=', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_condition_that_does_not_hold_is_named() {
        let path = |path: &str| ConditionTest::PathExists(path.into());
        let condition = |negated, test| Condition { negated, test };
        let mut facts = Facts::new(Role::Container);
        let here = condition(false, path("/proc/self"));
        let absent = condition(true, path("/nowhere/at/all"));
        let container = condition(false, ConditionTest::Virtualization("container".into()));
        let vm = condition(false, ConditionTest::Virtualization("vm".into()));
        let all = [here, absent, container];
        assert_eq!(facts.unmet(&all), None);
        let [here, absent, container] = all;
        let all = [here, container, absent, vm];
        assert_eq!(facts.unmet(&all), Some(3));
        let looked_at_by_the_child: Vec<_> =
            paths(&all).iter().map(|test| (test.index, test.path, test.negated)).collect();
        assert_eq!(
            looked_at_by_the_child,
            [(0, "/proc/self", false), (2, "/nowhere/at/all", true)]
        );
    }

    #[test]
    fn words_of_the_command_line_are_whole() {
        assert!(is_word("quiet", "quiet") && is_word("root=/dev/sda", "root"));
        assert!(is_word("console=ttyS0,115200", "console=ttyS0"));
        assert!(!is_word("console=ttyS01", "console=ttyS0"));
        assert!(!is_word("quietly", "quiet") && !is_word("quiet", "quietly"));
    }
}
