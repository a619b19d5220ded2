//! `mounts`: seen through /proc/PID/root, and from outside not at all.

use std::io::ErrorKind;
use std::path::PathBuf;

use graph::MountSpec;

use crate::spawn::testing::*;
use crate::testing::{Scratch, is_root};

fn inside(live: &Live, path: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{path}", live.pid))
}

#[test]
fn a_service_has_mounts_of_its_own() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    for name in ["tmpfs", "fixed", "source", "target", "secret"] {
        std::fs::create_dir(scratch.path(name)).unwrap();
        std::fs::write(scratch.path(&format!("{name}/file")), name).unwrap();
    }
    let mut process = sleeper();
    process.run.mounts = vec![
        MountSpec::Tmpfs(scratch.path("tmpfs")),
        MountSpec::ReadOnly(scratch.path("fixed")),
        MountSpec::Bind { source: scratch.path("source"), target: scratch.path("target") },
        MountSpec::Inaccessible(scratch.path("secret")),
        MountSpec::Inaccessible(scratch.path("source/file")),
    ];
    let live = Live::new(&order(&process, None));
    let see = |name: &str| inside(&live, &scratch.path(name));

    assert!(!see("tmpfs/file").exists(), "it is fresh");
    std::fs::write(see("tmpfs/new"), "").unwrap();
    assert_eq!(std::fs::read_to_string(see("fixed/file")).unwrap(), "fixed");
    let error = std::fs::write(see("fixed/file"), "").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
    assert_eq!(std::fs::read_to_string(see("target/file")).unwrap(), "source");
    std::fs::write(see("target/new"), "new").unwrap();
    assert_eq!(std::fs::read_dir(see("secret")).unwrap().count(), 0);
    assert_eq!(std::fs::read_to_string(see("source/file")).unwrap(), "");

    assert_eq!(std::fs::read_to_string(scratch.path("source/new")).unwrap(), "new");
    assert_eq!(std::fs::read_to_string(scratch.path("target/file")).unwrap(), "target");
    assert_eq!(std::fs::read_to_string(scratch.path("secret/file")).unwrap(), "secret");
    assert!(!PathBuf::from(scratch.path("tmpfs/new")).exists());
    let ours = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!ours.contains(scratch.0.to_str().unwrap()), "none is seen outside");
}

#[test]
fn a_read_only_mount_keeps_its_other_flags() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("a")).unwrap();
    let mut process = sleeper();
    process.run.mounts =
        vec![MountSpec::Tmpfs(scratch.path("a")), MountSpec::ReadOnly(scratch.path("a"))];
    let live = Live::new(&order(&process, None));
    let mountinfo = live.proc("mountinfo");
    let line = mountinfo.lines().rfind(|line| line.contains(&scratch.path("a"))).unwrap();
    let flags = line.split(' ').nth(5).unwrap();
    assert!(flags.starts_with("ro,nosuid,nodev"), "{line}");
}

#[test]
fn without_mounts_the_namespace_is_the_hosts() {
    let live = Live::new(&order(&sleeper(), None));
    assert_eq!(live.link("ns/mnt"), std::fs::read_link("/proc/self/ns/mnt").unwrap());
}
