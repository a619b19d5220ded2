//! A mount namespace of the child's own.

use std::ffi::CStr;

use rustix::fs::StatVfsMountFlags;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change, mount_remount,
};
use rustix::thread::UnshareFlags;

use super::prepare::Mount;
use crate::Errno;
use crate::raw;

/// Leaves the host's namespace and makes `mounts`, in order. What the host mounts later is seen;
/// what is mounted here is not seen by the host.
pub(super) fn private(mounts: &[Mount]) -> Result<(), Errno> {
    // SAFETY: NEWNS alone; descriptors, the obligation of the callee, stay shared with nobody: a
    // child of a clone without CLONE_FILES has a table of its own.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
    mount_change(c"/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    mounts.iter().try_for_each(one)
}

fn one(spec: &Mount) -> Result<(), Errno> {
    let harmless = MountFlags::NOSUID | MountFlags::NODEV;
    match spec {
        Mount::Tmpfs(path) => tmpfs(path, harmless, c"mode=1777"),
        Mount::ReadOnly(path) => {
            mount_bind_recursive(path.as_c_str(), path.as_c_str())?;
            read_only(path)
        }
        Mount::Bind { source, target } => {
            mount_bind_recursive(source.as_c_str(), target.as_c_str())
        }
        Mount::Inaccessible(path) => {
            let flags = harmless | MountFlags::NOEXEC | MountFlags::RDONLY;
            match tmpfs(path, flags, c"mode=000,size=4k") {
                // A file: it becomes an empty one.
                Err(Errno::NOTDIR) => mount_bind_recursive(c"/dev/null", path.as_c_str()),
                made => made,
            }
        }
    }
}

fn tmpfs(path: &CStr, flags: MountFlags, data: &CStr) -> Result<(), Errno> {
    mount(c"tmpfs", path, c"tmpfs", flags, data)
}

/// Read-only, with the mount's other flags as they were.
fn read_only(path: &CStr) -> Result<(), Errno> {
    match raw::mount_read_only(path) {
        // Before Linux 5.12, or a filter that does not know the call: the top mount only, and the
        // flags must be said again, or nosuid and nodev would be gone.
        Err(Errno::NOSYS | Errno::PERM) => {
            let now = rustix::fs::statvfs(path)?.f_flag;
            let kept = [
                (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
                (StatVfsMountFlags::NODEV, MountFlags::NODEV),
                (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
                (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
                (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
            ];
            let kept = kept.into_iter().filter(|(flag, _)| now.contains(*flag));
            let flags =
                kept.fold(MountFlags::BIND | MountFlags::RDONLY, |all, (_, flag)| all | flag);
            mount_remount(path, flags, c"")
        }
        done => done,
    }
}
