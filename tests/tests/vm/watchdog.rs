//! The hardware watchdog, as a device that really resets. Each step says its rule first.

use std::time::{Duration, Instant};

use crate::guest::Guest;

/// As short as may be. Each of the steps that wait for it takes this long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Which boot it is.
const BOOT: &str = "cat /proc/sys/kernel/random/boot_id";
/// What init has said, wherever it went.
const ALL_SAID: &str = "dmesg; svc logs cooper";
/// What the driver knows of it.
const DRIVER: &str = "/sys/class/watchdog/watchdog0";

/// Without its device the node works, and says what is missing.
pub fn one_that_is_not_there_is_said_and_nothing_else(guest: &mut Guest) {
    ask_for(guest, "watchdog = \"30s\"");
    let complaint = "cannot arm the watchdog /dev/watchdog: no such file or directory";
    let said = guest.run_until(ALL_SAID, |said| said.contains(complaint));
    assert_eq!(said.matches(complaint).count(), 1, "{said}");
}

/// `node.toml` says so, and the device is there: no reboot is needed.
pub fn an_apply_arms_it(guest: &mut Guest) {
    guest.run("modprobe i6300esb && test -c /dev/watchdog");
    ask_for(guest, "watchdog = \"30s\"");
    is_now(guest, "active");
    assert_eq!(guest.run(&format!("cat {DRIVER}/timeout")).trim(), "30");
    nobody_else_may_have_it(guest);
}

/// It hangs, it is killed, its successor answers: all within the timeout.
pub fn a_supervise_that_is_replaced_resets_nothing(guest: &mut Guest) {
    let (boot, old) = (guest.run(BOOT), guest.run("pidof supervise"));
    let begin = Instant::now();
    guest.run("kill -STOP $(pidof supervise)");
    let new = guest.run_until("pidof supervise", |pid| !pid.trim().is_empty() && pid != old);
    eprintln!("replaced {:.1} s after it hung", begin.elapsed().as_secs_f32());
    assert!(begin.elapsed() < TIMEOUT, "{new}");
    // Longer than the device would have waited without it.
    guest.run_until("cut -d. -f1 /proc/uptime", |_| begin.elapsed() > TIMEOUT + TIMEOUT / 4);
    assert_eq!(guest.run(BOOT), boot);
    assert_eq!(guest.run("pidof supervise"), new);
}

/// The device stays open, and guards the machine between the two images as well.
pub fn init_that_executes_itself_again_keeps_it(guest: &mut Guest) {
    guest.run("kill -SEGV 1");
    guest.run("svc start guest-shell");
    is_now(guest, "active");
    nobody_else_may_have_it(guest);
}

/// Only the administrator stops it.
pub fn an_apply_disarms_it(guest: &mut Guest) {
    ask_for(guest, "watchdog = \"off\"");
    is_now(guest, "inactive");
    ask_for(guest, "watchdog = \"30s\"");
    is_now(guest, "active");
}

/// First somebody at the console can help; then, because nobody did, the machine starts anew.
pub fn a_supervise_that_cannot_be_replaced_leaves_a_shell_and_then_a_reset(guest: &mut Guest) {
    let boot = guest.run(BOOT);
    let begin = Instant::now();
    guest.run("chmod 000 /usr/lib/cooper/supervise; kill -9 $(pidof supervise)");
    guest.console_says("cannot start /usr/lib/cooper/supervise: here is a shell");
    guest.types("echo rescue $((40 + 2)) as $(id -un)");
    guest.console_says("rescue 42 as root");
    let took = begin.elapsed();
    guest.run_until(BOOT, |id| !id.trim().is_empty() && id != boot);
    eprintln!(
        "a shell after {:.1} s, reset and up again after {:.1} s",
        took.as_secs_f32(),
        begin.elapsed().as_secs_f32()
    );
    let console = guest.console();
    for bad in ["Kernel panic", "reboot: "] {
        assert!(!console.contains(bad), "it was not the watchdog:\n{console}");
    }
    // The device itself says so, and init hands it on.
    guest.run("modprobe i6300esb && test -c /dev/watchdog");
    ask_for(guest, "watchdog = \"30s\"");
    guest.run_until(ALL_SAID, |said| said.contains("the last boot ended by the watchdog's reset"));
}

/// Through the whole shutdown, and it is in nobody's way.
pub fn it_stays_armed_to_the_end(guest: Guest) {
    let (_, console) = guest.end("svc poweroff");
    assert!(!console.contains("disarmed"), "{console}");
    assert!(console.contains("init: all done"), "{console}");
}

fn nobody_else_may_have_it(guest: &mut Guest) {
    guest.run("(: > /dev/watchdog) 2>&1 | grep busy");
}

/// Puts a `node.toml` in force that is the image's own, and this.
fn ask_for(guest: &mut Guest, line: &str) {
    let file = "/etc/cooper/node.toml";
    guest.run(&format!("sed -i '/^watchdog/d' {file}; sed -i '1i {line}' {file}; svc apply"));
}

/// init does it after the answer to `svc apply`.
fn is_now(guest: &mut Guest, state: &str) {
    guest.run_until(&format!("cat {DRIVER}/state"), |now| now.trim() == state);
}
