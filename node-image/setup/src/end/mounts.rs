//! Mounts of pods: what `k3s-killall.sh` and `kubeadm reset` unmount too.
//!
//! None is detached lazily: a volume that is still written must not look as if it were gone. Who
//! holds one is ended later, and init unmounts it in its final phase.

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::mount::UnmountFlags;

use super::{Ending, command};
use crate::mountinfo::MountPoint;
use crate::{DONE, FAILED, Root, mountinfo};

/// Directories, and a prefix: whatever is mounted on them or below.
const PLACES: [&str; 5] = [
    "/var/lib/kubelet/pods",
    "/var/lib/kubelet/plugins",
    "/run/containerd",
    "/run/k3s",
    "/run/netns/cni-",
];
/// One whose server or disk is gone may never end.
const PATIENCE: Duration = Duration::from_secs(5);
/// All of them together.
const PATIENCE_ALL: Duration = Duration::from_secs(20);

/// Unmounts all, each in a process of its own.
pub fn end(root: &Root, ending: &mut Ending<'_>) {
    let until = Instant::now().checked_add(PATIENCE_ALL).unwrap_or_else(Instant::now);
    let Ok(program) = std::env::current_exe() else {
        return ending.left("cannot unmount anything: this program cannot find itself");
    };
    let mut unmounted = 0_usize;
    let mut refused = Vec::new();
    for at in places(root) {
        if Instant::now() >= until {
            refused.push((at, "there is no time left for it".to_owned()));
            continue;
        }
        match command::run(Command::new(&program).args(["end", "unmount", &at]), PATIENCE) {
            Ok(status) if status.success() => unmounted = unmounted.saturating_add(1),
            Ok(status) => refused.push((at, reason(status))),
            Err(error) => refused.push((at, error.to_string())),
        }
    }
    if unmounted > 0 {
        ending.note(format_args!("{unmounted} mounts of pods are unmounted"));
    }
    // What was busy because of another is gone with it.
    let left = places(root);
    for (at, why) in refused.into_iter().filter(|(at, _)| left.contains(at)) {
        ending.left(format_args!("cannot unmount {at}: {why}"));
    }
}

/// What is mounted there, the last one first.
fn places(root: &Root) -> Vec<String> {
    let mounts = mountinfo::read(root).unwrap_or_default();
    let ours = |mount: &&MountPoint| PLACES.iter().any(|place| is_at(&mount.at, place));
    mounts.iter().rev().filter(ours).map(|mount| mount.at.clone()).collect()
}

/// At or below a directory; a prefix that ends in a dash is one of names.
fn is_at(at: &str, place: &str) -> bool {
    at.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || place.ends_with('-'))
}

/// The child's part: one mount. The exit code is the kernel's error.
pub fn unmount(at: &Path) -> u8 {
    match rustix::mount::unmount(at, UnmountFlags::NOFOLLOW) {
        Ok(()) => DONE,
        Err(errno) => u8::try_from(errno.raw_os_error()).unwrap_or(FAILED),
    }
}

fn reason(status: ExitStatus) -> String {
    status
        .code()
        .map_or_else(|| status.to_string(), |c| io::Error::from_raw_os_error(c).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_pods_is_unmounted_the_last_one_first() {
        let directory = tempfile::tempdir().unwrap();
        let proc = directory.path().join("proc/self");
        std::fs::create_dir_all(&proc).unwrap();
        let mut text = String::new();
        for (number, at) in [
            "/",
            "/var/lib/kubelet",
            "/var/lib/kubelet/pods/1/volumes/a",
            "/var/lib/kubelet/pods/1/volumes/a/b",
            "/var/lib/kubelet/plugins",
            "/var/lib/kubelet/podsandmore",
            "/run/containerd/io/rootfs",
            "/run/netns/cni-1",
            "/run/netns/vpn",
            "/run/k3s/x",
        ]
        .iter()
        .enumerate()
        {
            text += &format!("{number} 1 0:{number} / {at} rw - tmpfs tmpfs rw\n");
        }
        std::fs::write(proc.join("mountinfo"), text).unwrap();
        let expected = [
            "/run/k3s/x",
            "/run/netns/cni-1",
            "/run/containerd/io/rootfs",
            "/var/lib/kubelet/plugins",
            "/var/lib/kubelet/pods/1/volumes/a/b",
            "/var/lib/kubelet/pods/1/volumes/a",
        ];
        assert_eq!(places(&Root::at(directory.path())), expected);
    }
}
