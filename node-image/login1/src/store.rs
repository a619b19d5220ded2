//! Locks in the file system, in `RUN/inhibit`: `N.json` says whose it is, and the FIFO `N.ref` has
//! a writer for as long as it is held. Nothing else knows.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::Error;
use crate::lock::{Lock, LockId};

/// The directory, below the run directory.
const DIRECTORY: &str = "inhibit";

/// The directory of locks.
#[derive(Clone, Debug)]
pub struct Store(PathBuf);

/// A lock that is held; watched by its reading end, which hangs up when nobody holds it.
#[derive(Debug)]
pub struct Held {
    /// Which one.
    pub lock: Lock,
    /// The reading end.
    pub end: OwnedFd,
}

impl Store {
    /// Below this run directory; it need not exist.
    #[must_use]
    pub fn new(run: &Path) -> Self {
        Self(run.join(DIRECTORY))
    }

    /// Makes the directory. Everyone may see who holds what.
    ///
    /// # Errors
    /// When that fails.
    pub fn create(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.0).map_err(|error| Error::path("make", &self.0, error))
    }

    /// Makes a lock's files. Returned are the end to watch and the end to give away.
    ///
    /// # Errors
    /// When that fails; then there are none.
    pub fn take(&self, lock: &Lock) -> Result<(OwnedFd, OwnedFd), Error> {
        let made = self.make(lock);
        if made.is_err() {
            self.remove(lock.id);
        }
        made
    }

    fn make(&self, lock: &Lock) -> Result<(OwnedFd, OwnedFd), Error> {
        let fifo = self.fifo(lock.id);
        let failed = |errno: Errno| Error::path("make", &fifo, errno);
        // Everyone may see that it is held, and only we make somebody its holder.
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, mode, 0).map_err(failed)?;
        let read = open(&fifo, OFlags::RDONLY).map_err(failed)?;
        let write = open(&fifo, OFlags::WRONLY).map_err(failed)?;
        // The record comes last: whoever finds it finds a FIFO that has a writer.
        let (record, new) = (self.record(lock.id), self.0.join("new"));
        let written = serde_json::to_vec(lock).map_err(std::io::Error::from);
        let written = written.and_then(|bytes| fs::write(&new, bytes));
        let renamed = written.and_then(|()| fs::rename(&new, &record));
        renamed.map_err(|error| Error::path("write", &record, error))?;
        Ok((read, write))
    }

    /// Removes a lock's files; whatever of them there is.
    pub fn remove(&self, id: LockId) {
        let _ = fs::remove_file(self.record(id));
        let _ = fs::remove_file(self.fifo(id));
    }

    /// All locks that are held now, in order. What is left of others is left alone.
    ///
    /// # Errors
    /// When the directory cannot be read; that there is none is no error.
    pub fn held(&self) -> Result<Vec<Held>, Error> {
        let mut held: Vec<Held> = self.ids()?.into_iter().filter_map(|id| self.open(id)).collect();
        held.sort_by_key(|held| held.lock.id);
        Ok(held)
    }

    /// Removes what is left of locks that nobody holds, and returns the others.
    ///
    /// # Errors
    /// As for [`Store::held`].
    pub fn sweep(&self) -> Result<Vec<Held>, Error> {
        let held = self.held()?;
        for id in self.ids()? {
            if !held.iter().any(|held| held.lock.id == id) {
                self.remove(id);
            }
        }
        Ok(held)
    }

    fn ids(&self) -> Result<Vec<LockId>, Error> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| Error::path("read", &self.0, error))?,
        };
        let id = |name: &str| name.split_once('.')?.0.parse().ok().map(LockId);
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut ids: Vec<LockId> = names.filter_map(|name| id(&name)).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// None if nobody holds it.
    fn open(&self, id: LockId) -> Option<Held> {
        let lock: Lock = serde_json::from_slice(&fs::read(self.record(id)).ok()?).ok()?;
        let end = open(&self.fifo(id), OFlags::RDONLY).ok()?;
        (lock.id == id && has_writer(&end)).then_some(Held { lock, end })
    }

    fn record(&self, id: LockId) -> PathBuf {
        self.0.join(format!("{}.json", id.0))
    }

    fn fifo(&self, id: LockId) -> PathBuf {
        self.0.join(format!("{}.ref", id.0))
    }
}

/// An empty pipe says "again" while it has a writer, and "end" when it has none. Somebody may have
/// written into its lock; that means nothing, and more than a pipe holds is not read.
fn has_writer(end: &OwnedFd) -> bool {
    let mut noise = [0_u8; 4096];
    for _ in 0..16 {
        match rustix::io::read(end, &mut noise) {
            Ok(0) => return false,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return errno == Errno::AGAIN,
        }
    }
    true
}

fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(id: u32) -> Lock {
        let (what, who, why) = ("shutdown".into(), "kubelet".into(), "time".into());
        Lock { id: LockId(id), what, who, why, pid: 1, uid: 0, since_us: 0 }
    }

    fn ids(held: &[Held]) -> Vec<u32> {
        held.iter().map(|held| held.lock.id.0).collect()
    }

    #[test]
    fn a_lock_is_held_while_its_writing_end_is_open() {
        let run = tempfile::tempdir().unwrap();
        let store = Store::new(run.path());
        assert!(store.held().unwrap().is_empty(), "there is no directory yet");
        store.create().unwrap();
        let (read, write) = store.take(&lock(1)).unwrap();
        let (_read, other) = store.take(&lock(20)).unwrap();
        assert_eq!(ids(&store.held().unwrap()), [1, 20]);
        rustix::io::write(&other, b"noise").unwrap();
        drop(write);
        assert!(!has_writer(&read));
        assert_eq!(ids(&store.held().unwrap()), [20]);
        assert_eq!(fs::read_dir(&store.0).unwrap().count(), 4);
        assert_eq!(ids(&store.sweep().unwrap()), [20]);
        assert_eq!(fs::read_dir(&store.0).unwrap().count(), 2);
    }

    #[test]
    fn a_lock_that_was_never_given_away_is_swept() {
        // Whoever made it was killed, at one instruction or another.
        let run = tempfile::tempdir().unwrap();
        let store = Store::new(run.path());
        store.create().unwrap();
        drop(store.take(&lock(1)).unwrap());
        drop(store.take(&lock(2)).unwrap());
        fs::remove_file(store.record(LockId(2))).unwrap();
        fs::write(store.record(LockId(3)), "{").unwrap();
        assert!(store.sweep().unwrap().is_empty());
        assert_eq!(fs::read_dir(&store.0).unwrap().count(), 0);
    }

    #[test]
    fn what_cannot_be_made_leaves_nothing() {
        let run = tempfile::tempdir().unwrap();
        let store = Store::new(run.path());
        assert!(store.take(&lock(1)).is_err(), "there is no directory");
        store.create().unwrap();
        fs::create_dir(store.0.join("new")).unwrap();
        assert!(store.take(&lock(1)).is_err());
        assert_eq!(fs::read_dir(&store.0).unwrap().count(), 1);
    }
}
