//! What node set-up sees to. Its own code looks.
//!
//! Modules, kernel parameters, mounts and cgroups are entries of profiles, each with its reason.
//! What the other sections see to no profile lists: there the entry is the section's service, which
//! has one finding if all is well, and one for each thing that is not.

use facts::{Node, Section, Service, Severity};
use node_setup::State;

use crate::{
    finding::{Entry, Finding, Verdict},
    system::{MountPoint, System},
};

/// Sections that a question judges, by the same code, where a profile asks it.
const ASKED: [(Section, &str); 4] = [
    (Section::Clock, "clock-plausible"),
    (Section::Hostname, "hostname"),
    (Section::MachineId, "machine-id"),
    (Section::Swap, "swap"),
];

/// Every entry of those sections.
pub fn judge(node: &Node, system: &System) -> Vec<Finding> {
    Section::ALL.into_iter().flat_map(|section| of_section(section, node, system)).collect()
}

/// What set-up's own code says of a section.
pub fn inspect(section: Section, node: &Node, system: &System) -> Vec<node_setup::Finding> {
    // A table that we have just written can be read.
    node_setup::inspect(section, &node.section(section), &system.set_up_root()).unwrap_or_default()
}

/// The same of one thing, as a verdict.
pub fn verdict(section: Section, found: &node_setup::Finding) -> Verdict {
    match &found.state {
        State::Holds(found) => Verdict::Holds(found.clone()),
        State::Differs { is, wanted } => {
            let found = match section.entry() {
                Some(_) => format!("{is}, and {wanted} is needed"),
                None => format!("{is}, and set-up makes it {wanted}"),
            };
            Verdict::fails(found).set_up(section)
        }
        // Where the kernel has no such thing, what wants it at best goes without.
        State::Cannot(reason) if found.need.is_optional => {
            Verdict::fails(reason).at_most(Severity::Info)
        }
        State::Cannot(reason) => Verdict::fails(reason),
        State::Hidden(reason) => Verdict::NeedsRoot(reason.clone()),
    }
}

fn of_section(section: Section, node: &Node, system: &System) -> Vec<Finding> {
    if section.entry().is_some() {
        // What no profile wants is set-up's own knowledge, which questions ask for, too.
        let found = inspect(section, node, system).into_iter();
        let of_table = found.filter(|found| !found.need.by.is_empty());
        return of_table
            .map(|found| finding(section, severity(node, system, section, &found), &found))
            .collect();
    }
    let is_asked = ASKED
        .iter()
        .any(|(asked, id)| *asked == section && node.checks.iter().any(|check| check.id == *id));
    match node.services.iter().find(|service| service.name == section.name()) {
        Some(service) if !is_asked => of_service(section, service, inspect(section, node, system)),
        Some(_) | None => Vec::new(),
    }
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
    let is_mild = (section == Section::Sysctl && node.sysctls.iter().any(at_least))
        || (section == Section::Mounts && node.mounts.iter().any(is_mounted))
        // A group goes by its path alone, what is set in it by path and file.
        || (section == Section::Cgroups && found.subject.contains(' '));
    if found.need.is_optional || is_mild { Severity::Warning } else { Severity::Error }
}

fn finding(section: Section, severity: Severity, found: &node_setup::Finding) -> Finding {
    let need = &found.need;
    let verdict = verdict(section, found);
    let kind = section.entry().unwrap_or(section.name());
    let entry = Entry {
        id: format!("{kind}:{}", found.subject),
        severity,
        why: &need.why,
        fix: fix(section, &found.subject, &verdict),
        source: &need.source,
        by: &need.by,
    };
    Finding::new(entry, verdict)
}

/// What can be set up is; for the rest the reason says what to do, or a module is missing.
fn fix(section: Section, subject: &str, verdict: &Verdict) -> String {
    let Verdict::Fails(fault) = verdict else { return String::new() };
    if fault.set_up.is_some() {
        format!("svc doctor --fix, or svc start {}", section.name())
    } else if section == Section::Modules {
        format!("boot a kernel that has {subject}, or install its modules")
    } else if section == Section::Sysctl {
        "see what is found; `sysctl-overridden` names files that say otherwise".into()
    } else {
        "see what is found".into()
    }
}

/// A section that only its service speaks for. It goes on without a service that nobody requires,
/// so nothing there is worse than a warning.
fn of_service(
    section: Section,
    service: &Service,
    found: Vec<node_setup::Finding>,
) -> Vec<Finding> {
    let (held, left): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|found| matches!(found.state, State::Holds(_)));
    if left.is_empty() {
        let entry = Entry {
            id: section.name().into(),
            severity: Severity::Warning,
            why: &service.why,
            fix: String::new(),
            source: &service.source,
            by: &service.by,
        };
        return vec![Finding::new(entry, Verdict::Holds(in_short(&held)))];
    }
    let of_service = |mut found: node_setup::Finding| {
        let need = &mut found.need;
        let is_needed = service.required && !need.is_optional;
        // What set-up says itself is the more particular; a file may want it, too.
        if need.why.is_empty() {
            need.why.clone_from(&service.why);
        }
        need.by.extend(service.by.iter().cloned());
        finding(section, if is_needed { Severity::Error } else { Severity::Warning }, &found)
    };
    left.into_iter().map(of_service).collect()
}

