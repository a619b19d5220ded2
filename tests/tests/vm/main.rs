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

mod disk;
mod doctor;
mod end;
mod guest;
mod operate;
mod services;
mod setup;
mod storage;
mod survive;
mod up;
mod watchdog;

use guest::Guest;
use node_image::tree::{Content, Entry, Tree};
use setup::Packing;

#[test]
fn a_node_boots_serves_and_ends() {
    // The main job, whole: real daemons come up in order, survive what they must, and go down.
    // Its clock is as if its battery were empty; its number is one that a host would have given it.
    let number = "3a5c0b52-8f8a-4d6e-9b1f-6d2f0c7e4a11";
    let hardware = ["-rtc", "base=2001-02-03", "-uuid", number];
    let mut guest = Guest::boot_with_hardware("x86_64", "", &hardware);
    up::everything_is_up(&mut guest);
    up::the_host_is_set_up(&mut guest);
    up::the_profile_is_set_up(&mut guest);
    up::the_boot_report_names_every_service(&mut guest);
    up::the_mounts_are_what_daemons_expect(&mut guest);
    up::each_service_lives_in_its_own_cgroup(&mut guest);
    up::each_daemon_said_by_itself_that_it_was_ready(&mut guest);
    up::each_daemon_does_its_work(&mut guest);
    survive::the_container_outlives_containerd(&mut guest);
    survive::everything_outlives_the_supervisor(&mut guest);
    survive::everything_outlives_init_itself(&mut guest);
    survive::everything_outlives_the_logger(&mut guest);
    survive::a_daemon_that_is_killed_comes_back(&mut guest);
    operate::status_answers_while_the_supervisor_is_stopped(&mut guest);
    operate::explain_says_why(&mut guest);
    operate::logs_follow(&mut guest);
    operate::reload_keeps_the_process(&mut guest);
    operate::apply_restarts_what_changed_and_nothing_else(&mut guest);
    operate::apply_sets_up_what_another_profile_wants(&mut guest);
    operate::a_module_that_is_missing_holds_nothing_up(&mut guest);
    operate::a_broken_file_changes_nothing(&mut guest);
    operate::only_root_may_change_something(&mut guest);
    survive::no_line_of_the_container_is_lost(&mut guest);
    end::poweroff_ends_it_in_order(guest);
}

#[test]
fn a_node_is_examined() {
    // AppArmor off: its parser is no part of the image, and the node would be found to lack it.
    let mut guest = Guest::boot_with("x86_64", "apparmor=0");
    up::everything_is_up(&mut guest);
    doctor::install(&mut guest);
    doctor::a_healthy_node_has_no_errors(&mut guest);
    doctor::each_planted_fault_is_found(&mut guest);
    doctor::what_the_kernel_lacks_cannot_be_set_up(&mut guest);
    doctor::anybody_may_look(&mut guest);
    end::poweroff_ends_it_in_order(guest);
}

#[test]
fn a_node_boots_on_aarch64() {
    // The same source, the other architecture, to the same target.
    let mut guest = Guest::boot("aarch64");
    up::everything_is_up(&mut guest);
    up::each_daemon_does_its_work(&mut guest);
    end::poweroff_ends_it_in_order(guest);
}

#[test]
fn every_service_that_is_shipped_does_its_work() {
    // Those that can run here, and not in the demonstration; the rest is in tests/real. What it has
    // on disks is looked at when it is off.
    let disks = storage::Disks::make();
    let words = disks.words();
    let qemu: Vec<&str> = storage::CLOCK.into_iter().chain(words.iter().map(|it| &**it)).collect();
    let mut guest = Guest::boot_with_services("x86_64", &storage::files(), &qemu);
    up::everything_is_up(&mut guest);
    storage::what_fstab_lists_is_mended_and_used(&mut guest);
    storage::the_hardware_clock_may_be_local(&mut guest);
    services::prepare(&mut guest);
    services::coldplug_loads_drivers(&mut guest);
    services::dhcp_configures_the_interface(&mut guest);
    services::a_static_network_takes_its_place(&mut guest);
    services::time_sync_is_honest(&mut guest);
    services::iscsi_sessions_outlive_iscsid(&mut guest);
    services::ssh_sessions_outlive_sshd(&mut guest);
    services::the_bus_answers(&mut guest);
    services::syslog_is_logged(&mut guest);
    services::etcd_keeps_its_data(&mut guest);
    services::each_console_has_a_login(&mut guest);
    services::mdev_sets_groups(&mut guest);
    storage::somebody_watches(&mut guest);
    let console = end::poweroff_ends_it_in_order(guest);
    storage::it_ended_in_order_and_nothing_was_lost(&disks, &console);
}

#[test]
fn a_node_of_a_profile_sets_itself_up() {
    // What the table says is made true, at once and for what comes later.
    let files = setup::files("x86_64", |_| None);
    let mut guest = Guest::boot_over_with("x86_64", &files, &setup::COUNTED);
    setup::everything_is_set_up(&mut guest);
    setup::the_modules_are_loaded(&mut guest);
    doctor::nothing_is_left_to_set_up(&mut guest, setup::PROFILE);
    setup::nothing_waits_without_need(&mut guest);
    setup::set_up_costs_little(&mut guest);
    setup::a_late_key_is_set(&mut guest);
}

