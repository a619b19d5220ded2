//! Section `machine-id`: what tells this installation from every other one, for ever.
//!
//! It is made once: of what made the container or the virtual machine, or at random. A root that
//! cannot be written to gets one for this boot, and keeps it once it can be.

use std::io;
use std::path::Path;

use facts::section::Empty;
use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, mount_bind, unmount};

use crate::looked::{self, Looked, needed};
use crate::{Finding, Report, Root, mountinfo};

const FILE: &str = "/etc/machine-id";
/// Where it is for one boot only, bound over the file.
const FOR_NOW: &str = "/run/machine-id";
/// Everyone reads it, nobody writes it.
const MODE: u32 = 0o444;

const WHY: &str = "kubelet, CSI drivers and DHCP tell machines apart by it";
const SOURCE: &str = "machine-id(5); cadvisor: machine/machine.go";

enum Step {
    /// There is none.
    Make(String),
    /// There is one for now.
    Commit(String),
}

/// How it stands.
#[must_use]
pub fn inspect(_: &Empty, root: &Root) -> Vec<Finding> {
    looked::findings(vec![look(root)])
}

/// Makes it.
pub fn apply(_: &Empty, root: &Root, report: &mut Report<'_>) {
    let mut is_for_now = false;
    looked::settle(vec![look(root)], report, |step| match step {
        Step::Make(id) => make(root, id).map(|lasts| is_for_now = !lasts),
        Step::Commit(id) => commit(root, id),
    });
    if is_for_now {
        report.note(&format_args!(
            "{FILE} cannot be written: the next boot makes another id; put one into the image"
        ));
    }
}

fn look(root: &Root) -> Looked<Step> {
    let need = needed(WHY, SOURCE);
    match valid(root, FILE) {
        Some(id) if is_bound(root) && can_be_kept(root) => {
            Looked::differs(FILE, "for this boot", "kept", need, Step::Commit(id))
        }
        Some(id) => Looked::holds(FILE, id, need),
        None => {
            let (id, from) = new(root);
            let wanted = format!("{id}, {from}");
            Looked::differs(FILE, "none", wanted, need, Step::Make(id))
        }
    }
}

/// It is ours for this boot, and not what a container's runtime has mounted there.
fn is_bound(root: &Root) -> bool {
    let mounts = mountinfo::read(root).unwrap_or_default();
    mountinfo::top(&mounts, FILE).is_some() && valid(root, FOR_NOW) == valid(root, FILE)
}

/// /etc can be written to by now.
fn can_be_kept(root: &Root) -> bool {
    access(root.path("/etc"), Access::WRITE_OK).is_ok()
}

/// The id in a file, if it is one: 32 hexadecimal digits, not all of them zero.
fn valid(root: &Root, path: &str) -> Option<String> {
    as_id(&root.line(path)?)
}

fn as_id(text: &str) -> Option<String> {
    let id: String = text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Makers of hardware leave all digits the same.
    let is_filled_in = id.bytes().any(|byte| Some(&byte) != id.as_bytes().first());
    (is_id && is_filled_in).then_some(id)
}

/// A new one, and what it was made of. The same order as systemd-machine-id-setup(1) has.
fn new(root: &Root) -> (String, &'static str) {
    if let Some(id) = valid(root, "/var/lib/dbus/machine-id") {
        return (id, "as D-Bus has it");
    }
    if let Some(id) = of_container(root) {
        return (id, "the container's");
    }
    if let Some(id) = of_virtual_machine(root) {
        return (id, "the virtual machine's");
    }
    let random = valid(root, "/proc/sys/kernel/random/uuid");
    (random.unwrap_or_else(|| "0".repeat(31) + "1"), "at random")
}

/// What a container's manager gave process 1.
fn of_container(root: &Root) -> Option<String> {
    let environment = root.read("/proc/1/environ").ok()?;
    environment.split('\0').find_map(|entry| as_id(entry.strip_prefix("container_uuid=")?))
}

/// A virtual machine's number was made for it; a board's may be every board's of its kind.
fn of_virtual_machine(root: &Root) -> Option<String> {
    const VIRTUAL: [&str; 6] =
        ["QEMU", "KVM", "Amazon EC2", "Google", "Microsoft Corporation", "VMware"];
    let dmi = |name: &str| root.line(&format!("/sys/class/dmi/id/{name}"));
    let vendor = dmi("sys_vendor")?;
    let is_virtual = VIRTUAL.iter().any(|name| vendor.starts_with(name))
        && root.read("/proc/cpuinfo").is_ok_and(|text| text.contains("hypervisor"));
    if is_virtual { as_id(&dmi("product_uuid")?) } else { None }
}

