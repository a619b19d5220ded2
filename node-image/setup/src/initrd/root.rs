//! The root: found, mounted, and made what is called `/`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_move};

use super::CommandLine;
use crate::disk::partition::{self, Missing, Partition};
use crate::{Root, uevent};

/// Where it is mounted before it is `/`.
const NEW_ROOT: &str = "/sysroot";
/// What an image of ours is.
const FSTYPE: &str = "erofs";
/// A disk behind a slow controller, or an SD card, takes seconds; nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the kernel itself offers, and where it goes on being: with the options that `mounts` gives
/// them later.
const KERNELS: [(&str, &str, &str); 4] = [
    ("/proc", "proc", ""),
    ("/sys", "sysfs", ""),
    ("/dev", "devtmpfs", "mode=0755"),
    ("/run", "tmpfs", "mode=0755"),
];
const EFI_VARIABLES: &str = "/sys/firmware/efi/efivars";

/// Mounts them.
pub fn mount_kernels() -> Result<(), String> {
    for (at, fstype, data) in KERNELS {
        let flags = match at {
            "/dev" => MountFlags::NOSUID,
            _ => MountFlags::NOSUID | MountFlags::NODEV,
        };
        let done = fs::create_dir_all(at).and_then(|()| mount_at(fstype, at, fstype, flags, data));
        done.map_err(|error| format!("cannot mount {at}: {error}"))?;
    }
    Ok(())
}

/// The kernel may have mounted it by itself (devtmpfs).
fn mount_at(what: &str, at: &str, fstype: &str, flags: MountFlags, data: &str) -> io::Result<()> {
    let data = std::ffi::CString::new(data)?;
    match rustix::mount::mount(what, at, fstype, flags, data.as_c_str()) {
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Mounts the root that the command line names; where it was found.
pub fn mount(line: &CommandLine) -> Result<Partition, String> {
    let Some(word) = &line.root else {
        return Err("the kernel's command line has no root=".to_owned());
    };
    // To know which of several disks is ours. Without UEFI there is no such thing.
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    let _ = mount_at("efivarfs", EFI_VARIABLES, "efivarfs", flags, "");
    let found = wait_for(word)?;
    let fstype = line.fstype.as_deref().unwrap_or(FSTYPE);
    let device = found.device();
    let done = fs::create_dir_all(NEW_ROOT)
        .and_then(|()| mount_at(&device, NEW_ROOT, fstype, MountFlags::RDONLY, ""));
    done.map_err(|error| format!("cannot mount {device} ({word}) as {fstype}: {error}"))?;
    Ok(found)
}

/// Drivers find disks in their own time, and say so.
fn wait_for(word: &str) -> Result<Partition, String> {
    let root = Root::default();
    let failed = |error: io::Error| format!("cannot wait for {word}: {error}");
    // Opened before the first look, so that nothing is missed between look and wait.
    let socket = uevent::open().map_err(failed)?;
    let until = Instant::now().checked_add(PATIENCE).unwrap_or_else(Instant::now);
    loop {
        let partitions = partition::all(&root);
        match partition::find(&partitions, word, partition::booted_from(&root).as_deref()) {
            Ok(found) => return Ok(found.clone()),
            Err(Missing::NotThere(_)) if Instant::now() < until => {
                uevent::wait(&socket, until.saturating_duration_since(Instant::now()))
                    .map_err(failed)?;
            }
            Err(missing) => {
                let there: Vec<_> = partitions.iter().map(Partition::device).collect();
                let there =
                    if there.is_empty() { "none at all".to_owned() } else { there.join(" ") };
                return Err(format!("{missing} (partitions: {there})"));
            }
        }
    }
}

/// Makes the new root `/`, and frees the memory of the old one.
pub fn switch() -> io::Result<()> {
    let old = fs::metadata("/")?.dev();
    for (at, ..) in KERNELS {
        mount_move(at, format!("{NEW_ROOT}{at}"))?;
    }
    empty(Path::new("/"), old);
    std::env::set_current_dir(NEW_ROOT)?;
    mount_move(".", "/")?;
    std::os::unix::fs::chroot(".")?;
    std::env::set_current_dir("/")
}

/// Removes what is on this device below a directory. What cannot be removed stays in memory, and
/// is no reason not to boot.
fn empty(directory: &Path, device: u64) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.dev() != device {
            continue;
        }
        if metadata.is_dir() {
            empty(&path, device);
            let _ = fs::remove_dir(&path);
        } else {
            let _ = fs::remove_file(&path);
        }
    }
}
