//! The partition of the boot loader, mounted while it is changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::beside;
use super::partition::Partition;
use crate::{Root, modules};

const LABEL: &str = "esp";
const AT: &str = "/run/cooper-esp";
/// FAT, and what its names are written in; whichever of these the kernel wants.
const MODULES: [&str; 5] = ["vfat", "nls_cp437", "nls_ascii", "nls_iso8859-1", "nls_utf8"];

/// It is mounted until this is dropped.
#[derive(Debug)]
pub struct Esp(PathBuf);

impl Esp {
    /// Mounts that which is on the disk of another partition.
    pub fn mount(other: &Partition, root: &Root) -> Result<Self, String> {
        let device = beside(other, LABEL, root)?.device();
        for module in MODULES {
            // Those that it does without are not there; mount says what is missing.
            let _ = modules::load_now(module, root);
        }
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        fs::create_dir_all(AT)
            .and_then(|()| Ok(mount(&*device, AT, "vfat", flags, c"umask=0077")?))
            .map_err(|error| format!("cannot mount {device}: {error}"))?;
        Ok(Self(AT.into()))
    }

    /// A path in it, which may be the loader's, with backslashes.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.replace('\\', "/").trim_start_matches('/'))
    }
}

impl Drop for Esp {
    fn drop(&mut self) {
        // What is busy stays mounted, and is unmounted with all else at the end.
        let _ = unmount(&self.0, UnmountFlags::empty());
        let _ = fs::remove_dir(&self.0);
    }
}

/// What is in a directory is on the disk when this returns.
pub fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}
