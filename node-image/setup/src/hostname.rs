//! Section `hostname`: the machine's name, as node.toml or /etc/hostname has it, or one that is
//! made of what the hardware says.
//!
//! kubelet registers the node under this name, so it must be there before kubelet is, must not
//! change from boot to boot, and must be one that Kubernetes takes.

use std::{fs, io};

use facts::hostname::{NO_NAMES, wrong};
use facts::section::Hostname;

use crate::looked::{self, Looked, needed};
use crate::{Finding, Need, Report, Root};

/// The kernel's own name for it; to write it is sethostname(2).
const KERNEL: &str = "/proc/sys/kernel/hostname";
const FILE: &str = "/etc/hostname";

/// A name, and where it is from.
struct Wanted {
    name: String,
    from: String,
    /// What is wrong with the one that was meant.
    complaint: Option<String>,
}

/// How it stands.
#[must_use]
pub fn inspect(table: &Hostname, root: &Root) -> Vec<Finding> {
    looked::findings(look(table, root))
}

/// Sets it.
pub fn apply(table: &Hostname, root: &Root, report: &mut Report<'_>) {
    looked::settle(look(table, root), report, |name| {
        fs::write(root.path(KERNEL), name).map_err(|error| format!("name it {name}: {error}"))
    });
}

fn look(table: &Hostname, root: &Root) -> Vec<Looked<String>> {
    let Wanted { name, from, complaint } = match wanted(table, root) {
        Ok(wanted) => wanted,
        Err(path) => {
            let reason = format!("the name is made of {path}, which is for root");
            return vec![Looked::hidden("hostname", reason, needed(WHY, SOURCE))];
        }
    };
    let is = root.line(KERNEL).unwrap_or_default();
    let need = || Need { by: vec![from.clone()], ..needed(WHY, SOURCE) };
    let name = match is == name {
        true => Looked::holds("hostname", is, need()),
        false => Looked::differs("hostname", is, name.clone(), need(), name),
    };
    // It has another name instead, and the node works.
    let why = Need { is_optional: true, ..need() };
    let complaint = complaint.map(|reason| Looked::cannot("hostname", reason, why));
    complaint.into_iter().chain([name]).collect()
}

const WHY: &str = "the name under which kubelet registers the node";
const SOURCE: &str = "kubernetes: pkg/util/node, GetHostname; RFC 1123, 2.1";

/// An error: the file that it is made of, which is not for us.
fn wanted(table: &Hostname, root: &Root) -> Result<Wanted, &'static str> {
    let (meant, from) = match &table.name {
        Some(name) => (Some(name.clone()), "node.toml"),
        None => (in_file(root), FILE),
    };
    let wrong = meant.as_deref().and_then(wrong);
    match (meant, wrong) {
        (Some(name), None) => Ok(Wanted { name, from: from.to_owned(), complaint: None }),
        (Some(name), Some(wrong)) => {
            let complaint = Some(format!("{from} says {name}: that {wrong}"));
            Ok(Wanted { complaint, ..made(root)? })
        }
        (None, _) => made(root),
    }
}

/// The first line that is no comment.
fn in_file(root: &Root) -> Option<String> {
    let text = root.read(FILE).ok()?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    line.filter(|line| !NO_NAMES.contains(line)).map(str::to_owned)
}

/// `cooper-` and four hexadecimal digits that are this machine's and stay so, as far as it has
/// anything of its own.
fn made(root: &Root) -> Result<Wanted, &'static str> {
    const OWN: [&str; 4] = [
        "/sys/class/dmi/id/product_uuid",
        "/sys/class/dmi/id/product_serial",
        "/proc/device-tree/serial-number",
        "/etc/machine-id",
    ];
    let mut own = None;
    for path in OWN {
        match root.read(path) {
            Ok(text) => own = number(&text).map(|number| (number, path)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(path),
            Err(_) => {}
        }
        if own.is_some() {
            break;
        }
    }
    let (own, from) = own.unwrap_or_else(|| ("0".to_owned(), "no number of its own"));
    let digits = own.bytes().fold(0xffff_u16, crc);
    Ok(Wanted { name: format!("cooper-{digits:04x}"), from: from.to_owned(), complaint: None })
}

/// What a file says, if that is a number of one machine.
fn number(text: &str) -> Option<String> {
    let own = text.trim().trim_matches(|byte: char| !byte.is_ascii_alphanumeric());
    // Of numbers that were never filled in, all digits are the same.
    let first = own.chars().next()?;
    let is_filled_in = own.chars().any(|other| other.is_ascii_hexdigit() && other != first);
    is_filled_in.then(|| own.to_owned())
}

/// CRC-16 (CCITT): the numbers of two machines of one make differ in a digit or two.
fn crc(sum: u16, byte: u8) -> u16 {
    (0..8).fold(sum ^ (u16::from(byte) << 8), |sum, _| {
        let carries = sum & 0x8000 != 0;
        (sum << 1) ^ if carries { 0x1021 } else { 0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Machine, said};

    fn name_of(machine: &Machine) -> String {
        machine.read(KERNEL)
    }

    fn named(name: Option<&str>) -> Hostname {
        Hostname { name: name.map(str::to_owned) }
    }

    #[test]
    fn node_toml_comes_before_the_file_and_the_file_before_the_hardware() {
        let machine = Machine::new(&[
            (KERNEL, "(none)\n"),
            (FILE, "# a comment\n\n web-1.example.org \n"),
            ("/sys/class/dmi/id/product_uuid", "4c4c4544-0051\n"),
        ]);
        let root = machine.root();
        let text = said(|report| apply(&named(Some("node-7")), &root, report));
        assert_eq!(name_of(&machine), "node-7");
        assert!(text.contains("hostname: hostname: (none) → node-7 (the name under"), "{text}");
        let text = said(|report| apply(&named(None), &root, report));
        assert_eq!(name_of(&machine), "web-1.example.org");
        assert!(text.contains("/etc/hostname"), "{text}");
        let text = said(|report| apply(&named(None), &root, report));
        assert!(text.ends_with("0 changed, 1 already so, 0 could not\n"), "{text}");
    }

    #[test]
    fn a_machine_that_nobody_named_has_a_name_of_its_own() {
        let of = |uuid: &str| {
            let path = "/sys/class/dmi/id/product_uuid";
            let machine = Machine::new(&[(KERNEL, "(none)"), (FILE, "localhost\n"), (path, uuid)]);
            apply_quietly(&machine);
            name_of(&machine)
        };
        let (one, other) = (of("4c4c4544-0051-3510"), of("4c4c4544-0051-3511"));
        assert_ne!(one, other);
        assert_eq!(one, of("4c4c4544-0051-3510"));
        assert!(one.starts_with("cooper-") && one.len() == "cooper-0000".len(), "{one}");
        // All machines of a maker who did not care would be one.
        assert_eq!(of("00000000-0000"), of("ffffffff-ffff"));
    }

    fn apply_quietly(machine: &Machine) {
        said(|report| apply(&named(None), &machine.root(), report));
    }

    #[test]
    fn a_name_that_kubernetes_does_not_take_is_refused_and_said() {
        for bad in ["Web1", "a_b", "-a", "a-", "a..b", "a b", "localhost", &"x".repeat(64)] {
            let machine = Machine::new(&[(KERNEL, "(none)")]);
            let text = said(|report| apply(&named(Some(bad)), &machine.root(), report));
            assert!(text.contains(&format!("node.toml says {bad}: ")), "{text}");
            assert!(name_of(&machine).starts_with("cooper-"), "{bad}");
        }
    }
}
