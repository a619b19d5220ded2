//! Which machine this is, among others.

use std::net::ToSocketAddrs as _;

use facts::{Section, Severity};
use node_setup::State;

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

/// A name that a node can have, that set-up gives it, too, and that leads to it.
pub fn hostname(case: &Case<'_>) -> Verdict {
    let name = case.system.sysctl("kernel.hostname").unwrap_or_default();
    let found = case.set_up(Section::Hostname);
    let other = found.iter().find_map(|found| match &found.state {
        State::Differs { wanted, .. } => Some(wanted),
        State::Holds(_) | State::Cannot(_) | State::Hidden(_) => None,
    });
    if let Some(wrong) = facts::hostname::wrong(&name) {
        let fault = Verdict::fails(format!("`{name}` {wrong}"));
        return if other.is_some() { fault.set_up(Section::Hostname) } else { fault };
    }
    if let Some(other) = other {
        return Verdict::fails(format!("{name}, and set-up makes it {other}"))
            .at_most(Severity::Warning)
            .fix("write the one that is meant into /etc/hostname, then svc doctor --fix")
            .set_up(Section::Hostname);
    }
    // A name that was meant, and is none.
    if let Some(State::Cannot(reason)) = found.first().map(|found| &found.state) {
        return Verdict::fails(reason).at_most(Severity::Warning);
    }
    leads_somewhere(name, case.system)
}

fn leads_somewhere(name: String, system: &System) -> Verdict {
    if in_hosts(&name, system) {
        return Verdict::Holds(name);
    }
    if !system.is_running() {
        return Verdict::Holds(format!("{name}, which is not in /etc/hosts"));
    }
    if (name.as_str(), 0).to_socket_addrs().is_ok_and(|mut addresses| addresses.next().is_some()) {
        return Verdict::Holds(name);
    }
    Verdict::fails(format!("`{name}` leads to no address"))
        .at_most(Severity::Warning)
        .fix(format!("echo '127.0.1.1 {name}' >> /etc/hosts"))
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
    let state = case.set_up(Section::MachineId).pop().map(|found| found.state);
    let id = match (state, case.system.word(MACHINE_ID)) {
        (Some(State::Holds(id)), _) => id,
        (_, None) => {
            return Verdict::fails(format!("there is no {MACHINE_ID}")).set_up(Section::MachineId);
        }
        (Some(State::Differs { is, .. }), Some(_)) if is != "none" => {
            return Verdict::fails(format!("{MACHINE_ID} is {is} alone"))
                .at_most(Severity::Warning)
                .set_up(Section::MachineId);
        }
        (_, Some(text)) => {
            return Verdict::fails(format!("{MACHINE_ID} says `{text}`, which is no identity"))
                .set_up(Section::MachineId);
        }
    };
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

    fn machine(name: &str) -> Machine {
        Machine::new()
            .file("/proc/sys/kernel/hostname", &format!("{name}\n"))
            .file("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 N1.example n1 # n2\n")
    }

    /// One that was given this name, and has it.
    fn named(name: &str) -> Verdict {
        ask("hostname", &machine(name).file("/etc/hostname", name), &[])
    }

    #[test]
    fn a_node_s_name_is_one_that_kubernetes_takes() {
        assert_eq!(named("n1"), Verdict::Holds("n1".into()));
        assert_eq!(named("n1.example"), Verdict::Holds("n1.example".into()));
        assert_eq!(named("n2"), Verdict::Holds("n2, which is not in /etc/hosts".into()));
        for wrong in ["", "(none)", "localhost", "Node", "a_b", "\u{fc}", &"a".repeat(64)] {
            let fault = fault(named(wrong));
            assert_eq!(fault.set_up, Some(Section::Hostname), "{wrong}");
            assert!(fault.found.starts_with(&format!("`{wrong}` ")), "{wrong}");
        }
    }

    /// The next boot would give it another one: kubelet would register another node.
    #[test]
    fn a_name_is_that_of_the_next_boot() {
        let other = fault(ask("hostname", &machine("n1").file("/etc/hostname", "n7"), &[]));
        assert_eq!(other.found, "n1, and set-up makes it n7");
        assert_eq!((other.at_most, other.set_up), (Severity::Warning, Some(Section::Hostname)));
        let nobody = fault(ask("hostname", &machine("n1"), &[]));
        assert!(nobody.found.starts_with("n1, and set-up makes it cooper-"), "{nobody:?}");
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
