//! iSCSI sessions: logged out once nothing is mounted from them any more.
//!
//! Not before, and not by stopping iscsid, whose sessions are the kernel's and live on: a disk that
//! goes away under a file system takes with it what was not written yet.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Ending, command};
use crate::{Root, mountinfo};

const SESSIONS: &str = "/sys/class/iscsi_session";
/// open-iscsi itself gives a log-out 15 seconds (`node.conn[0].timeo.logout_timeout`), and does all
/// of them at once.
const PATIENCE: Duration = Duration::from_secs(45);
/// Disks lie on disks (device mapper, RAID), but not deeper than this.
const DEPTH_MAX: usize = 8;

/// Logs all out, but for those that the root file system was booted from, which iscsiadm spares by
/// itself (node.startup = onboot).
pub fn end(root: &Root, ending: &mut Ending<'_>) {
    let sessions = fs::read_dir(root.path(SESSIONS)).map_or(0, Iterator::count);
    if sessions == 0 {
        return ending.note("there is no session");
    }
    let mounted = mounted(root);
    if !mounted.is_empty() {
        let mounted: Vec<&str> = mounted.iter().map(String::as_str).collect();
        return ending.left(format_args!(
            "the sessions are kept, because something is mounted from them: {}",
            mounted.join(", ")
        ));
    }
    let arguments = ["-m", "node", "--logoutall=all"];
    match command::run(Command::new("iscsiadm").args(arguments), PATIENCE) {
        Ok(status) if status.success() => {
            ending.note(format_args!("{sessions} sessions are logged out"));
        }
        Ok(status) => ending.left(format_args!("iscsiadm could not log all out: {status}")),
        Err(error) => ending.left(format_args!("cannot run iscsiadm: {error}")),
    }
}

/// What is mounted from such a disk, directly or by way of others.
fn mounted(root: &Root) -> BTreeSet<String> {
    let mounts = mountinfo::read(root).unwrap_or_default();
    let ours = mounts.into_iter().filter(|mount| {
        is_iscsi(&root.path(&format!("/sys/dev/block/{}", mount.device)), DEPTH_MAX)
    });
    ours.map(|mount| mount.at).collect()
}

/// `…/host3/session1/target3:0:0/3:0:0:1/block/sdb`, or one that lies on such a one.
fn is_iscsi(device: &Path, depth: usize) -> bool {
    let Ok(real) = fs::canonicalize(device) else { return false };
    let is_session =
        |name: &str| name.strip_prefix("session").is_some_and(|n| n.parse::<u32>().is_ok());
    if real.iter().filter_map(|name| name.to_str()).any(is_session) {
        return true;
    }
    // A partition has no slaves of its own; what it is a part of, has no session either.
    let slaves = fs::read_dir(real.join("slaves")).into_iter().flatten().flatten();
    let mut slaves = slaves.map(|slave| slave.path());
    depth > 0 && slaves.any(|slave| is_iscsi(&slave, depth.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_mount_from_a_session_is_found_through_what_lies_between() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        let disk = "sys/devices/host3/session1/target3:0:0/block/sdb";
        for path in [disk, "sys/devices/virtual/dm-0/slaves", "sys/devices/ata1/sda"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        fs::create_dir_all(at("sys/dev/block")).unwrap();
        fs::create_dir_all(at("proc/self")).unwrap();
        symlink(at(disk), at("sys/devices/virtual/dm-0/slaves/sdb")).unwrap();
        symlink(at(disk), at("sys/dev/block/8:16")).unwrap();
        symlink(at("sys/devices/virtual/dm-0"), at("sys/dev/block/253:0")).unwrap();
        symlink(at("sys/devices/ata1/sda"), at("sys/dev/block/8:0")).unwrap();
        let lines = "1 0 8:0 / / rw - ext4 /dev/sda rw\n2 1 8:16 / /a rw - ext4 /dev/sdb rw\n\
                     3 1 253:0 / /b rw - ext4 /dev/dm-0 rw\n4 1 0:5 / /c rw - tmpfs tmpfs rw\n";
        fs::write(at("proc/self/mountinfo"), lines).unwrap();
        let root = Root::at(directory.path());
        assert_eq!(mounted(&root).into_iter().collect::<Vec<_>>(), ["/a", "/b"]);

        // They are kept then; and where there is none, nothing is asked of anyone.
        let mut ending = Ending { what: "iscsi", is_left: false };
        end(&root, &mut ending);
        assert!(!ending.is_left, "there is no session");
        fs::create_dir_all(at("sys/class/iscsi_session/session1")).unwrap();
        end(&root, &mut ending);
        assert!(ending.is_left);
    }
}