fn in_short(held: &[node_setup::Finding]) -> String {
    match held {
        [] => "there is nothing to do".into(),
        [node_setup::Finding { subject, state: State::Holds(is), .. }] => {
            format!("{subject}: {is}")
        }
        several => format!("{} are as they should be", several.len()),
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

    /// A node whose profile wants the service of a section.
    fn running(section: Section, required: bool) -> Node {
        let service = Service {
            name: section.name().into(),
            required,
            why: "it is wanted".into(),
            source: "a test".into(),
            by: vec!["base".into()],
        };
        Node { services: vec![service], ..Node::default() }
    }

    fn told(section: Section, required: bool, machine: &Machine) -> Vec<(String, Status, String)> {
        let found = judge(&running(section, required), &machine.system());
        found.into_iter().map(|it| (it.id, it.status, it.found)).collect()
    }

    /// A section that no profile lists entries of has one finding if all is well.
    #[test]
    fn a_section_without_entries_is_its_service() {
        let up = Machine::new().file("/sys/class/net/lo/flags", "0x9\n");
        let expected = [("loopback".into(), Status::Ok, "lo: up".into())];
        assert_eq!(told(Section::Loopback, false, &up), expected);
        let lines = "d /run/a\nd /run/b\n";
        let made = Machine::new()
            .file("/usr/lib/tmpfiles.d/a.conf", lines)
            .directory("/run/a")
            .directory("/run/b");
        let expected = [("tmpfiles".into(), Status::Ok, "2 are as they should be".into())];
        assert_eq!(told(Section::Tmpfiles, false, &made), expected);
        assert!(judge(&Node::default(), &made.system()).is_empty(), "nobody wants it");
    }

    /// Each thing that is not well has one, which is no worse than the service is needed, says who
    /// wants it, and is set up.
    #[test]
    fn what_a_section_without_entries_would_change_is_found() {
        let down = Machine::new().file("/sys/class/net/lo/flags", "0x8\n");
        for (required, status) in [(false, Status::Warning), (true, Status::Error)] {
            let found = "down, and set-up makes it up".into();
            let expected = [("loopback:lo".into(), status, found)];
            assert_eq!(told(Section::Loopback, required, &down), expected);
        }
        let absent = Machine::new().file("/usr/lib/tmpfiles.d/a.conf", "d /run/a\ny /b\n");
        let found = judge(&running(Section::Tmpfiles, true), &absent.system());
        let [refused, missing] = &found[..] else { panic!("{found:#?}") };
        assert_eq!((refused.status, refused.set_up), (Status::Info, None));
        assert!(refused.found.starts_with("cannot obey it: "), "{refused:?}");
        assert_eq!(missing.id, "tmpfiles:/run/a");
        assert_eq!((missing.status, missing.set_up), (Status::Warning, Some(Section::Tmpfiles)));
        assert_eq!(missing.by, ["/usr/lib/tmpfiles.d/a.conf:1", "base"]);
        assert_eq!(missing.fix, "svc doctor --fix, or svc start tmpfiles");
    }

    /// A file system of /etc/fstab, the seed, the path of firmware and a limit of node.toml.
    #[test]
    fn every_section_is_looked_at() {
        let machine = Machine::new()
            .file("/etc/fstab", "/dev/sdb /data ext4 defaults 0 2\n")
            .file("/sys/module/firmware_class/parameters/path", "\n")
            .file("/proc/1/limits", "Max core file size  0  unlimited  bytes\n")
            .directory("/opt/firmware");
        let of = |section| {
            let mut node = running(section, false);
            node.settings.firmware = Some("/opt/firmware".into());
            node.settings.limits = [("core".into(), "0:0".into())].into();
            let found = judge(&node, &machine.system());
            found.into_iter().map(|it| (it.id, it.set_up)).collect::<Vec<_>>()
        };
        for (section, id) in [
            (Section::Filesystems, "filesystems:/data"),
            (Section::RandomSeed, "random-seed:seed"),
            (Section::Firmware, "firmware:/sys/module/firmware_class/parameters/path"),
            (Section::Limits, "limits:core of init"),
        ] {
            assert_eq!(of(section), [(id.to_owned(), Some(section))]);
        }
    }

    /// What a question judges is not told a second time.
    #[test]
    fn a_section_that_a_question_asks_for_is_judged_there() {
        let machine = Machine::new().file("/proc/swaps", "Filename\n/dev/sda2 partition 1 0 -2\n");
        let mut node = running(Section::Swap, false);
        assert_eq!(judge(&node, &machine.system()).len(), 1);
        node.checks.push(facts::Check {
            id: "swap".into(),
            severity: Severity::Error,
            with: std::collections::BTreeMap::new(),
            why: String::new(),
            fix: String::new(),
            source: String::new(),
            by: vec![],
        });
        assert!(judge(&node, &machine.system()).is_empty());
    }
}
