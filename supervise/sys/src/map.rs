//! Files in memory: one that several processes write, one that nobody writes any more.
//!
//! Both must keep their length while they are mapped, or reading them ends the process (SIGBUS).
//! Every writer of ours replaces such a file by renaming another one over it.

use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::Errno;
use crate::raw;

/// Bytes in a word.
const WORD: usize = size_of::<AtomicU32>();

/// A file that is shared by writing: words, each of which is read and written whole.
///
/// Words and not bytes, so that the kernel can write one of them (a process id) while we look, and
/// so that no access here is ever a data race: other processes may do to them what they like.
#[derive(Debug)]
pub struct Shared(Mapping);

/// A file that is only read, and that nobody writes.
#[derive(Debug)]
pub struct Frozen(Option<Mapping>);

/// An area of our memory that is a file.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: NonZeroUsize,
}

impl Shared {
    /// Makes a new file of `size` bytes, all zero and all of them allocated, and maps it. A file
    /// of that name must not exist: it may be mapped by others.
    ///
    /// # Errors
    /// What the file system says; EINVAL if `size` is not a number of words.
    pub fn create(path: &Path, size: usize, mode: u16) -> Result<Self, Errno> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode.into());
        let file = raw::retry(|| rustix::fs::open(path, flags, mode))?;
        // The umask must not decide who can read it.
        rustix::fs::fchmod(&file, mode)?;
        let length = u64::try_from(size).map_err(|_| Errno::INVAL)?;
        // Allocated now, where running out of memory is an error and not a signal.
        raw::retry(|| rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, length))?;
        Self::new(&file)
    }

    /// Opens and maps a file, all of it.
    ///
    /// # Errors
    /// What the file system says; EINVAL if it is empty or not a number of words.
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Self::new(&raw::retry(|| rustix::fs::open(path, flags, Mode::empty()))?)
    }

    /// Maps all of a file that is open for reading and writing.
    ///
    /// # Errors
    /// As [`Shared::open`].
    pub fn new(file: &impl AsFd) -> Result<Self, Errno> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let mapping = Mapping::new(file, protection, MapFlags::SHARED | MapFlags::POPULATE)?;
        let mapping = mapping.ok_or(Errno::INVAL)?;
        if mapping.length.get() % WORD != 0 { Err(Errno::INVAL) } else { Ok(Self(mapping)) }
    }

    /// All of it.
    #[must_use]
    pub fn words(&self) -> &[AtomicU32] {
        let Mapping { start, length } = self.0;
        // SAFETY: the mapping is readable and writable, `length` bytes long, a multiple of a
        // word's size, page-aligned, and lives as long as `self`. Every bit pattern is a valid
        // AtomicU32, which has interior mutability, so that writes by other processes and by the
        // kernel are changes of a shared atomic like any other; nothing hands out `&mut` to it or
        // accesses it in units of another size.
        unsafe { std::slice::from_raw_parts(start.as_ptr().cast(), length.get() / WORD) }
    }
}

/// Copies `bytes` into `words`, from the first one on; a last word that is begun is padded with
/// zeros. What does not fit is left out. Another process may see any part of it first: to be
/// followed by a store with [`Ordering::Release`] that says that it is whole.
pub fn store(words: &[AtomicU32], bytes: &[u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks(WORD)) {
        let mut whole = [0; WORD];
        for (to, from) in whole.iter_mut().zip(chunk) {
            *to = *from;
        }
        word.store(u32::from_ne_bytes(whole), Ordering::Relaxed);
    }
}

/// Copies out of `words` as many bytes as `bytes` has room for, and there are.
pub fn load(words: &[AtomicU32], bytes: &mut [u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks_mut(WORD)) {
        let whole = word.load(Ordering::Relaxed).to_ne_bytes();
        for (to, from) in chunk.iter_mut().zip(whole) {
            *to = from;
        }
    }
}

impl Frozen {
    /// Maps a file that is never written in place, such as a compiled graph.
    ///
    /// # Errors
    /// What the file system says; EACCES if it belongs to neither root nor this process's user,
    /// or others than its owner may write it: then nobody could promise that it stays as it is.
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = raw::retry(|| rustix::fs::open(path, flags, Mode::empty()))?;
        let stat = rustix::fs::fstat(&file)?;
        let ours = stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw();
        if !ours || stat.st_mode & 0o022 != 0 {
            return Err(Errno::ACCESS);
        }
        Ok(Self(Mapping::new(&file, ProtFlags::READ, MapFlags::PRIVATE)?))
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let Some(Mapping { start, length }) = self.0 else { return &[] };
        // SAFETY: the mapping is readable, `length` bytes long and lives as long as `self`. That
        // its bytes do not change is promised by the file's owner, root or ourselves, who alone
        // can write it and whose programs replace it by rename instead.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length.get()) }
    }
}

impl Mapping {
    /// None if the file is empty: there is no mapping without a byte.
    fn new(
        file: &impl AsFd,
        protection: ProtFlags,
        flags: MapFlags,
    ) -> Result<Option<Self>, Errno> {
        let size = rustix::fs::fstat(file)?.st_size;
        let size = usize::try_from(size).map_err(|_| Errno::OVERFLOW)?;
        let Some(length) = NonZeroUsize::new(size) else { return Ok(None) };
        // SAFETY: a null hint and no MAP_FIXED: the kernel chooses an area that nothing else has.
        let start = unsafe { mmap(std::ptr::null_mut(), size, protection, flags, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        Ok(Some(Self { start, length }))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the area that mmap returned; every slice of it borrows from the owner
        // of this mapping and is gone. It cannot fail with these arguments.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length.get()) };
    }
}

// SAFETY: the area belongs to the process, not to a thread, and is reached through atomics only.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn two_mappings_share_words() {
        let scratch = Scratch::new();
        let path = scratch.0.join("words");
        let one = Shared::create(&path, 4096, 0o644).unwrap();
        let other = Shared::open(&path).unwrap();
        assert_eq!(other.words().len(), 1024);
        one.words()[7].store(42, Ordering::Release);
        assert_eq!(other.words()[7].load(Ordering::Acquire), 42);
        store(&one.words()[8..], b"hello");
        let mut bytes = [0xff; 7];
        load(&other.words()[8..], &mut bytes);
        assert_eq!(&bytes, b"hello\0\0");
        assert_eq!(Shared::create(&path, 4096, 0o644).unwrap_err(), Errno::EXIST);
    }

    #[test]
    fn sizes_that_cannot_be_mapped_are_refused() {
        let scratch = Scratch::new();
        for (name, contents) in [("none", &b""[..]), ("odd", b"abc")] {
            std::fs::write(scratch.0.join(name), contents).unwrap();
            assert_eq!(Shared::open(&scratch.0.join(name)).unwrap_err(), Errno::INVAL);
        }
        assert_eq!(Frozen::open(&scratch.0.join("none")).unwrap().bytes(), b"");
    }

    #[test]
    fn a_file_that_others_may_write_is_not_frozen() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = Scratch::new();
        let path = scratch.0.join("graph");
        std::fs::write(&path, "graph").unwrap();
        assert_eq!(Frozen::open(&path).unwrap().bytes(), b"graph");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664)).unwrap();
        assert_eq!(Frozen::open(&path).unwrap_err(), Errno::ACCESS);
    }
}
