//! The hardware watchdog, as a device that really resets. Each step says its rule first.

use std::time::{Duration, Instant};

use crate::guest::Guest;

/// As short as may be. Each of the steps that wait for it takes this long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Which boot it is.
const BOOT: &str = "cat /proc/sys/kernel/random/boot_id";
/// What init has said, wherever it went.
const ALL_SAID: &str = "dmesg; svc logs cooper";
/// All steps of the final phase (`ALL_MS` in init's storage.rs), and what comes before.
const END_MAX: Duration = Duration::from_secs(150);
/// A disk from which no answer comes any more, while something is still to be written to it. A loop
/// device has a file of it that is to go with it.
const HANGING_DISK: &str = "(
set -e
export DM_DISABLE_UDEV=1
modprobe -a dm_mod loop
truncate -s 64M /tmp/disk
dmsetup create stuck --table \"0 131072 linear $(losetup --find --show /tmp/disk) 0\"
mke2fs -q -t ext4 /dev/mapper/stuck
mount /dev/mapper/stuck /mnt
truncate -s 4M /mnt/inner
losetup --find /mnt/inner
rm /mnt/inner
echo written > /mnt/file
dmsetup suspend --noflush --nolockfs stuck
)";
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
    arm(guest);
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
    guest.run_until(BOOT, |id| is_another(id, &boot));
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
    arm(guest);
    guest.run_until(ALL_SAID, |said| said.contains("the last boot ended by the watchdog's reset"));
}

/// It guards the end of the machine as well: when init itself hangs there, it starts anew.
pub fn a_final_phase_that_hangs_is_reset(guest: &mut Guest) {
    let boot = guest.run(BOOT);
    // Only the final phase asks it to end, as it is no service's.
    let freeze = "echo 1 > /sys/fs/cgroup/init.scope/cgroup.freeze";
    guest.run(&format!(
        "setsid sh -c 'echo 0 > /sys/fs/cgroup/cgroup.procs; trap \"{freeze}\" TERM; \
         echo > /tmp/ready; while :; do sleep 1000; done' > /dev/null 2>&1 & \
         until test -e /tmp/ready; do sleep 0.1; done"
    ));
    let shown = guest.console().len();
    let begin = Instant::now();
    guest.send("svc poweroff");
    guest.run_until(BOOT, |id| is_another(id, &boot));
    eprintln!("reset and up again {:.1} s after `svc poweroff`", begin.elapsed().as_secs_f32());
    assert!(begin.elapsed() > TIMEOUT, "nothing else resets it");
    let console = guest.console();
    let end = console.get(shown..).unwrap_or(&console);
    assert!(end.contains("init: final phase: power off"), "{end}");
    for bad in ["all done", "Kernel panic", "reboot: "] {
        assert!(!end.contains(bad), "{bad}: {end}");
    }
    arm(guest);
}

/// A disk that hangs is no reason to reset: each step has its deadline, the watchdog is fed
/// meanwhile, and then the machine goes down without that disk.
pub fn a_disk_that_hangs_is_left_behind(mut guest: Guest) {
    guest.run(HANGING_DISK);
    let (took, console) = guest.end("svc poweroff");
    eprintln!("down {:.1} s after `svc poweroff`, with a disk that hangs", took.as_secs_f32());
    assert!(took > TIMEOUT * 2, "it was not fed: {console}");
    assert!(took < END_MAX, "{took:?}: {console}");
    for said in ["cannot write to all disks: it hangs; left behind", "init: all done"] {
        assert!(console.contains(said), "{said}: {console}");
    }
    assert!(!console.contains("disarmed"), "{console}");
}

/// Another boot's, and not what a shell says that is about to end.
fn is_another(id: &str, boot: &str) -> bool {
    id.len() == boot.len() && id != boot
}

/// Loads the driver and asks for it.
fn arm(guest: &mut Guest) {
    guest.run("modprobe i6300esb && test -c /dev/watchdog");
    ask_for(guest, "watchdog = \"30s\"");
    is_now(guest, "active");
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
