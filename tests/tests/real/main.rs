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

mod node;
mod pods;

use node::Node;

#[test]
fn a_kubelet_runs_pods_and_pods_outlive_everything() {
    let mut node = Node::boot("default");
    pods::daemons_say_themselves_that_they_are_ready(&mut node);
    pods::a_pod_runs(&mut node);
    pods::cgroups_are_where_they_belong(&mut node);
    pods::nothing_makes_them_think_of_systemd(&mut node);
    pods::a_pod_outlives_its_kubelet(&mut node);
    pods::a_pod_outlives_its_runtime(&mut node);
    pods::a_pod_outlives_the_supervisor(&mut node);
    pods::it_is_still_the_same_pod(&mut node);
}