#[test]
fn modules_are_loaded_however_they_are_packed() {
    // This kernel unpacks xz by itself, and nothing else.
    let pack = |at| [Packing::None, Packing::Gzip, Packing::Zstd].get(at % 4).copied();
    let mut guest = Guest::boot_over("x86_64", &setup::files("x86_64", pack));
    setup::everything_is_set_up(&mut guest);
    setup::the_modules_are_loaded(&mut guest);
}

#[test]
fn disk_a_node_is_upgraded_and_falls_back() {
    // From power-on by way of UEFI. What the firmware does is as slow as all else, so it is one
    // machine that restarts.
    let mut guest = disk::boot("x86_64", &["broken.tar", "x86_64.tar"]);
    disk::everything_is_up(&mut guest);
    disk::the_root_is_an_image(&mut guest, "a");
    disk::data_fills_the_disk(&mut guest);
    let id = disk::it_has_an_identity(&mut guest);
    disk::the_loader_has(&mut guest, &["cooper-1-a.efi"]);
    disk::the_administrator_adds_a_service(&mut guest);
    disk::an_upgrade_is_taken(&mut guest, "/dev/vdb");
    disk::the_loader_has(&mut guest, &["cooper-1-a.efi", "cooper-2-b+3.efi"]);
    disk::a_root_that_does_not_come_up_gives_way(&mut guest);
    disk::the_root_is_an_image(&mut guest, "a");
    disk::it_has_kept(&mut guest, &id);
    disk::the_loader_has(&mut guest, &["cooper-1-a.efi", "cooper-2-b+0-3.efi"]);
    disk::an_upgrade_is_taken(&mut guest, "/dev/vdc");
    disk::a_root_that_comes_up_stays(&mut guest);
    disk::the_root_is_an_image(&mut guest, "b");
    disk::it_has_kept(&mut guest, &id);
    disk::it_has_the_administrators_service(&mut guest);
    disk::the_loader_has(&mut guest, &["cooper-1-a.efi", "cooper-3-b.efi"]);
    end::poweroff_ends_it_in_order(guest);
}

#[test]
fn disk_a_node_boots_on_aarch64() {
    // The same, the other architecture.
    let mut guest = disk::boot("aarch64", &[]);
    disk::everything_is_up(&mut guest);
    disk::the_root_is_an_image(&mut guest, "a");
    disk::the_loader_has(&mut guest, &["cooper-1-a.efi"]);
    end::poweroff_ends_it_in_order(guest);
}

#[test]
fn disk_a_node_boots_from_the_network() {
    // From power-on by way of iPXE, and without any disk.
    let mut guest = disk::boot_network("x86_64");
    disk::nothing_is_kept(&mut guest);
    end::poweroff_ends_it_in_order(guest);
}

#[test]
fn a_boot_with_a_broken_graph_ends_in_a_rescue_shell() {
    // A graph that cannot be read cannot break a boot: there is still a console.
    let mut broken = Tree::default();
    let content = Content::Bytes(b"this is no graph".to_vec());
    broken.insert("var/lib/cooper/graph/current", Entry::File { mode: 0o644, content }).unwrap();
    end::a_rescue_shell_is_all_there_is(Guest::boot_over("x86_64", &broken));
}

#[test]
fn a_machine_that_nobody_supervises_is_reset() {
    // A real device, as far as a machine of QEMU's has one: it resets, and the machine starts
    // again by itself.
    let qemu = ["-device", "i6300esb", "-action", "reboot=reset,watchdog=reset"];
    let words = "cooper.target=guest-shell";
    let mut guest = Guest::boot_over_services("x86_64", words, &Tree::default(), &qemu);
    watchdog::one_that_is_not_there_is_said_and_nothing_else(&mut guest);
    watchdog::an_apply_arms_it(&mut guest);
    watchdog::a_supervise_that_is_replaced_resets_nothing(&mut guest);
    watchdog::init_that_executes_itself_again_keeps_it(&mut guest);
    watchdog::an_apply_disarms_it(&mut guest);
    watchdog::a_supervise_that_cannot_be_replaced_leaves_a_shell_and_then_a_reset(&mut guest);
    watchdog::a_final_phase_that_hangs_is_reset(&mut guest);
    watchdog::a_disk_that_hangs_is_left_behind(guest);
}

#[test]
fn a_rescue_shell_can_be_asked_for() {
    // Whatever the graph says, for whoever stands at the boot loader.
    end::a_rescue_shell_is_all_there_is(Guest::boot_with("x86_64", "cooper.target=rescue"));
}

#[test]
fn each_ending_is_what_its_name_says() {
    // As the kernel tells it, last of all. There is no kernel to kexec into: that is said, and
    // the machine starts again by way of its firmware, which may be told something.
    for (verb, last_words) in [
        ("reboot '0 tryboot'", "reboot: Restarting system with command '0 tryboot'"),
        ("halt", "reboot: System halted"),
        ("kexec", "reboot: Restarting system"),
    ] {
        let mut guest = Guest::boot_with("x86_64", "cooper.target=rescue");
        guest.console_says("node:");
        guest.types(&format!("svc {verb}"));
        guest.console_says(last_words);
        let admitted = guest.console().contains("cannot end as asked kexec");
        assert_eq!(admitted, verb == "kexec", "{}", guest.console());
    }
}
