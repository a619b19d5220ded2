//! A node in a virtual machine: Debian's kernel, our PID 1, real daemons. `tests/run vm` builds the
//! images (`node-image/build`) and names their directory in `NODE`.
//!
//! A boot is dear under emulation, so each machine is asked many things, each a named step. What
//! is asked goes through a root shell inside; what only the outside can know is read off the
//! console.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

mod guest;
mod steps;

use guest::Guest;

#[test]
fn a_node_boots_serves_and_ends() {
    // The main job, whole: real daemons come up in order, survive what they must, and go down.
    let mut guest = Guest::boot("x86_64");
    steps::everything_is_up(&mut guest);
    steps::the_boot_report_names_every_service(&mut guest);
    steps::the_mounts_are_what_daemons_expect(&mut guest);
    steps::each_service_lives_in_its_own_cgroup(&mut guest);
    steps::each_daemon_said_by_itself_that_it_was_ready(&mut guest);
    steps::the_container_outlives_containerd(&mut guest);
    steps::everything_outlives_the_supervisor(&mut guest);
    steps::everything_outlives_init_itself(&mut guest);
    steps::status_answers_while_the_supervisor_is_stopped(&mut guest);
    steps::explain_says_why(&mut guest);
    steps::logs_follow(&mut guest);
    steps::apply_restarts_what_changed_and_nothing_else(&mut guest);
    steps::a_broken_file_changes_nothing(&mut guest);
    steps::poweroff_ends_it_in_order(guest);
}

#[test]
fn a_node_boots_on_aarch64() {
    // The same source, the other architecture, to the same target.
    let mut guest = Guest::boot("aarch64");
    steps::everything_is_up(&mut guest);
    steps::poweroff_ends_it_in_order(guest);
}

#[test]
fn a_boot_without_a_graph_ends_in_a_rescue_shell() {
    // A broken edit cannot break a boot: with no graph to be read there is still a console.
    let guest = Guest::boot_with("x86_64", "cooper.graph=/nowhere cooper.target=rescue");
    guest.console_says("rescue");
}
