//! A root of Alpine's packages on a disk, in a virtual machine.

use std::process::Command;
use std::time::Duration;

use node_image::vm::{self, Architecture, Boot};

use crate::{given, installer, ours, run, top};

/// From power-on to an answer, under emulation: ten times what it takes.
const DEADLINE: Duration = Duration::from_secs(600);
/// A way in for the test, among the files that are laid over the root.
const SHELL: &str = "etc/cooper/services/guest-shell.toml";

#[test]
fn a_root_boots_from_a_disk() {
    let scratch = tempfile::tempdir().expect("a directory");
    let disk = scratch.path().join("alpine.img");
    let mut build = Command::new(given("NODE_IMAGE"));
    build
        // It is the checkout's own, as `cargo run` would tell it.
        .env("CARGO_MANIFEST_DIR", top().join("node-image"))
        .args(["build", "disk", "--base", "alpine", "--target", "generic-x86_64"])
        .args(["--without-firmware", "--kernel", "linux-virt", "--service", "mdev,guest-shell"])
        .args(["--parameter", "console=ttyS0", "--parameter", "no_timer_check", "--lay"])
        .arg(format!("{}:{SHELL}", top().join("node-image/guest").join(SHELL).display()))
        .arg("--apk")
        .arg(installer())
        .arg("--key")
        .arg(given("ALPINE").join("key.rsa.pub"));
    for repository in [given("ALPINE").join("alpine"), ours("0.1.0")] {
        build.arg("--repository").arg(repository);
    }
    run(build.arg("--output").arg(&disk));

    let via = vm::firmware(&disk, Architecture::X86_64).expect("UEFI is installed");
    let boot = Boot { via, memory_mib: 1024, cpus: 2, qemu: vm::disk(&disk) };
    let mut machine = boot.start(&scratch.path().join("console")).expect("QEMU starts");
    let mut ask = |command: &str| {
        machine.succeed(command, DEADLINE).unwrap_or_else(|error| panic!("{error:#}"))
    };
    // It is Alpine's root, as far as this one is, and ours is process 1.
    assert_eq!(ask("readlink /proc/1/exe").trim(), "/usr/lib/cooper/init");
    assert!(ask("cat /etc/apk/world").lines().any(|line| line == "alpine-base"));
    assert!(ask("grep ' / ' /proc/mounts").contains("erofs"));
    // By its path: the shell of this busybox, which is Debian's, has an applet of that name.
    for service in ["mounts", "modules", "sysctl", "machine-id"] {
        ask(&format!("/usr/bin/svc start {service}"));
    }
    assert_eq!(ask("cat /etc/machine-id").trim().len(), 32);
    machine.send("/usr/bin/svc poweroff").expect("it listens");
    machine.wait_poweroff(DEADLINE).expect("it goes down");
}
