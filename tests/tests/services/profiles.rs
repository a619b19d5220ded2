//! What each profile brings up of the shipped services.

use facts::Library;

use crate::node::{CHOICE, of};

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
