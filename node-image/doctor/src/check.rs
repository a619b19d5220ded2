//! The questions that have code of their own, by the names that profiles ask them by.

mod cgroup;
mod clock;
mod daemon;
mod hardware;
mod identity;
mod kernel;
mod kubernetes;
mod laptop;
mod longhorn;
mod machine;
mod network;
mod parameters;
mod runtime;
mod storage;
mod subnet;
mod traces;

pub use hardware::describe;

use std::collections::BTreeMap;

use facts::{Hardware, Node, Section};

use crate::{
    finding::{Entry, Fault, Finding, Verdict},
    report::Wanted,
    system::System,
    tables::set_up,
};

/// A machine, what is wanted of it, and the parameters of one question.
struct Case<'a> {
    system: &'a System,
    node: &'a Node,
    /// All hardware targets that there are.
    targets: &'a BTreeMap<String, Hardware>,
    /// The one that node.toml names.
    chosen_target: Option<&'a str>,
    /// How long a shutdown may take.
    budget_ms: Option<u32>,
    with: With<'a>,
}

impl Case<'_> {
    /// What set-up's own code says of a section.
    fn set_up(&self, section: Section) -> Vec<node_setup::Finding> {
        set_up::inspect(section, self.node, self.system)
    }

    /// The first thing of a section that is not as set-up wants it.
    fn left(&self, section: Section) -> Option<Verdict> {
        self.set_up(section).into_iter().find_map(|found| {
            let verdict = set_up::verdict(section, &found);
            match verdict {
                Verdict::Fails(fault) => Some(Verdict::Fails(Fault {
                    found: format!("{}: {}", found.subject, fault.found),
                    fix: fault.set_up.map(|_| "svc doctor --fix".into()),
                    ..fault
                })),
                Verdict::Holds(_)
                | Verdict::DoesNotApply(_)
                | Verdict::Unknown(_)
                | Verdict::NeedsRoot(_) => None,
            }
        })
    }
}

/// A question: what is so, and whether that is well.
type Judge = fn(&Case<'_>) -> Verdict;

/// All of them. `every_check_is_asked_by_a_profile` compares them with the profiles.
const CHECKS: &[(&str, Judge)] = &[
    ("address-space", kernel::address_space),
    ("apparmor", traces::apparmor),
    ("cdi-spec", hardware::cdi_spec),
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
    ("firmware-missing", hardware::firmware_missing),
    ("graceful-shutdown", kubernetes::graceful_shutdown),
    ("hardware-target", hardware::target),
    ("hostname", identity::hostname),
    ("hugepages", storage::hugepages),
    ("init-cgroup", cgroup::of_init),
    ("init-system", kubernetes::init_system),
    ("initiator-name", longhorn::initiator_name),
    ("iptables-version", network::iptables_version),
    ("iscsid-running", longhorn::iscsid_running),
    ("k3s-bundle", kubernetes::k3s_bundle),
    ("kernel-config", kernel::config),
    ("kernel-version", kernel::version),
    ("kubeadm-state", kubernetes::kubeadm_state),
    ("libc", hardware::libc),
    ("lid-handler", laptop::lid_handler),
    ("machine-id", identity::machine_id),
    ("memory", machine::memory),
    ("memory-cgroup-cmdline", cgroup::memory_on_the_command_line),
    ("mount-allows", storage::mount_allows),
    ("namespaces", kernel::namespaces),
    ("nfs-mount-version", longhorn::nfs_mount_version),
    ("no-process", longhorn::no_process),
    ("no-systemd-traces", traces::of_systemd),
    ("nofile-limit", traces::nofile_limit),
    ("packet-marks", network::packet_marks),
    ("page-size", kernel::page_size),
    ("proxy-environment", network::proxy_environment),
    ("root", machine::root),
    ("sandbox-image", runtime::sandbox_image),
    ("seat-manager", laptop::seat_manager),
    ("seccomp", kernel::seccomp),
    ("single-containerd", runtime::single_containerd),
    ("suspend", laptop::suspend),
    ("swap", storage::swap),
    ("sysctl-overridden", parameters::overridden),
    ("time-synchronised", clock::synchronised),
    ("uevent-helper", traces::uevent_helper),
    ("version-skew", kubernetes::version_skew),
    ("watchdog", hardware::watchdog),
];

/// The names of all questions.
pub fn ids() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(id, _)| *id)
}

/// Asks what the table asks. A name that nobody knows is a finding as well: a profile of another
/// version, or of an admin, that is not to be passed over.
pub fn judge(wanted: &Wanted<'_>, system: &System) -> Vec<Finding> {
    let &Wanted { node, targets, budget_ms, .. } = wanted;
    let chosen_target = wanted.chosen_target.as_deref();
    let finding = |check: &facts::Check| {
        let entry = Entry {
            id: id(check),
            severity: check.severity,
            why: &check.why,
            fix: check.fix.clone(),
            source: &check.source,
            by: &check.by,
        };
        let case =
            Case { system, node, targets, chosen_target, budget_ms, with: With(&check.with) };
        let verdict = CHECKS.iter().find(|(id, _)| *id == check.id).map_or_else(
            || Verdict::Unknown("this svc knows no such check".into()),
            |(_, judge)| judge(&case),
        );
        Finding::new(entry, verdict)
    };
    node.checks.iter().map(finding).collect()
}

/// Its name; where it may be asked more than once, of what as well.
fn id(check: &facts::Check) -> String {
    let subject = ["path", "name"].iter().find_map(|key| check.with.get(*key));
    match subject {
        Some(subject) => format!("{}:{subject}", check.id),
        None => check.id.clone(),
    }
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
    ask_with(id, machine, with, None)
}

/// What is wrong, of one that something must be wrong with.
#[cfg(test)]
fn fault(verdict: Verdict) -> crate::finding::Fault {
    let Verdict::Fails(fault) = verdict else { panic!("{verdict:?}") };
    fault
}

/// As [`ask`], of one whose shutdown may take so long.
#[cfg(test)]
fn ask_with(
    id: &str,
    machine: &crate::system::testing::Machine,
    with: &[(&str, &str)],
    budget_ms: Option<u32>,
) -> Verdict {
    let with: BTreeMap<String, String> =
        with.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let system = machine.system();
    let (_, judge) = CHECKS.iter().find(|(known, _)| *known == id).expect("a check of that name");
    let (node, targets) = (Node::default(), BTreeMap::new());
    judge(&Case {
        system: &system,
        node: &node,
        targets: &targets,
        chosen_target: None,
        budget_ms,
        with: With(&with),
    })
}
