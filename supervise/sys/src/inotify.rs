//! Being told of changes to files: of cgroups that become empty, of FIFOs that appear.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{CreateFlags, Reader, add_watch, init, remove_watch};

use crate::Errno;

pub use rustix::fs::inotify::{ReadFlags, WatchFlags};

/// Room for some dozens of events; there is always room for one with the longest name.
const BUFFER_SIZE: usize = 4096;

/// A queue of changes; it never waits.
#[derive(Debug)]
pub struct Inotify(OwnedFd);

/// One file or directory that is watched.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Watch(i32);

/// One change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Change<'a> {
    /// Of what. Meaningless if `flags` has [`ReadFlags::QUEUE_OVERFLOW`]: changes were lost, and
    /// everything is to be looked at.
    pub watch: Watch,
    /// Which.
    pub flags: ReadFlags,
    /// The name in the directory that is watched.
    pub name: Option<&'a CStr>,
}

impl Inotify {
    /// A new one.
    ///
    /// # Errors
    /// EMFILE, if this user has too many.
    pub fn new() -> Result<Self, Errno> {
        Ok(Self(init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?))
    }

    /// Watches `path`; again, with other flags, if it is watched already.
    ///
    /// # Errors
    /// ENOENT; ENOSPC, if this user watches too much.
    pub fn watch(&self, path: &Path, flags: WatchFlags) -> Result<Watch, Errno> {
        Ok(Watch(add_watch(&self.0, path, flags)?))
    }

    /// Ends a watch. One that has ended by itself, its file being gone, is none to be ended.
    pub fn forget(&self, watch: Watch) {
        let _ = remove_watch(&self.0, watch.0);
    }

    /// Tells all changes that there are.
    ///
    /// # Errors
    /// What reading gave.
    pub fn drain(&self, mut tell: impl FnMut(Change<'_>)) -> Result<(), Errno> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_SIZE];
        let mut reader = Reader::new(&self.0, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => tell(Change {
                    watch: Watch(event.wd()),
                    flags: event.events(),
                    name: event.file_name(),
                }),
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn changes_are_told_with_their_names() {
        let scratch = Scratch::new();
        let inotify = Inotify::new().unwrap();
        let watch = inotify.watch(&scratch.0, WatchFlags::CREATE | WatchFlags::DELETE).unwrap();
        let drain = || {
            let mut changes = Vec::new();
            let tell = |change: Change<'_>| {
                assert_eq!(change.watch, watch);
                changes.push((change.flags, change.name.unwrap().to_str().unwrap().to_owned()));
            };
            inotify.drain(tell).unwrap();
            changes
        };
        assert_eq!(drain(), []);
        std::fs::write(scratch.0.join("a"), "").unwrap();
        std::fs::remove_file(scratch.0.join("a")).unwrap();
        assert_eq!(drain(), [(ReadFlags::CREATE, "a".into()), (ReadFlags::DELETE, "a".into())]);
        inotify.forget(watch);
        std::fs::write(scratch.0.join("b"), "").unwrap();
        let mut ended = false;
        inotify.drain(|change| ended |= change.flags == ReadFlags::IGNORED).unwrap();
        assert!(ended);
    }
}
