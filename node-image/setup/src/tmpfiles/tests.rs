//! Lines of packages, in a directory that looks like a machine.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::*;
use crate::State;
use crate::testing::{Machine, said};

fn run(machine: &Machine) -> String {
    said(|report| apply(&Empty {}, &machine.root(), report))
}

fn with(lines: &str) -> Machine {
    Machine::new(&[("/usr/lib/tmpfiles.d/a.conf", lines)])
}

fn mode(machine: &Machine, path: &str) -> u32 {
    fs::symlink_metadata(machine.root().path(path)).unwrap().mode() & 0o7777
}

#[test]
fn what_packages_ask_for_is_made_and_the_second_run_finds_it() {
    let machine = with(
        "d /run/sshd 0755\nd /run/b/c 0700\nf /run/b/x 0640 - - - hello\\nworld\n\
         L /etc/mtab - - - - ../proc/self/mounts\np /run/fifo 0600\nC /etc/skel - - - - /usr/skel\n\
         w /proc/switch - - - - 1\nL? /no - - - - /not-there\nC /nor - - - - /not-there\n",
    );
    machine.write("/usr/skel/.profile", "a");
    machine.write("/proc/switch", "0\n");
    let text = run(&machine);
    assert!(text.contains("0 could not"), "{text}");
    assert_eq!((mode(&machine, "/run/sshd"), mode(&machine, "/run/b/c")), (0o755, 0o700));
    assert_eq!(machine.read("/run/b/x"), "hello\nworld");
    assert_eq!(mode(&machine, "/run/b/x"), 0o640);
    let link = fs::read_link(machine.root().path("/etc/mtab")).unwrap();
    assert_eq!(link.to_str(), Some("../proc/self/mounts"));
    let fifo = fs::symlink_metadata(machine.root().path("/run/fifo")).unwrap();
    assert!(fifo.file_type().is_fifo());
    assert_eq!(machine.read("/etc/skel/.profile"), "a");
    assert_eq!(machine.read("/proc/switch"), "1");
    assert!(!machine.root().exists("/no") && !machine.root().exists("/nor"));

    let text = run(&machine);
    assert!(text.contains(" 0 changed"), "{text}");
    let found = inspect(&Empty {}, &machine.root());
    assert!(found.iter().all(|it| matches!(it.state, State::Holds(_))), "{found:#?}");
}

#[test]
fn a_line_of_the_administrator_masks_a_file_of_the_distribution() {
    let machine = with("d /run/a\n");
    machine.write("/etc/tmpfiles.d/a.conf", "d /run/b\n");
    machine.write("/usr/lib/tmpfiles.d/0.conf", "d /run/c 0700\n");
    machine.write("/usr/lib/tmpfiles.d/z.conf", "d /run/c 0755\n");
    run(&machine);
    assert!(!machine.root().exists("/run/a") && machine.root().exists("/run/b"));
    assert_eq!(mode(&machine, "/run/c"), 0o700, "the first one counts");
}

#[test]
fn removals_are_for_the_boot_alone() {
    let machine = with("D /run/d\nr /tmp/*.lock\nR /run/old\nr /run/full\nd! /run/once\n");
    let fill = || {
        for file in ["/run/d/x", "/tmp/a.lock", "/tmp/a.txt", "/run/old/b/c", "/run/full/x"] {
            machine.write(file, "");
        }
    };
    fill();
    run(&machine);
    let is = |path: &str| machine.root().exists(path);
    assert!(is("/run/d") && !is("/run/d/x") && !is("/tmp/a.lock") && !is("/run/old"));
    assert!(is("/tmp/a.txt") && is("/run/full/x") && is("/run/once"));
    fill();
    fs::remove_dir(machine.root().path("/run/once")).unwrap();
    run(&machine);
    assert!(is("/run/d/x") && is("/tmp/a.lock") && is("/run/old/b/c") && !is("/run/once"));
}

#[test]
fn what_is_there_is_left_unless_it_is_to_be_replaced() {
    let machine = with(
        "f /a - - - - new\nf+ /b - - - - new\nL /c - - - - /x\nL+ /d - - - - /x\nw /n - - - - x\n",
    );
    for file in ["/a", "/b", "/c", "/d/inside"] {
        machine.write(file, "old");
    }
    let text = run(&machine);
    assert_eq!((machine.read("/a"), machine.read("/b")), ("old".into(), "new".into()), "{text}");
    assert_eq!(machine.read("/c"), "old");
    assert!(fs::read_link(machine.root().path("/d")).is_ok());
    assert!(!machine.root().exists("/n"));
}

#[test]
fn modes_are_set_below_and_not_through_links() {
    let machine = with("Z /srv ~0750\nz /x/*.sh 0755\ne /y/* 0711\n");
    machine.write("/srv/a/b", "");
    machine.write("/x/run.sh", "");
    machine.write("/y/dir/file", "");
    machine.write("/y/file", "");
    machine.write("/secret", "");
    fs::set_permissions(
        machine.root().path("/secret"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let link = machine.root().path("/srv/link");
    std::os::unix::fs::symlink(machine.root().path("/secret"), link).unwrap();
    run(&machine);
    assert_eq!((mode(&machine, "/srv/a"), mode(&machine, "/srv/a/b")), (0o750, 0o640));
    assert_eq!(mode(&machine, "/secret"), 0o600);
    assert_eq!((mode(&machine, "/x/run.sh"), mode(&machine, "/y/dir")), (0o755, 0o711));
    assert_ne!(mode(&machine, "/y/file"), 0o711, "`e` is for directories");
}

#[test]
fn what_cannot_be_done_is_said_and_the_rest_is_done() {
    let machine = with("t /x\nd /run/a - nobody-knows\nc /n - - - - x\nd /run/b\n");
    let text = run(&machine);
    for part in ["cannot obey /usr/lib/tmpfiles.d/a.conf:1: `t`", "nobody-knows", "`MAJOR:MINOR`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(machine.root().exists("/run/b") && !machine.root().exists("/run/a"));
}
