//! The questions that have code of their own, by the names that profiles ask them by.

mod cgroup;
mod clock;
mod daemon;
mod identity;
mod kernel;
mod longhorn;
mod machine;
mod network;
mod runtime;
mod storage;
mod subnet;

use std::collections::BTreeMap;

use facts::Node;

use crate::{
    finding::{Entry, Finding, Verdict},
    system::System,
};

/// A machine, what is wanted of it, and the parameters of one question.
struct Case<'a> {
    system: &'a System,
    node: &'a Node,
    with: With<'a>,
}

/// A question: what is so, and whether that is well.
type Judge = fn(&Case<'_>) -> Verdict;

/// All of them. `every_check_is_asked_by_a_profile` compares them with the profiles.
const CHECKS: &[(&str, Judge)] = &[
    ("address-space", kernel::address_space),
    ("cgroup-controllers", cgroup::controllers),
    ("cgroup-driver", runtime::cgroup_driver),
    ("cgroup-v2", cgroup::unified),
    ("cidr-overlap", network::cidr_overlap),
    ("clock-plausible", clock::plausible),
    ("cni-bin-dirs", runtime::cni_bin_dirs),
    ("cpu-features", longhorn::cpu_features),
    ("cpus", machine::cpus),
    ("cri-socket", runtime::cri_socket),
    ("data-filesystem", storage::data_filesystem),
    ("disk-space", storage::space),
    ("firewall", network::firewall),
    ("hostname", identity::hostname),
    ("hugepages", storage::hugepages),
    ("init-cgroup", cgroup::of_init),
    ("initiator-name", longhorn::initiator_name),
    ("iptables-version", network::iptables_version),
    ("iscsid-running", longhorn::iscsid_running),
    ("kernel-config", kernel::config),
    ("kernel-version", kernel::version),
    ("machine-id", identity::machine_id),
    ("memory", machine::memory),
    ("memory-cgroup-cmdline", cgroup::memory_on_the_command_line),
    ("mount-allows", storage::mount_allows),
    ("namespaces", kernel::namespaces),
    ("nfs-mount-version", longhorn::nfs_mount_version),
    ("no-process", longhorn::no_process),
    ("packet-marks", network::packet_marks),
    ("page-size", kernel::page_size),
    ("proxy-environment", network::proxy_environment),
    ("root", machine::root),
    ("sandbox-image", runtime::sandbox_image),
    ("seccomp", kernel::seccomp),
    ("single-containerd", runtime::single_containerd),
    ("swap", storage::swap),
    ("time-synchronised", clock::synchronised),
];

/// The names of all questions.
pub fn ids() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(id, _)| *id)
}

/// Asks what the table asks. A name that nobody knows is a finding as well: a profile of another
/// version, or of an admin, that is not to be passed over.
pub fn judge(node: &Node, system: &System) -> Vec<Finding> {
    let finding = |check: &facts::Check| {
        let entry = Entry {
            id: check.id.clone(),
            severity: check.severity,
            why: &check.why,
            fix: check.fix.clone(),
            source: &check.source,
            by: &check.by,
        };
        let case = Case { system, node, with: With(&check.with) };
        let verdict = CHECKS.iter().find(|(id, _)| *id == check.id).map_or_else(
            || Verdict::Unknown("this svc knows no such check".into()),
            |(_, judge)| judge(&case),
        );
        Finding::new(entry, verdict)
    };
    node.checks.iter().map(finding).collect()
}

/// What a profile says beside a question's name.
struct With<'a>(&'a BTreeMap<String, String>);

impl<'a> With<'a> {
    /// A word, or an empty one.
    fn word(&self, key: &str) -> &'a str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// Words, separated by spaces.
    fn words(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.word(key).split_whitespace()
    }

    /// A number; 0 where none is said.
    fn number(&self, key: &str) -> u64 {
        self.word(key).parse().unwrap_or(0)
    }
}

/// Asks one question of a machine that does not exist.
#[cfg(test)]
fn ask(id: &str, machine: &crate::system::testing::Machine, with: &[(&str, &str)]) -> Verdict {
    let with: BTreeMap<String, String> =
        with.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let system = machine.system();
    let (_, judge) = CHECKS.iter().find(|(known, _)| *known == id).expect("a check of that name");
    judge(&Case { system: &system, node: &Node::default(), with: With(&with) })
}
