//! What node set-up sees to: modules, kernel parameters, mounts, cgroups. Its own code looks.

use facts::{Node, Section, Severity, section};
use node_setup::{State, cgroups, modules, mounts, sysctl};

use crate::{
    finding::{Entry, Finding, Verdict},
    system::{MountPoint, System},
};

/// Every entry of those sections.
pub fn judge(node: &Node, system: &System) -> Vec<Finding> {
    let root = system.set_up_root();
    let table =
        section::Modules { modules: node.modules.clone(), blacklist: node.blacklist.clone() };
    let modules = modules::inspect(&table, &root);
    let table = section::Sysctls { sysctls: node.sysctls.clone() };
    let sysctls = sysctl::inspect(&table, &root);
    let table = section::Mounts { mounts: node.mounts.clone() };
    let mounts = mounts::inspect(&table, &root);
    let table = section::Cgroups { cgroups: node.cgroups.clone() };
    let cgroups = cgroups::inspect(&table, &root);
    let all = [
        (Section::Mounts, mounts),
        (Section::Cgroups, cgroups),
        (Section::Modules, modules),
        (Section::Sysctl, sysctls),
    ];
    let of_table = |found: &node_setup::Finding| !found.need.by.is_empty();
    all.into_iter()
        .flat_map(|(section, found)| {
            // What no profile wants is set-up's own knowledge, which questions ask for, too.
            found.into_iter().filter(of_table).map(move |found| {
                let severity = severity(node, system, section, &found);
                finding(section, severity, found)
            })
        })
        .collect()
}

/// What the node does not work without is an error: not options of a mount that is there, nor
/// shares of a cgroup, nor a limit that is low, which may do for now.
fn severity(
    node: &Node,
    system: &System,
    section: Section,
    found: &node_setup::Finding,
) -> Severity {
    let at_least = |entry: &facts::Sysctl| entry.at_least && entry.key == found.subject;
    let is_mounted = |entry: &facts::Mount| {
        let mount = system.mount_of(&entry.at).filter(|mount| mount.at == entry.at);
        let fits = |mount: &MountPoint| {
            (entry.fstype == mount.fstype || matches!(entry.fstype.as_str(), "any" | "bind"))
                && (mount.shared || !entry.shared)
        };
        entry.at == found.subject && mount.is_some_and(fits)
    };
    let is_mild = match section {
        Section::Sysctl => node.sysctls.iter().any(at_least),
        Section::Mounts => node.mounts.iter().any(is_mounted),
        // A group goes by its path alone, what is set in it by path and file.
        Section::Cgroups => found.subject.contains(' '),
        Section::Modules
        | Section::Hostname
        | Section::MachineId
        | Section::Limits
        | Section::RandomSeed
        | Section::Clock
        | Section::Loopback
        | Section::Firmware
        | Section::Tmpfiles
        | Section::Swap
        | Section::Filesystems => false,
    };
    if found.need.is_optional || is_mild { Severity::Warning } else { Severity::Error }
}

fn finding(section: Section, severity: Severity, found: node_setup::Finding) -> Finding {
    let node_setup::Finding { subject, state, need } = found;
    let verdict = match state {
        State::Holds(found) => Verdict::Holds(found),
        State::Differs { is, wanted } => {
            Verdict::fails(format!("{is}, and {wanted} is needed")).set_up(section)
        }
        // Where the kernel has no such thing, what wants it at best goes without.
        State::Cannot(reason) if need.is_optional => Verdict::fails(reason).at_most(Severity::Info),
        State::Cannot(reason) => Verdict::fails(reason),
    };
    let entry = Entry {
        id: format!("{}:{subject}", kind(section)),
        severity,
        why: &need.why,
        fix: fix(section, &subject, &verdict),
        source: &need.source,
        by: &need.by,
    };
    Finding::new(entry, verdict)
}

/// One of a section.
const fn kind(section: Section) -> &'static str {
    match section {
        Section::Modules => "module",
        Section::Mounts => "mount",
        Section::Cgroups => "cgroup",
        Section::Sysctl
        | Section::Hostname
        | Section::MachineId
        | Section::Limits
        | Section::RandomSeed
        | Section::Clock
        | Section::Loopback
        | Section::Firmware
        | Section::Tmpfiles
        | Section::Swap
        | Section::Filesystems => section.name(),
    }
}

