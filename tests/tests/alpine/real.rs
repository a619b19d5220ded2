//! What only apk-tools itself can show: a change of a root that is there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{given, installer, made, ours, run};

fn apk(root: &Path, repositories: &[&Path], arguments: &[&str]) -> String {
    let mut command = Command::new(installer());
    command.arg("--root").arg(root).args(["--no-cache", "--repositories-file", "/dev/null"]);
    for repository in repositories {
        command.arg("--repository").arg(repository);
    }
    run(command.args(arguments))
}

#[test]
fn an_upgrade_takes_all_of_ours_and_keeps_what_was_edited() {
    let scratch = tempfile::tempdir().expect("a directory");
    let root = scratch.path().join("root");
    made(&root, &[ours("0.1.0")], &["--package", "cooper-init"]);
    let node = root.join("etc/cooper/node.toml");
    fs::write(&node, "profiles = [\"base\"]\n").expect("written");
    let alpine = given("ALPINE").join("alpine");
    apk(&root, &[&alpine, &ours("0.2.0")], &["upgrade"]);
    let listed = apk(&root, &[], &["list", "--installed"]);
    let ours: Vec<&str> = listed.lines().filter(|line| line.starts_with("cooper")).collect();
    assert!(ours.len() > 5 && ours.iter().all(|line| line.contains("-0.2.0-r0 ")), "{listed}");
    assert_eq!(fs::read_to_string(node).expect("it is there"), "profiles = [\"base\"]\n");
    assert!(apk(&root, &[], &["audit", "--packages", "--quiet"]).is_empty());
}

#[test]
fn cooper_init_goes_and_busybox_is_back() {
    let scratch = tempfile::tempdir().expect("a directory");
    let root = scratch.path().join("root");
    let alpine = given("ALPINE").join("alpine");
    made(&root, &[ours("0.1.0")], &["--package", "cooper-init"]);
    apk(&root, &[&alpine, &ours("0.1.0")], &["del", "cooper-init"]);
    for name in ["init", "poweroff", "reboot", "halt"] {
        let to = fs::read_link(root.join("sbin").join(name)).expect("a link");
        assert_eq!(to, Path::new("/bin/busybox"), "{name}");
    }
    // And once more over busybox's links, which no package owns.
    apk(&root, &[&alpine, &ours("0.1.0")], &["add", "cooper-init"]);
    let to = fs::read_link(root.join("sbin/init")).expect("a link");
    assert_eq!(to, Path::new("../usr/lib/cooper/init"));
}
