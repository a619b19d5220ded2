//! Where data lies, and memory that is disk.

use std::path::Path;

use facts::{Section, Severity};
use node_setup::swap;

use super::{Case, daemon::KubeletConfig};
use crate::finding::Verdict;

/// None, unless this node has chosen to live with it.
pub fn swap(case: &Case<'_>) -> Verdict {
    if !case.system.exists("/proc/swaps") {
        return Verdict::Holds("the kernel has no swap".into());
    }
    let is_wanted = case.node.settings.swap;
    if let Some(off) = case.left(Section::Swap).filter(|_| is_wanted) {
        return off.at_most(Severity::Warning);
    }
    let used: Vec<String> = swap::active(&case.system.set_up_root()).into_iter().collect();
    if used.is_empty() {
        return Verdict::Holds("none is used".into());
    }
    let found = format!("swap on {}", used.join(", "));
    if case.with.word("allowed") == "yes" {
        return Verdict::Holds(found);
    }
    let kubelet = KubeletConfig::read(case.system);
    if kubelet.value("failSwapOn") == Some("false") {
        return Verdict::Holds(format!("{found}, which kubelet's configuration allows"));
    }
    let fault = Verdict::fails(found);
    // Set-up switches it off unless node.toml wants it.
    if is_wanted { fault } else { fault.set_up(Section::Swap) }
}

/// The type of the file system that a path is on, or will be on.
pub fn data_filesystem(case: &Case<'_>) -> Verdict {
    let path = case.with.word("path");
    let Some(mount) = case.system.mount_of(path) else {
        return Verdict::Unknown(format!("nothing is mounted above {path}"));
    };
    let found = format!("{path} is on {} ({})", mount.fstype, mount.at);
    if case.with.words("types").any(|wanted| wanted == mount.fstype) {
        return Verdict::Holds(found);
    }
    Verdict::fails(found)
}

/// Nothing that is needed is forbidden where a path lies.
pub fn mount_allows(case: &Case<'_>) -> Verdict {
    let path = case.with.word("path");
    let Some(mount) = case.system.mount_of(path) else {
        return Verdict::Unknown(format!("nothing is mounted above {path}"));
    };
    let forbidden: Vec<String> = case
        .with
        .words("needs")
        .map(|need| format!("no{need}"))
        .filter(|option| mount.has(option))
        .collect();
    if forbidden.is_empty() {
        return Verdict::Holds(format!("{} is mounted without such options", mount.at));
    }
    Verdict::fails(format!("{} is mounted {}", mount.at, forbidden.join(",")))
}

/// Room for what grows.
pub fn space(case: &Case<'_>) -> Verdict {
    let path = case.with.word("path");
    let place = case.system.path(path);
    let Some(there) = place.ancestors().find(|place| place.exists()) else {
        return Verdict::Unknown(format!("there is nothing above {path}"));
    };
    match free(there) {
        Ok(free) => {
            enough(path, &free, case.with.number("free-percent"), case.with.number("minimum-mb"))
        }
        Err(error) => Verdict::Unknown(error.to_string()),
    }
}

/// What a file system has left.
struct Free {
    bytes: u64,
    percent: u64,
}

/// As kubelet counts: what is free to anybody, of all that there is.
fn free(path: &Path) -> Result<Free, rustix::io::Errno> {
    let stat = rustix::fs::statvfs(path)?;
    let percent = stat.f_bavail.saturating_mul(100).checked_div(stat.f_blocks).unwrap_or(0);
    Ok(Free { bytes: stat.f_bavail.saturating_mul(stat.f_frsize), percent })
}

fn enough(path: &str, free: &Free, percent: u64, mib: u64) -> Verdict {
    let free_mib = free.bytes >> 20;
    let found = format!("{path}: {free_mib} MiB are free, {} %", free.percent);
    if free.percent < percent {
        return Verdict::fails(format!("{found}; {percent} % are needed"));
    }
    if free_mib < mib {
        return Verdict::fails(format!("{found}; {mib} MiB are needed"));
    }
    Verdict::Holds(found)
}

/// Pages of this size, set aside.
pub fn hugepages(case: &Case<'_>) -> Verdict {
    let (size, minimum) = (case.with.word("size-kb"), case.with.number("minimum"));
    let path = format!("/sys/kernel/mm/hugepages/hugepages-{size}kB/nr_hugepages");
    let Some(count) = case.system.word(&path).and_then(|count| count.parse::<u64>().ok()) else {
        return Verdict::fails(format!("the kernel has no huge pages of {size} KiB"));
    };
    let found = format!("{count} of {size} KiB");
    if count >= minimum {
        return Verdict::Holds(found);
    }
    Verdict::fails(format!("{found}, and {minimum} are needed"))
}

