//! Which machine this is, among others.

use std::net::ToSocketAddrs as _;

use facts::{Section, Severity};

use super::Case;
use crate::{finding::Verdict, system::System};

const MACHINE_ID: &str = "/etc/machine-id";
const PRODUCT_UUID: &str = "/sys/class/dmi/id/product_uuid";
/// What firmware says that was never told.
const PLACEHOLDERS: [&str; 4] = [
    "03000200-0400-0500-0006-000700080009",
    "00020003-0004-0005-0006-000700080009",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];

/// A name that a node can have, and that leads to it.
pub fn hostname(case: &Case<'_>) -> Verdict {
    let name = case.system.sysctl("kernel.hostname").unwrap_or_default();
    if matches!(name.as_str(), "" | "(none)" | "localhost") {
        return Verdict::fails(format!("`{name}` is no name of a machine"))
            .set_up(Section::Hostname);
    }
    if let Some(wrong) = wrong_name(&name) {
        return Verdict::fails(format!("`{name}` {wrong}"));
    }
    if in_hosts(&name, case.system) {
        return Verdict::Holds(name);
    }
    if !case.system.is_running() {
        return Verdict::Holds(format!("{name}, which is not in /etc/hosts"));
    }
    if (name.as_str(), 0).to_socket_addrs().is_ok_and(|mut addresses| addresses.next().is_some()) {
        return Verdict::Holds(name);
    }
    Verdict::fails(format!("`{name}` leads to no address"))
        .at_most(Severity::Warning)
        .fix(format!("echo '127.0.1.1 {name}' >> /etc/hosts"))
}

/// What RFC 1123, as Kubernetes reads it, has against a name.
fn wrong_name(name: &str) -> Option<&'static str> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    if name.len() > 253 || name.split('.').any(|label| label.len() > 63) {
        return Some("is too long");
    }
    if name.chars().any(|letter| letter.is_ascii_uppercase()) {
        return Some("has capital letters");
    }
    let is_label = |label: &str| {
        label.starts_with(plain)
            && label.ends_with(plain)
            && label.chars().all(|letter| plain(letter) || letter == '-')
    };
    let is_wrong = !name.split('.').all(is_label);
    is_wrong.then_some("is no host name: a-z, 0-9, and - and . between them")
}

fn in_hosts(name: &str, system: &System) -> bool {
    let hosts = system.text("/etc/hosts").unwrap_or_default();
    hosts.lines().any(|line| {
        let entry = line.split('#').next().unwrap_or_default();
        entry.split_whitespace().skip(1).any(|known| known.eq_ignore_ascii_case(name))
    })
}

/// One of its own, and the same after each boot.
pub fn machine_id(case: &Case<'_>) -> Verdict {
    let Some(id) = case.system.word(MACHINE_ID) else {
        return Verdict::fails(format!("there is no {MACHINE_ID}")).set_up(Section::MachineId);
    };
    let is_hex = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if matches!(id.as_str(), "" | "uninitialized") {
        return Verdict::fails(format!("{MACHINE_ID} says `{id}`")).set_up(Section::MachineId);
    }
    if !is_hex || id.bytes().all(|byte| byte == b'0') {
        return Verdict::fails(format!("{MACHINE_ID} says `{id}`, which is no identity"))
            .fix(format!("rm {MACHINE_ID}, then `svc start machine-id`"))
            .set_up(Section::MachineId);
    }
    // Only root may read it.
    let uuid = case.system.word(PRODUCT_UUID).unwrap_or_default().to_lowercase();
    if PLACEHOLDERS.contains(&uuid.as_str()) {
        return Verdict::fails(format!("the firmware says {uuid}, as every machine of its kind"))
            .at_most(Severity::Warning)
            .fix("nothing to be done here; kubeadm wants it to be unique, kubelet reports it");
    }
    Verdict::Holds(id)
}

#[cfg(test)]
mod tests {
    use super::super::{ask, fault};
    use super::*;
    use crate::system::testing::Machine;

    fn named(name: &str) -> Verdict {
        let machine = Machine::new()
            .file("/proc/sys/kernel/hostname", &format!("{name}\n"))
            .file("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 N1.example n1 # n2\n");
        ask("hostname", &machine, &[])
    }

    #[test]
    fn a_node_s_name_is_one_that_kubernetes_takes() {
        assert_eq!(named("n1"), Verdict::Holds("n1".into()));
        assert_eq!(named("n1.example"), Verdict::Holds("n1.example".into()));
        assert_eq!(named("n2"), Verdict::Holds("n2, which is not in /etc/hosts".into()));
        for none in ["", "(none)", "localhost"] {
            assert_eq!(fault(named(none)).set_up, Some(Section::Hostname));
        }
        assert_eq!(named("Node"), Verdict::fails("`Node` has capital letters"));
        assert_eq!(
            fault(named(&"a".repeat(64))).found,
            format!("`{}` is too long", "a".repeat(64))
        );
        for wrong in ["a_b", "-a", "a-", "a..b", ".a", "ü"] {
            assert!(fault(named(wrong)).found.contains("is no host name"), "{wrong}");
        }
    }

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn an_identity_is_32_digits_of_its_own() {
        let id = |id: &str| ask("machine-id", &Machine::new().file(MACHINE_ID, id), &[]);
        assert_eq!(id(&format!("{ID}\n")), Verdict::Holds(ID.into()));
        for none in ["", "uninitialized\n", "0123", &"0".repeat(32), &"g".repeat(32)] {
            assert_eq!(fault(id(none)).set_up, Some(Section::MachineId), "{none}");
        }
        let missing = ask("machine-id", &Machine::new(), &[]);
        assert_eq!(fault(missing).found, "there is no /etc/machine-id");
    }

    #[test]
    fn a_placeholder_of_the_firmware_is_a_warning() {
        let machine = Machine::new()
            .file(MACHINE_ID, ID)
            .file(PRODUCT_UUID, "03000200-0400-0500-0006-000700080009\n");
        assert_eq!(fault(ask("machine-id", &machine, &[])).at_most, Severity::Warning);
    }
}
