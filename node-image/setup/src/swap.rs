//! Section `swap`: what /etc/fstab lists, if node.toml allows it; otherwise none, whoever switched
//! it on.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use facts::section::Swap;

use crate::fstab::{self, Entry};
use crate::looked::{self, Looked, useful};
use crate::{Finding, Report, Root, tools};

enum Step {
    On(Entry),
    Off(String),
}

/// How it stands.
#[must_use]
pub fn inspect(table: &Swap, root: &Root) -> Vec<Finding> {
    looked::findings(look(table, root))
}

/// Switches it on or off, by the image's own swapon(8) and swapoff(8).
pub fn apply(table: &Swap, root: &Root, report: &mut Report<'_>) {
    looked::settle(look(table, root), report, |step| match step {
        Step::On(entry) => {
            let mut command = Command::new("swapon");
            if let Some(priority) = entry.options.iter().find_map(|it| it.strip_prefix("pri=")) {
                command.args(["-p", priority]);
            }
            tools::run(command.arg(&entry.device))
                .map_err(|why| format!("swap to {}: {why}", entry.device))
        }
        Step::Off(device) => tools::run(Command::new("swapoff").arg(device))
            .map_err(|why| format!("stop swapping to {device}: {why}")),
    });
}

fn look(table: &Swap, root: &Root) -> Vec<Looked<Step>> {
    let active = active(root);
    if !table.allowed {
        return active.into_iter().map(unwanted).collect();
    }
    let is_listed = |entry: &Entry| entry.is_swap() && !entry.has("noauto");
    let listed = fstab::read(root).into_iter().filter(is_listed);
    listed.map(|entry| wanted(entry, &active, root)).collect()
}

fn unwanted(device: String) -> Looked<Step> {
    let why = "kubelet refuses to start, or memory limits do not hold, unless it was told of it";
    let need = useful(why, "kubelet: failSwapOn; node.toml: [setup] swap");
    Looked::differs(format!("swap {device}"), "on", "off", need, Step::Off(device))
}

fn wanted(entry: Entry, active: &BTreeSet<String>, root: &Root) -> Looked<Step> {
    let need = useful("/etc/fstab", "node.toml: [setup] swap");
    let subject = format!("swap {}", entry.device);
    let is_on = active.contains(&device(&entry.device, root))
        || active.iter().any(|device| is_called(device, &entry.device, root));
    match is_on {
        true => Looked::holds(subject, "on", need),
        false => Looked::differs(subject, "off", "on", need, Step::On(entry)),
    }
}

/// The device that a name leads to, as the kernel lists it.
fn device(name: &str, root: &Root) -> String {
    let link = match name.split_once('=') {
        Some(("UUID", uuid)) => format!("/dev/disk/by-uuid/{}", uuid.trim_matches('"')),
        Some(("LABEL", label)) => format!("/dev/disk/by-label/{}", label.trim_matches('"')),
        Some(("PARTUUID", uuid)) => format!("/dev/disk/by-partuuid/{}", uuid.trim_matches('"')),
        Some(_) | None => name.to_owned(),
    };
    let target = root.path(&link).canonicalize().ok();
    let below = root.path("/").canonicalize().unwrap_or_default();
    let target = target.and_then(|it| it.strip_prefix(below).map(Path::to_owned).ok());
    target.map_or(link, |target| format!("/{}", target.display()))
}

/// Whether swap space has this name in its own header (`union swap_header` of linux/swap.h): where
/// no udev makes links of the names, it is all there is to go by.
fn is_called(device: &str, name: &str, root: &Root) -> bool {
    let mut header = [0; 1068];
    let file = File::open(root.path(device));
    if file.and_then(|file| file.read_exact_at(&mut header, 0)).is_err() {
        return false;
    }
    let Some((kind, wanted)) = name.split_once('=') else { return false };
    let wanted = wanted.trim_matches('"');
    let field = |at: std::ops::Range<usize>| header.get(at).unwrap_or_default();
    match kind {
        "UUID" => {
            let digits = |text: &str| text.replace('-', "").to_ascii_lowercase();
            let own: String = field(1036..1052).iter().map(|byte| format!("{byte:02x}")).collect();
            digits(wanted) == own
        }
        "LABEL" => field(1052..1068).split(|byte| *byte == 0).next() == Some(wanted.as_bytes()),
        _ => false,
    }
}

/// What is used: the first column of /proc/swaps, below its heading.
#[must_use]
pub fn active(root: &Root) -> BTreeSet<String> {
    let text = root.read("/proc/swaps").unwrap_or_default();
    let devices = text.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().next());
    devices.map(crate::mountinfo::unescaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::Machine;

    const SWAPS: &str = "Filename\tType\tSize\n/dev/sda2 partition 1 0 -2\n/a\\040b file 1 0 -3\n";
    const FSTAB: &str = "/dev/sda2 none swap sw\nUUID=77 none swap sw,pri=5\n/c none swap noauto\n";

    fn states(allowed: bool, machine: &Machine) -> Vec<(String, bool)> {
        let found = inspect(&Swap { allowed }, &machine.root());
        let holds = |state: &State| matches!(state, State::Holds(_));
        found.into_iter().map(|it| (it.subject, holds(&it.state))).collect()
    }

    #[test]
    fn where_it_is_not_allowed_all_of_it_goes() {
        let machine = Machine::new(&[("/proc/swaps", SWAPS), ("/etc/fstab", FSTAB)]);
        let expected = [("swap /a b".to_owned(), false), ("swap /dev/sda2".to_owned(), false)];
        assert_eq!(states(false, &machine), expected);
        assert_eq!(states(false, &Machine::new(&[("/etc/fstab", FSTAB)])), []);
    }

    #[test]
    fn where_it_is_allowed_what_fstab_lists_is_used() {
        let machine = Machine::new(&[("/proc/swaps", SWAPS), ("/etc/fstab", FSTAB)]);
        let expected = [("swap /dev/sda2".to_owned(), true), ("swap UUID=77".to_owned(), false)];
        assert_eq!(states(true, &machine), expected);
        // By whatever name.
        machine.write("/dev/sda2", "");
        std::fs::create_dir_all(machine.root().path("/dev/disk/by-uuid")).unwrap();
        let link = machine.root().path("/dev/disk/by-uuid/77");
        std::os::unix::fs::symlink("../../sda2", link).unwrap();
        assert!(states(true, &machine).into_iter().all(|(_, holds)| holds));
    }

    #[test]
    fn where_no_link_says_so_the_swap_space_itself_does() {
        let header = "\0".repeat(1036) + &"A".repeat(16) + "extra\0\0\0\0\0\0\0\0\0\0\0";
        let fstab = "UUID=41414141-4141-4141-4141-414141414141 none swap sw\n\
                     LABEL=extra none swap sw\nLABEL=extr none swap sw\nUUID=77 none swap sw\n";
        let files = [("/proc/swaps", SWAPS), ("/etc/fstab", fstab), ("/dev/sda2", &*header)];
        let holds = states(true, &Machine::new(&files)).into_iter().map(|(_, holds)| holds);
        assert_eq!(holds.collect::<Vec<_>>(), [true, true, false, false]);
    }
}
