//! Cgroups, version 2: where each service lives, and the proof of what belongs to it.
//!
//! Everything is done through an open directory, so that a group that was removed and made again
//! under the same name is not mistaken for the old one. Which groups there are is decided by
//! whoever calls; a group below a delegated one is never looked at but to be killed or counted.
//!
//! Where there is no cgroup that may be written, a service is its session instead
//! ([`crate::process::session_members`]).

mod error;
mod group;

#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, Mode, OFlags};

use crate::Errno;
use crate::raw;

pub use error::Error;
pub use group::Group;

/// What statfs(2) says of a v2 hierarchy.
const CGROUP2_SUPER_MAGIC: u64 = 0x6367_7270;

/// What is enabled in each group on the way to a service's: what counts memory and processes. Any
/// other controller costs each group time and memory, and waits until something needs it.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// The directory below which all groups of ours are.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    group: Group,
}

/// Where the v2 hierarchy is mounted, if it is.
#[must_use]
pub fn mount_point() -> Option<PathBuf> {
    find_mount(&std::fs::read_to_string("/proc/self/mountinfo").ok()?)
}

/// The mount point is field 5, and the type comes after a dash that ends the optional fields.
fn find_mount(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (fields, rest) = line.split_once(" - ")?;
        let point = fields.split(' ').nth(4)?;
        // Blanks are written as \040, but no hierarchy is mounted on a path with blanks.
        rest.starts_with("cgroup2 ").then(|| PathBuf::from(point))
    })
}

impl Root {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    /// If it is not there, or not of a v2 hierarchy.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let at = |errno| Error::Open { path: path.to_owned(), errno };
        let directory = open_directory(rustix::fs::CWD, path).map_err(at)?;
        let statfs = rustix::fs::fstatfs(&directory).map_err(at)?;
        if u64::try_from(statfs.f_type) != Ok(CGROUP2_SUPER_MAGIC) {
            return Err(Error::NotV2 { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), group: Group::from(directory) })
    }

    /// The directory itself, as a group.
    #[must_use]
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Groups can be made here, and processes put into them.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        let allowed = |name: &str, access| {
            rustix::fs::accessat(&self.group, name, access, AtFlags::EACCESS).is_ok()
        };
        allowed(".", Access::WRITE_OK | Access::EXEC_OK)
            && allowed("cgroup.procs", Access::WRITE_OK)
    }

    /// The group at `path`, below here; made if it is not there, with the controllers that count
    /// memory and processes enabled in each group on the way that had to be made.
    ///
    /// # Errors
    /// If it cannot be made. Controllers that cannot be enabled are none: a setting that needs
    /// one of them says so.
    pub fn make(&self, path: &str) -> Result<Group, Error> {
        match self.make_new(path)? {
            Some(group) => Ok(group),
            None => self.find(path)?.ok_or_else(|| self.cannot_make(path, Errno::NOENT)),
        }
    }

    /// The same; none if it is there already.
    ///
    /// # Errors
    /// As [`Root::make`].
    pub fn make_new(&self, path: &str) -> Result<Option<Group>, Error> {
        let at = |errno| self.cannot_make(path, errno);
        check(path).map_err(at)?;
        // Most often all is there but it.
        match self.try_make(path) {
            Err(Errno::NOENT) => {}
            made => return made.map_err(at),
        }
        for (end, _) in path.match_indices('/') {
            let Some(ancestor) = path.get(..end) else { continue };
            if let Err(Errno::NOENT) = open_directory(&self.group, ancestor) {
                if let Some(group) = self.try_make(ancestor).map_err(at)? {
                    group.enable_controllers(|name| CONTROLLERS.contains(&name)).map_err(at)?;
                }
            }
        }
        self.try_make(path).map_err(at)
    }

    /// Enables those controllers that `is_wanted` in each group above `path`, so that the group
    /// there has them.
    ///
    /// # Errors
    /// If one of the groups is gone. Controllers that cannot be enabled are none.
    pub fn enable_above(&self, path: &str, is_wanted: impl Fn(&str) -> bool) -> Result<(), Errno> {
        check(path)?;
        for (end, _) in path.match_indices('/') {
            let Some(ancestor) = path.get(..end) else { continue };
            let group = Group::from(open_directory(&self.group, ancestor)?);
            group.enable_controllers(&is_wanted)?;
        }
        Ok(())
    }

    fn try_make(&self, path: &str) -> Result<Option<Group>, Errno> {
        match rustix::fs::mkdirat(&self.group, path, Mode::from_raw_mode(0o755)) {
            Ok(()) => Ok(Some(Group::from(open_directory(&self.group, path)?))),
            Err(Errno::EXIST) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn cannot_make(&self, path: &str, errno: Errno) -> Error {
        Error::Make { path: self.path.join(path), errno }
    }

    /// The group at `path`, if it is there.
    ///
    /// # Errors
    /// If it is there and cannot be opened.
    pub fn find(&self, path: &str) -> Result<Option<Group>, Error> {
        let at = |errno| Error::Open { path: self.path.join(path), errno };
        check(path).map_err(at)?;
        match open_directory(&self.group, path) {
            Err(Errno::NOENT) => Ok(None),
            opened => Ok(Some(Group::from(opened.map_err(at)?))),
        }
    }

    /// Removes the group at `path` and all below it, none of which may have a process any more.
    ///
    /// # Errors
    /// EBUSY, if one has. That it is not there is none.
    pub fn remove(&self, path: &str) -> Result<(), Error> {
        let at = |errno| Error::Remove { path: self.path.join(path), errno };
        check(path).map_err(at)?;
        match rustix::fs::unlinkat(&self.group, path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // Said both of groups with processes and of groups with groups.
            Err(Errno::BUSY | Errno::NOTEMPTY) => {}
            Err(errno) => return Err(at(errno)),
        }
        let Some(group) = self.find(path)? else { return Ok(()) };
        group.remove_below().map_err(at)?;
        match rustix::fs::unlinkat(&self.group, path, AtFlags::REMOVEDIR) {
            Err(Errno::NOENT) => Ok(()),
            removed => removed.map_err(at),
        }
    }

    /// The file whose changes tell that the group at `path` has lost its last process, or got its
    /// first one: for [`crate::inotify`].
    #[must_use]
    pub fn events(&self, path: &str) -> PathBuf {
        self.path.join(path).join("cgroup.events")
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Only names that go down from the root.
fn check(path: &str) -> Result<(), Errno> {
    let descends = path.split('/').all(|name| !matches!(name, "" | "." | ".."));
    if descends { Ok(()) } else { Err(Errno::INVAL) }
}

fn open_directory(
    base: impl std::os::fd::AsFd,
    path: impl rustix::path::Arg + Copy,
) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    raw::retry(|| rustix::fs::openat(base.as_fd(), path, flags, Mode::empty()))
}
