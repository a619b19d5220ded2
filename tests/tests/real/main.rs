//! Real daemons in a virtual machine: Debian's kernel, our PID 1, and Kubernetes as it is released.
//! `tests/run real` builds the daemons (`tests/real/build`) and the machine (`tests/real/image`),
//! and names the machine's directory in `REAL`.
//!
//! A boot is dear under emulation, and so is a daemon's start: one machine is asked many things,
//! each a named step, in the order in which it costs least.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

mod cilium;
mod cluster;
mod daemons;
mod node;
mod pods;
mod preflight;
mod shutdown;

use node::Node;

#[test]
fn a_node_runs_pods_joins_a_cluster_and_ends() {
    let mut node = Node::boot("default");
    pods::daemons_say_themselves_that_they_are_ready(&mut node);
    pods::a_pod_runs(&mut node);
    pods::cgroups_are_where_they_belong(&mut node);
    pods::nothing_makes_them_think_of_systemd(&mut node);
    pods::a_pod_outlives_its_kubelet(&mut node);
    pods::a_pod_outlives_its_runtime(&mut node);
    pods::a_pod_outlives_the_supervisor(&mut node);
    pods::it_is_still_the_same_pod(&mut node);
    preflight::the_kernel_is_what_check_config_says(&mut node);
    preflight::kubeadm_says_what_doctor_says(&mut node);
    cluster::the_node_becomes_ready(&mut node);
    cluster::a_deployment_runs(&mut node);
    cluster::stopping_kubelet_leaves_pods(&mut node);
    daemons::tailscaled_answers(&mut node);
    let off = daemons::everything_ends_in_order(node);
    daemons::it_comes_back(off);
}

#[test]
fn pods_have_their_time_when_the_node_goes_down() {
    let mut node = Node::boot("default");
    shutdown::kubelet_asks_for_time(&mut node);
    let off = shutdown::pods_end_by_themselves(node);
    let mut node = shutdown::the_next_boot_knows_that_it_did(off);
    shutdown::kubelet_asks_for_time(&mut node);
    let off = shutdown::one_that_never_lets_go_loses(node);
    shutdown::the_next_boot_names_it(off);
}

#[test]
fn cilium_finds_a_node_that_it_can_work_on() {
    // There is no apparmor_parser, without which `svc doctor` does not like AppArmor.
    let mut node = Node::boot("runtime apparmor=0");
    cilium::its_profile_comes_into_force(&mut node);
    cilium::doctor_has_nothing_to_say(&mut node);
    cilium::the_agent_says_that_it_is_ready(&mut node);
    cilium::its_programs_are_compiled_and_attached(&mut node);
    cilium::the_node_is_as_it_needs_it(&mut node);
    cilium::doctor_has_nothing_to_say(&mut node);
    cilium::its_programs_outlive_it(&mut node);
}