/// What can be set up is; for the rest the reason says what to do, or a module is missing.
fn fix(section: Section, subject: &str, verdict: &Verdict) -> String {
    let Verdict::Fails(fault) = verdict else { return String::new() };
    if fault.set_up.is_some() {
        return format!("svc doctor --fix, or svc start {}", section.name());
    }
    match section {
        Section::Modules => format!("boot a kernel that has {subject}, or install its modules"),
        Section::Sysctl => {
            "see what is found; `sysctl-overridden` names files that say otherwise".into()
        }
        Section::Mounts
        | Section::Cgroups
        | Section::Hostname
        | Section::MachineId
        | Section::Limits
        | Section::RandomSeed
        | Section::Clock
        | Section::Loopback
        | Section::Firmware
        | Section::Tmpfiles
        | Section::Swap
        | Section::Filesystems => "see what is found".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::Status, system::testing::Machine};

    fn node() -> Node {
        let module = |name: &str, optional| facts::Module {
            name: name.into(),
            options: String::new(),
            optional,
            why: "bridged packets are filtered".into(),
            source: "k3s".into(),
            by: vec!["kube-proxy".into()],
        };
        Node {
            modules: vec![module("br_netfilter", false), module("xt_socket", true)],
            sysctls: vec![facts::Sysctl {
                key: "net.ipv4.ip_forward".into(),
                value: "1".into(),
                accept: vec![],
                at_least: false,
                optional: false,
                module: None,
                why: "pods are routed".into(),
                source: "kubeadm".into(),
                by: vec!["kube-node".into()],
            }],
            ..Node::default()
        }
    }

    fn judged(machine: &Machine) -> Vec<(String, Status, Option<Section>)> {
        let found = judge(&node(), &machine.system());
        found.into_iter().map(|it| (it.id, it.status, it.set_up)).collect()
    }

    fn machine(ip_forward: &str) -> Machine {
        Machine::new()
            .file("/proc/sys/kernel/osrelease", "6.1.0\n")
            .file("/proc/sys/net/ipv4/ip_forward", ip_forward)
            .file("/proc/modules", "")
    }

    #[test]
    fn what_set_up_has_done_holds() {
        let machine = machine("1\n")
            .directory("/sys/module/br_netfilter")
            .directory("/sys/module/xt_socket")
            .file("/proc/modules", "br_netfilter 1 0 - Live 0\nxt_socket 1 0 - Live 0\n");
        assert!(judged(&machine).iter().all(|(_, status, _)| *status == Status::Ok));
    }

    /// A mount with an option less is a mount; one that is private keeps volumes from pods.
    #[test]
    fn options_of_a_mount_are_no_error() {
        let mount = facts::Mount {
            at: "/run".into(),
            fstype: "tmpfs".into(),
            device: None,
            options: "nosuid".into(),
            mode: None,
            shared: true,
            optional: false,
            why: "sockets".into(),
            source: "systemd".into(),
            by: vec!["base".into()],
        };
        let node = Node { mounts: vec![mount], ..Node::default() };
        let status = |line: &str| {
            let machine = Machine::new().mounts(&[line]);
            judge(&node, &machine.system()).pop().unwrap().status
        };
        assert_eq!(status("2 1 0:2 / /run rw,nosuid shared:2 - tmpfs tmpfs rw"), Status::Ok);
        assert_eq!(status("2 1 0:2 / /run rw shared:2 - tmpfs tmpfs rw"), Status::Warning);
        assert_eq!(status("2 1 0:2 / /run rw,nosuid - tmpfs tmpfs rw"), Status::Error);
        assert_eq!(status("2 1 0:2 / / rw shared:2 - tmpfs tmpfs rw"), Status::Error);
    }

    /// What can be set up is told from what cannot; what is optional is never an error.
    #[test]
    fn what_is_left_to_do_is_found() {
        let machine = machine("0\n")
            .file("/lib/modules/6.1.0/modules.dep", "kernel/net/bridge/br_netfilter.ko:\n");
        let expected = [
            ("module:br_netfilter".into(), Status::Error, Some(Section::Modules)),
            ("module:xt_socket".into(), Status::Info, None),
            ("sysctl:net.ipv4.ip_forward".into(), Status::Error, Some(Section::Sysctl)),
        ];
        assert_eq!(judged(&machine), expected);
    }
}
