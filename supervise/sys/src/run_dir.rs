//! The run directory of a tree that is not a machine's: in a container /run may be read-only, or
//! somebody else's.
//!
//! Whoever starts the tree and whoever asks it later find the same one without a word between
//! them: the candidates have an order, the first takes the first that it may write to, the second
//! the first in which a tree is.
//!
//! **Invariant:** a directory in a place where everyone may make one is taken only if it is a
//! directory, its owner's alone, and its owner is who it should be.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use wire::paths;

/// Where everyone may make directories.
const COMMON: [&str; 2] = ["/dev/shm", "/tmp"];
/// Nobody else may look into it.
const PRIVATE: u32 = 0o700;

/// The one for a new tree of this process's user; it is there afterwards.
///
/// # Errors
/// Why the last candidate cannot be used.
pub fn make() -> io::Result<PathBuf> {
    let own = rustix::process::geteuid().as_raw();
    let mut why = io::ErrorKind::NotFound.into();
    for candidate in candidates(own) {
        match candidate.make(own) {
            Ok(()) => return Ok(candidate.path),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// The one that has a tree's state table; none, if there is none. The tree may be that of whoever
/// process 1 belongs to.
#[must_use]
pub fn find() -> Option<PathBuf> {
    let own = rustix::process::geteuid().as_raw();
    let first = fs::metadata("/proc/1").ok().map(|process| process.uid());
    let uids = [Some(own), first.filter(|uid| *uid != own)];
    let all = uids.into_iter().flatten().flat_map(|uid| candidates(uid).map(move |it| (it, uid)));
    all.filter(|(candidate, uid)| !candidate.common || is_private(&candidate.path, *uid).is_ok())
        .map(|(candidate, _)| candidate.path)
        .find(|path| path.join(paths::STATE).exists())
}

struct Candidate {
    path: PathBuf,
    /// Everyone may make one there.
    common: bool,
}

fn candidates(uid: u32) -> impl Iterator<Item = Candidate> {
    let session = std::env::var_os("XDG_RUNTIME_DIR").map(|dir| Path::new(&dir).join("cooper"));
    let own = [Some(PathBuf::from(paths::RUN)), session.filter(|path| path.is_absolute())];
    let own = own.into_iter().flatten().map(|path| Candidate { path, common: false });
    let common = COMMON.map(|dir| Path::new(dir).join(format!("cooper-{uid}")));
    own.chain(common.into_iter().map(|path| Candidate { path, common: true }))
}

impl Candidate {
    fn make(&self, own: u32) -> io::Result<()> {
        if !self.common {
            fs::create_dir_all(&self.path)?;
            return Ok(access(&self.path, Access::WRITE_OK | Access::EXEC_OK)?);
        }
        match fs::DirBuilder::new().mode(PRIVATE).create(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        is_private(&self.path, own)
    }
}

/// A link is followed by nobody: what it leads to is its maker's choice.
fn is_private(path: &Path, owner: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let private = found.is_dir() && found.uid() == owner && found.mode() & 0o077 == 0;
    if private { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::testing::Scratch;

    fn common(path: &Path) -> Candidate {
        Candidate { path: path.into(), common: true }
    }

    #[test]
    fn what_everyone_may_make_is_taken_from_nobody_else() {
        let scratch = Scratch::new();
        let own = rustix::process::geteuid().as_raw();
        let path = scratch.0.join("a");
        common(&path).make(own).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        // It may be used again, but not by others, and not once others may look into it.
        common(&path).make(own).unwrap();
        assert!(common(&path).make(own + 1).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(common(&path).make(own).is_err());
        // Somebody was there before: a link to a directory of ours, and a file.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let link = scratch.0.join("link");
        symlink(&path, &link).unwrap();
        assert!(common(&link).make(own).is_err());
        fs::write(scratch.0.join("file"), "").unwrap();
        assert!(common(&scratch.0.join("file")).make(own).is_err());
    }

    #[test]
    fn the_systems_place_comes_first_and_the_last_is_always_there() {
        let all: Vec<PathBuf> = candidates(7).map(|candidate| candidate.path).collect();
        assert_eq!(all.first().unwrap(), Path::new(paths::RUN));
        assert_eq!(all.last().unwrap(), Path::new("/tmp/cooper-7"));
    }
}
