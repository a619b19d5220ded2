//! Who comes up before whom, and goes down after them. A graph is gone through backwards to stop:
//! whoever is ordered after another one is down before the other is asked to.

use std::collections::BTreeSet;

use graph::{Graph, ServiceId};

use crate::node::{CHOICE, node, shipped};

/// What nodes are made of; each has other paths from one service to the next.
const NODES: [&[&str]; 4] = [
    &["kubelet", "pods", "pods-graceful", "iscsi-sessions", "sshd", "time-sync", "tailscaled"],
    &["k3s", "pods", "pods-graceful", "iscsi-sessions", "sshd", "time-sync", "tailscaled"],
    &["k3s-agent", "pods", "pods-graceful", "iscsi-sessions", "time-sync", "tailscaled"],
    &[
        "kubelet",
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
    ],
];

/// Left after right at boot, and before it at shutdown, wherever a node has both.
const AFTER: [(&str, &str); 42] = [
    // §5.4: pods are told, kubelet or k3s ends, what is left of pods, the runtime, disks, network.
    ("pods-graceful", "kubelet"),
    ("pods-graceful", "k3s"),
    ("pods-graceful", "k3s-agent"),
    ("pods-graceful", "login1"),
    ("kubelet", "login1"),
    ("k3s", "login1"),
    ("k3s-agent", "login1"),
    ("kubelet", "pods"),
    ("k3s", "pods"),
    ("k3s-agent", "pods"),
    ("pods", "containerd"),
    ("pods", "iscsi-sessions"),
    ("pods", "network-dhcp"),
    ("kubelet", "containerd"),
    ("kubelet", "iscsi-sessions"),
    ("k3s", "iscsi-sessions"),
    ("k3s-agent", "iscsi-sessions"),
    ("containerd", "iscsi-sessions"),
    ("iscsi-sessions", "iscsid"),
    ("iscsid", "iscsi-initiator-name"),
    ("iscsid", "network-dhcp"),
    ("kubelet", "tailscaled"),
    ("k3s", "tailscaled"),
    ("k3s-agent", "tailscaled"),
    ("tailscaled", "network-dhcp"),
    ("kubelet", "network-dhcp"),
    ("k3s", "network-dhcp"),
    ("k3s-agent", "network-dhcp"),
    ("sshd", "network-dhcp"),
    ("network-dhcp", "dhcpcd"),
    ("dhcpcd", "mdevd-coldplug"),
    // §1.2: what must be there first.
    ("sysctl", "modules"),
    ("dhcpcd", "sysctl"),
    ("containerd", "cgroups"),
    ("kubelet", "time-sync"),
    ("k3s", "time-sync"),
    ("k3s-agent", "time-sync"),
    ("kube-apiserver", "etcd"),
    ("kube-controller-manager", "kube-apiserver"),
    ("kube-scheduler", "kube-apiserver"),
    ("kube-proxy", "kube-apiserver"),
    ("kubelet", "kube-apiserver"),
];

#[test]
fn each_pair_is_ordered_in_each_node() {
    let mut seen = BTreeSet::new();
    for services in NODES {
        let services: Vec<&str> = services.iter().chain(&CHOICE).copied().collect();
        let graph = node(&services);
        let up = up(&graph);
        for (after, before) in AFTER {
            let (Some(after), Some(before)) = (find(&graph, after), find(&graph, before)) else {
                panic!("{after} and {before} are not both shipped");
            };
            if up.contains(&after) && up.contains(&before) {
                let names = (name(&graph, after), name(&graph, before));
                assert!(is_after(&graph, &up, after, before), "{names:?} in {services:?}");
                seen.insert((after, before));
            }
        }
    }
    assert_eq!(seen.len(), AFTER.len(), "a pair that no node has shows nothing");
}

/// A node is mended over its network, whichever module its kernel lacks: what cannot be had is
/// said, and holds nobody up.
#[test]
fn nobody_stays_down_for_a_module_or_a_parameter() {
    let graph = shipped();
    for service in &graph.services {
        for name in service.requires.iter().map(|id| name(&graph, *id)) {
            assert!(!["modules", "sysctl"].contains(&name), "{} requires {name}", service.name);
        }
    }
}

/// What `default` brings up.
fn up(graph: &Graph) -> BTreeSet<ServiceId> {
    let mut up = BTreeSet::new();
    let mut unseen: Vec<ServiceId> = find(graph, "default").into_iter().collect();
    while let Some(id) = unseen.pop() {
        if up.insert(id) {
            let service = &graph.services[index(id)];
            unseen.extend(service.requires.iter().chain(&service.wants));
        }
    }
    up
}

/// By any chain of services that are up: one that is down orders nobody.
fn is_after(graph: &Graph, up: &BTreeSet<ServiceId>, after: ServiceId, before: ServiceId) -> bool {
    let mut seen = BTreeSet::new();
    let mut unseen = vec![after];
    while let Some(id) = unseen.pop() {
        let service = &graph.services[index(id)];
        for &next in service.requires.iter().chain(&service.wants).chain(&service.after) {
            if next == before {
                return true;
            }
            if up.contains(&next) && seen.insert(next) {
                unseen.push(next);
            }
        }
    }
    false
}

fn find(graph: &Graph, name: &str) -> Option<ServiceId> {
    let found = graph.services.iter().position(|service| service.name == name)?;
    Some(ServiceId(u32::try_from(found).expect("few services")))
}

fn name(graph: &Graph, id: ServiceId) -> &str {
    &graph.services[index(id)].name
}

fn index(id: ServiceId) -> usize {
    usize::try_from(id.0).expect("an index")
}