/// Whether it will be there after the next boot.
fn make(root: &Root, id: &str) -> Result<bool, String> {
    let file = root.path(FILE);
    match sys::file::replace(&file, format!("{id}\n").as_bytes(), MODE) {
        Ok(()) => Ok(true),
        Err(error) if is_read_only(&error) => {
            let failed = |error: io::Error| format!("make {FOR_NOW}: {error}");
            let now = root.path(FOR_NOW);
            sys::file::replace(&now, format!("{id}\n").as_bytes(), MODE).map_err(failed)?;
            bind(&now, &file).map_err(|errno| format!("mount {FOR_NOW} over {FILE}: {errno}"))?;
            Ok(false)
        }
        Err(error) => Err(format!("write {FILE}: {error}")),
    }
}

fn bind(from: &Path, to: &Path) -> Result<(), Errno> {
    mount_bind(from, to)
}

fn commit(root: &Root, id: &str) -> Result<(), String> {
    let file = root.path(FILE);
    unmount(&file, UnmountFlags::DETACH).map_err(|errno| format!("unmount {FILE}: {errno}"))?;
    make(root, id).map(drop)
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ROFS | Errno::ACCESS | Errno::PERM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Machine, said};

    const ID: &str = "0123456789abcdef0123456789abcdef";
    const UUID: &str = "4C4C4544-0051-3510-8052-B4C04F4A4E32\n";

    fn made(machine: &Machine) -> String {
        machine.write("/etc/os-release", "");
        said(|report| apply(&Empty {}, &machine.root(), report));
        machine.read(FILE)
    }

    #[test]
    fn one_that_is_there_is_left() {
        let machine = Machine::new(&[(FILE, &format!("{ID}\n"))]);
        let text = said(|report| apply(&Empty {}, &machine.root(), report));
        assert!(text.ends_with("0 changed, 1 already so, 0 could not\n"), "{text}");
        assert_eq!(machine.read(FILE), ID);
    }

    #[test]
    fn a_new_one_is_random_unless_something_gave_the_machine_a_number() {
        let random = ("/proc/sys/kernel/random/uuid", "b2c1e0de-6a2b-4f4e-9d52-0a0b0c0d0e0f\n");
        for nothing in ["", "uninitialized\n", "00000000000000000000000000000000\n", "abc"] {
            let machine = Machine::new(&[random, (FILE, nothing)]);
            assert_eq!(made(&machine), "b2c1e0de6a2b4f4e9d520a0b0c0d0e0f", "{nothing}");
        }
        let dmi = ("/sys/class/dmi/id/product_uuid", UUID);
        let virtual_one = ("/proc/cpuinfo", "flags : fpu hypervisor\n");
        let vendor = ("/sys/class/dmi/id/sys_vendor", "QEMU\n");
        let machine = Machine::new(&[random, dmi, vendor, virtual_one]);
        assert_eq!(made(&machine), "4c4c454400513510 8052b4c04f4a4e32".replace(' ', ""));
        // A board's number may be every board's.
        let board = ("/sys/class/dmi/id/sys_vendor", "Micro Computer\n");
        assert_eq!(made(&Machine::new(&[random, dmi, board]))[..8], *"b2c1e0de");
        let container =
            ("/proc/1/environ", "A=b\0container_uuid=0123456789abcdef0123456789abcdef\0");
        assert_eq!(made(&Machine::new(&[random, dmi, vendor, virtual_one, container])), ID);
        let dbus = ("/var/lib/dbus/machine-id", "ffff456789abcdef0123456789abcdef\n");
        assert_eq!(made(&Machine::new(&[random, container, dbus]))[..4], *"ffff");
    }

    #[test]
    fn looking_changes_nothing() {
        let machine = Machine::new(&[("/proc/sys/kernel/random/uuid", UUID)]);
        let found = inspect(&Empty {}, &machine.root());
        assert_eq!(found.len(), 1);
        assert!(!machine.root().exists(FILE));
    }
}
