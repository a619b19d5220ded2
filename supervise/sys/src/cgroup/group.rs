//! One group.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use super::{Error, open_directory};
use crate::Errno;
use crate::process::Handle;
use crate::raw;

/// A program that forks faster than it is killed is killed again; one that still wins after so
/// many rounds needs the freezer, which kernels since 5.2 have.
const ROUNDS_MAX: usize = 64;
/// Handles that are open at a time.
const HANDLES_MAX: usize = 64;
/// Groups are looked at to this depth below the first; containers in containers make about 10.
const DEPTH_MAX: usize = 32;

const SIGKILL: u8 = 9;

/// An open group. It may have been removed meanwhile; then everything says ENODEV or ENOENT.
#[derive(Debug)]
pub struct Group(OwnedFd);

impl From<OwnedFd> for Group {
    fn from(directory: OwnedFd) -> Self {
        Self(directory)
    }
}

/// What [`crate::spawn::Spawner::spawn`] takes.
impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Group {
    /// The controllers that could be enabled for groups below.
    ///
    /// # Errors
    /// If the group is gone.
    pub fn controllers(&self) -> Result<Vec<String>, Errno> {
        let names = self.read("cgroup.controllers")?;
        Ok(names.split_ascii_whitespace().map(ToOwned::to_owned).collect())
    }

    /// Enables those controllers that `is_wanted` for the groups below: at once, as each write
    /// makes the kernel wait; and if that fails, one by one, so that one that cannot be (`cpu`
    /// while realtime threads run) takes no other with it. Says which could not, and why.
    ///
    /// # Errors
    /// If the group is gone.
    pub fn enable_controllers(
        &self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, Errno)>, Errno> {
        let enabled = self.read("cgroup.subtree_control")?;
        let is_enabled = |name: &str| enabled.split_ascii_whitespace().any(|one| one == name);
        let mut missing = self.controllers()?;
        missing.retain(|name| is_wanted(name) && !is_enabled(name));
        let all: String = missing.iter().flat_map(|name| ["+", name, " "]).collect();
        if missing.is_empty() || self.write("cgroup.subtree_control", &all).is_ok() {
            return Ok(Vec::new());
        }
        let enable = |name: String| match self.write("cgroup.subtree_control", &format!("+{name}"))
        {
            Ok(()) => None,
            Err(errno) => Some((name, errno)),
        };
        Ok(missing.into_iter().filter_map(enable).collect())
    }

    /// Writes one setting: the kernel's own file and value.
    ///
    /// # Errors
    /// [`Error::Controller`] or [`Error::Setting`].
    pub fn set(&self, key: &str, value: &str) -> Result<(), Error> {
        let errno = match self.write(key, value) {
            Ok(()) => return Ok(()),
            Err(errno) => errno,
        };
        let controller = key.split('.').next().unwrap_or(key);
        // The files of `cgroup` itself are always there, or the kernel is too old.
        if errno == Errno::NOENT && controller != "cgroup" && !key.contains('/') {
            let (key, controller) = (key.to_owned(), controller.to_owned());
            return Err(Error::Controller { key, controller });
        }
        Err(Error::Setting { key: key.to_owned(), value: value.to_owned(), errno })
    }

    /// What a file of the group says.
    ///
    /// # Errors
    /// ENOENT, if its controller is not enabled or the group is gone.
    pub fn read(&self, key: &str) -> Result<String, Errno> {
        let file = self.open(key, OFlags::RDONLY)?;
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let length = raw::retry(|| rustix::io::read(&file, &mut buffer))?;
            if length == 0 {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            text.extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
    }

    fn write(&self, key: &str, value: &str) -> Result<(), Errno> {
        let file = self.open(key, OFlags::WRONLY)?;
        raw::retry(|| rustix::io::write(&file, value.as_bytes())).map(drop)
    }

    fn open(&self, key: &str, access: OFlags) -> Result<OwnedFd, Errno> {
        if key.contains('/') {
            return Err(Errno::INVAL);
        }
        let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        raw::retry(|| rustix::fs::openat(&self.0, key, flags, Mode::empty()))
    }

    /// Moves a process here.
    ///
    /// # Errors
    /// ESRCH, if it is gone; EBUSY, if this group has controllers enabled for groups below.
    pub fn add(&self, pid: u32) -> Result<(), Errno> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// The processes of this group and of all below it. Those that this process cannot see, in
    /// other pid namespaces, are left out.
    ///
    /// # Errors
    /// If the group is gone.
    pub fn processes(&self) -> Result<BTreeSet<u32>, Errno> {
        let mut found = BTreeSet::new();
        self.each(DEPTH_MAX, &mut |group| {
            let procs = match group.read("cgroup.procs") {
                // A threaded group has no processes of its own.
                Err(Errno::OPNOTSUPP) => return Ok(()),
                read => read?,
            };
            found.extend(
                procs.lines().filter_map(|pid| pid.parse().ok()).filter(|pid: &u32| *pid != 0),
            );
            Ok(())
        })?;
        Ok(found)
    }

    /// It, or a group below it, has a process that is not a zombie.
    ///
    /// # Errors
    /// If the group cannot be read; one that is gone has none.
    pub fn is_populated(&self) -> Result<bool, Errno> {
        match self.read("cgroup.events") {
            Ok(events) => Ok(events.lines().any(|line| line == "populated 1")),
            Err(Errno::NODEV | Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// SIGKILL to every process, and to those that they fork meanwhile.
    ///
    /// # Errors
    /// If it cannot be said; one that is gone has been killed.
    pub fn kill(&self) -> Result<(), Errno> {
        match self.write("cgroup.kill", "1") {
            // Before Linux 5.14, or gone.
            Err(Errno::NOENT) => self.kill_frozen(),
            Err(Errno::NODEV) => Ok(()),
            done => done,
        }
    }

    /// The same without `cgroup.kill`: stopped first, so that nothing forks meanwhile.
    ///
    /// # Errors
    /// As [`Group::kill`].
    pub fn kill_frozen(&self) -> Result<(), Errno> {
        // Before 5.2 there is no freezer either; then it is a race, which the rounds win.
        let frozen = self.write("cgroup.freeze", "1");
        let killed = self.signal(SIGKILL);
        if frozen.is_ok() {
            // A frozen process dies of SIGKILL, but its dead parent's children must run to die.
            let _ = self.write("cgroup.freeze", "0");
        }
        match killed {
            Err(Errno::NODEV | Errno::NOENT) => Ok(()),
            killed => killed,
        }
    }

    /// Sends a signal to every process, once; to those too that appear meanwhile.
    ///
    /// # Errors
    /// EAGAIN, if new ones appeared for as long as we cared to look; what signalling gave, if it
    /// is not that one has ended.
    pub fn signal(&self, signal: u8) -> Result<(), Errno> {
        let mut reached = BTreeSet::new();
        let mut failed = Ok(());
        for _ in 0..ROUNDS_MAX {
            let now = self.processes()?;
            let new: Vec<u32> = now.difference(&reached).copied().collect();
            if new.is_empty() {
                return failed;
            }
            for some in new.chunks(HANDLES_MAX) {
                match self.signal_some(some, signal) {
                    Ok(()) => {}
                    Err(errno) => failed = Err(errno),
                }
            }
            reached.extend(new);
        }
        Err(Errno::AGAIN)
    }

    /// First all are held, then looked at again: one that is still a member then was one when it
    /// was held, so that no signal reaches a process that has got the number of one of ours.
    fn signal_some(&self, pids: &[u32], signal: u8) -> Result<(), Errno> {
        let held = pids.iter().filter_map(|pid| Some((*pid, Handle::open(*pid).ok()?)));
        let held: Vec<_> = held.collect();
        let still = self.processes()?;
        let mut failed = Ok(());
        for (_, handle) in held.iter().filter(|(pid, _)| still.contains(pid)) {
            match handle.send(signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => failed = Err(errno),
            }
        }
        failed
    }

    /// Removes all groups below this one, the deepest first.
    pub(super) fn remove_below(&self) -> Result<(), Errno> {
        self.remove_to(DEPTH_MAX)
    }

    fn remove_to(&self, depth: usize) -> Result<(), Errno> {
        for name in self.children()? {
            if let Ok(child) = open_directory(&self.0, name.as_str()) {
                match depth.checked_sub(1) {
                    Some(depth) => Self(child).remove_to(depth)?,
                    None => return Err(Errno::LOOP),
                }
            }
            match rustix::fs::unlinkat(&self.0, name.as_str(), AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Calls `visit` with this group and all below it. Those that vanish are passed over, but for
    /// the first.
    fn each(
        &self,
        depth: usize,
        visit: &mut dyn FnMut(&Self) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        visit(self)?;
        let Some(depth) = depth.checked_sub(1) else { return Err(Errno::LOOP) };
        for name in self.children()? {
            let Ok(child) = open_directory(&self.0, name.as_str()) else { continue };
            match Self(child).each(depth, visit) {
                Ok(()) | Err(Errno::NODEV | Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn children(&self) -> Result<Vec<String>, Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if entry.file_type() == FileType::Directory && !matches!(name, "." | "..") {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}