#[cfg(test)]
mod tests {
    use super::super::ask;
    use super::*;
    use crate::{finding::Fault, system::testing::Machine};

    const SWAPS: &str = "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1048572 0 -2\n";

    #[test]
    fn swap_is_off_or_allowed() {
        let swap = |machine: Machine, with: &[(&str, &str)]| ask("swap", &machine, with);
        let on = || Machine::new().file("/proc/swaps", SWAPS);
        assert_eq!(swap(Machine::new(), &[]), Verdict::Holds("the kernel has no swap".into()));
        let head = SWAPS.lines().next().unwrap();
        let off = Machine::new().file("/proc/swaps", head);
        assert_eq!(swap(off, &[]), Verdict::Holds("none is used".into()));
        let fault = Fault {
            found: "swap on /dev/sda2".into(),
            fix: None,
            at_most: Severity::Error,
            set_up: Some(Section::Swap),
        };
        assert_eq!(swap(on(), &[]), Verdict::Fails(fault));
        assert!(matches!(swap(on(), &[("allowed", "yes")]), Verdict::Holds(_)));
        let kubelet = on().file("/var/lib/kubelet/config.yaml", "failSwapOn: false\n");
        assert!(matches!(swap(kubelet, &[]), Verdict::Holds(_)));
    }

    fn mounted(fstype: &str, options: &str) -> Machine {
        let data = format!("2 1 8:2 / /var/lib rw,{options} - {fstype} /dev/sda2 rw");
        Machine::new().mounts(&["1 0 8:1 / / rw - overlay overlay rw", &data])
    }

    #[test]
    fn data_is_on_a_file_system_that_can_hold_it() {
        let with = [("path", "/var/lib/longhorn"), ("types", "ext4 xfs")];
        let on = |fstype| ask("data-filesystem", &mounted(fstype, "relatime"), &with);
        assert_eq!(on("xfs"), Verdict::Holds("/var/lib/longhorn is on xfs (/var/lib)".into()));
        assert_eq!(on("zfs"), Verdict::fails("/var/lib/longhorn is on zfs (/var/lib)"));
        let elsewhere = [("path", "/data"), ("types", "ext4")];
        let verdict = ask("data-filesystem", &mounted("ext4", "relatime"), &elsewhere);
        assert_eq!(verdict, Verdict::fails("/data is on overlay (/)"));
    }

    #[test]
    fn options_that_forbid_are_found() {
        let with = [("path", "/var/lib/rancher"), ("needs", "exec dev suid")];
        let options = |options| ask("mount-allows", &mounted("ext4", options), &with);
        assert!(matches!(options("relatime"), Verdict::Holds(_)));
        assert_eq!(options("nodev,noexec"), Verdict::fails("/var/lib is mounted noexec,nodev"));
    }

    #[test]
    fn room_is_measured_in_both_ways() {
        let free = Free { bytes: 2000 << 20, percent: 20 };
        let enough = |percent, mib| enough("/var", &free, percent, mib);
        assert!(matches!(enough(20, 2000), Verdict::Holds(_)));
        let found = "/var: 2000 MiB are free, 20 %; 21 % are needed";
        assert_eq!(enough(21, 0), Verdict::fails(found));
        let found = "/var: 2000 MiB are free, 20 %; 2001 MiB are needed";
        assert_eq!(enough(0, 2001), Verdict::fails(found));
    }

    /// A directory that is not there yet is going to be on what is above it.
    #[test]
    fn room_is_looked_for_above() {
        let space = |percent| {
            let with = [("path", "/var/lib/nobody/was/here"), ("free-percent", percent)];
            ask("disk-space", &Machine::new(), &with)
        };
        assert!(matches!(space("0"), Verdict::Holds(_)));
        assert!(matches!(space("101"), Verdict::Fails(_)));
    }

    #[test]
    fn huge_pages_are_counted() {
        let with = [("size-kb", "2048"), ("minimum", "1024")];
        let pages = |count| {
            let path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
            ask("hugepages", &Machine::new().file(path, count), &with)
        };
        assert_eq!(pages("1024\n"), Verdict::Holds("1024 of 2048 KiB".into()));
        assert_eq!(pages("0\n"), Verdict::fails("0 of 2048 KiB, and 1024 are needed"));
        let none = ask("hugepages", &Machine::new(), &with);
        assert_eq!(none, Verdict::fails("the kernel has no huge pages of 2048 KiB"));
    }
}
