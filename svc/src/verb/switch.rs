//! The compiled graphs on disk, and which of them the next boot takes.
//!
//! `GRAPHS/HASH` are graphs, `current` and `previous` symlinks to two of them. Everything is
//! written beside its place, synced, and renamed into it: whatever happens, power loss included,
//! `current` is the old graph or the new one.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::error::Error;

const CURRENT: &str = "current";
const PREVIOUS: &str = "previous";
const LOCK: &str = "lock";

/// The directory of graphs, locked: two applies at once would each undo half of the other.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// Unlocked when it is closed, by the kernel if need be.
    _lock: File,
}

/// What the two symlinks said before.
#[derive(Debug)]
pub struct Before {
    current: Option<PathBuf>,
    previous: Option<PathBuf>,
}

/// The graph that a boot would take now.
pub fn current(dir: &Path) -> Result<Option<Vec<u8>>, Error> {
    let path = dir.join(CURRENT);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", &path, &error)),
    }
}

/// The file name of a graph.
pub fn name_of(hash: u64) -> String {
    format!("{hash:016x}")
}

impl Store {
    /// Makes the directory if need be, and locks it.
    pub fn lock(dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(|error| Error::file("make", dir, &error))?;
        let path = dir.join(LOCK);
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = open.map_err(|error| Error::file("open", &path, &error))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { dir: dir.into(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(Error::Failed("another svc apply is at work; nothing was changed".into()))
            }
            Err(errno) => Err(Error::file("lock", &path, &errno.into())),
        }
    }

    /// Writes a graph and makes it the current one.
    pub fn switch(&self, hash: u64, bytes: &[u8]) -> Result<Before, Error> {
        let name = name_of(hash);
        let before = Before { current: self.target(CURRENT), previous: self.target(PREVIOUS) };
        write_whole(&self.dir.join(&name), bytes)?;
        self.sync()?;
        if before.current.as_deref() != Some(Path::new(&name)) {
            if let Some(old) = &before.current {
                self.point(PREVIOUS, old)?;
            }
            self.point(CURRENT, Path::new(&name))?;
            self.sync()?;
        }
        Ok(before)
    }

    /// Undoes a switch: the graph was refused.
    pub fn revert(&self, before: &Before) -> Result<(), Error> {
        for (name, target) in [(PREVIOUS, &before.previous), (CURRENT, &before.current)] {
            match target {
                Some(target) => self.point(name, target)?,
                None => remove(&self.dir.join(name))?,
            }
        }
        self.sync()
    }

    /// Removes every graph that neither symlink names. What cannot be removed does no harm.
    pub fn tidy(&self) {
        let kept = [self.target(CURRENT), self.target(PREVIOUS)];
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_graph = name.to_str().is_some_and(|name| {
                name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            if is_graph && !kept.iter().flatten().any(|kept| kept.as_os_str() == name) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn target(&self, name: &str) -> Option<PathBuf> {
        fs::read_link(self.dir.join(name)).ok()
    }

    /// Replaces a symlink in one step.
    fn point(&self, name: &str, target: &Path) -> Result<(), Error> {
        let path = self.dir.join(name);
        let beside = self.dir.join(format!("{name}.new"));
        remove(&beside)?;
        symlink(target, &beside)
            .and_then(|()| fs::rename(&beside, &path))
            .map_err(|error| Error::file("replace", &path, &error))
    }

    fn sync(&self) -> Result<(), Error> {
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| Error::file("sync", &self.dir, &error))
    }
}

/// Writes a file beside its place, syncs it, and renames it there. Nothing is left when that
/// fails.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        Error::file("write", path, &error)
    })
}

/// Removes a file that may not be there.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file("remove", path, &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
