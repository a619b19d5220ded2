//! What each profile brings up of the shipped services.

use facts::Library;

use crate::node::{CHOICE, of, service};

/// Every service that a profile names is shipped, and a node of this profile alone compiles
/// without a warning, once it has chosen its network and who looks after its devices.
#[test]
fn each_profile_makes_a_node() {
    let library = Library::built_in();
    assert!(!library.profiles.is_empty());
    for profile in library.profiles.keys() {
        of(&format!("profiles = [{profile:?}]\nservices = {CHOICE:?}"));
    }
}

/// Those that are made for each other.
#[test]
fn profiles_that_belong_together_make_a_node() {
    for profiles in [
        &["k3s-server", "longhorn", "tailscale"][..],
        &["k3s-agent", "nfs", "gpu-amd", "laptop"],
        &["kubeadm", "cilium", "longhorn"],
        &["kubeadm", "flannel", "kube-proxy", "wireguard", "gpu-nvidia"],
        &["control-plane", "kubelet"],
    ] {
        of(&format!("profiles = {profiles:?}\nservices = {CHOICE:?}"));
    }
}

/// What a node leaves out does not come up, and nothing that does requires it.
#[test]
fn a_node_can_do_without_the_time_daemon() {
    let node = format!("profiles = [\"kubeadm\"]\nservices = {CHOICE:?}\n");
    let wanted = |node: &str| -> Vec<String> {
        let graph = of(node);
        let ids = &service(&graph, "default").wants;
        let named = |id: &graph::ServiceId| graph.services.get(usize::try_from(id.0).ok()?);
        ids.iter().filter_map(named).map(|service| service.name.clone()).collect()
    };
    let (mut with, without) =
        (wanted(&node), wanted(&format!("{node}without = [\"chronyd\", \"time-sync\"]\n")));
    with.retain(|name| name != "chronyd" && name != "time-sync");
    assert!(with.len() + 2 == wanted(&node).len() && with == without, "{without:?}");
}
