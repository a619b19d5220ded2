//! Descriptors. Those that outlive the program's image are numbers in [`init::State`], not owned
//! values; [`lend`] gives them the same methods.

use core::ffi::{CStr, c_int, c_void};
use core::mem::{self, ManuallyDrop};
use core::ops::Deref;

use init::Instant;

use super::{Errno, check, last_error, now};

/// An open file that is ours to close.
pub struct Fd(c_int);

/// An open file that somebody else closes.
pub struct Lent(ManuallyDrop<Fd>);

impl Deref for Lent {
    type Target = Fd;

    fn deref(&self) -> &Fd {
        &self.0
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // The standard ones stay open, whatever is in them.
        if self.0 > 2 {
            // SAFETY: the number is ours; nobody else uses it.
            unsafe { libc::close(self.0) };
        }
    }
}

/// Lends a descriptor whose number is kept in the state; 0 is none. Should the number be wrong,
/// system calls fail with EBADF, or go to another file of ours.
pub fn lend(number: c_int) -> Option<Lent> {
    (number > 0).then(|| Lent(ManuallyDrop::new(Fd(number))))
}

/// Opens a file. It is closed in a program executed next.
pub fn open(path: &CStr, flags: c_int) -> Result<Fd, Errno> {
    // SAFETY: the path is a C string; without O_CREAT there is no third argument.
    check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) }).map(Fd)
}

impl Fd {
    /// Becomes the owner: the kernel has just made it, or the state has just given it up.
    pub fn take(number: c_int) -> Self {
        Self(number)
    }

    /// Its number.
    pub fn number(&self) -> c_int {
        self.0
    }

    /// Gives it up: somebody else owns the number now.
    pub fn into_number(self) -> c_int {
        ManuallyDrop::new(self).0
    }

    /// A file in memory.
    pub fn in_memory(name: &CStr, size: u64) -> Result<Self, Errno> {
        // SAFETY: the name is a C string.
        let file = check(unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) })?;
        let file = Self(file);
        // SAFETY: it has no obligations.
        check(unsafe { libc::ftruncate(file.0, i64::try_from(size).unwrap_or(0)) })?;
        Ok(file)
    }

    /// Whether it is a file in memory of this size.
    pub fn is_in_memory(&self, size: u64) -> bool {
        // SAFETY: only files in memory answer; it has no obligations.
        let seals = unsafe { libc::fcntl(self.0, libc::F_GET_SEALS) };
        seals >= 0 && self.stat().is_ok_and(|stat| u64::try_from(stat.st_size) == Ok(size))
    }

    /// What the kernel knows of it.
    pub fn stat(&self) -> Result<libc::stat, Errno> {
        // SAFETY: plain data, for which zero is a value.
        let mut stat: libc::stat = unsafe { mem::zeroed() };
        // SAFETY: the kernel writes a stat.
        check(unsafe { libc::fstat(self.0, &raw mut stat) })?;
        Ok(stat)
    }

    /// Reads.
    pub fn read(&self, bytes: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the kernel writes at most as many bytes as there are.
        let length =
            unsafe { libc::read(self.0, bytes.as_mut_ptr().cast::<c_void>(), bytes.len()) };
        usize::try_from(length).map_err(|_| last_error())
    }

    /// Writes, all at once or not.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Errno> {
        self.write_two(bytes, b"")
    }

    /// Writes two pieces as one.
    pub fn write_two(&self, first: &[u8], second: &[u8]) -> Result<(), Errno> {
        let piece = |bytes: &[u8]| libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast::<c_void>(),
            iov_len: bytes.len(),
        };
        let pieces = [piece(first), piece(second)];
        // SAFETY: there are two pieces, which the kernel reads.
        let length = unsafe { libc::writev(self.0, pieces.as_ptr(), 2) };
        if length < 0 { Err(last_error()) } else { Ok(()) }
    }

    /// Whether it stays open in a program executed next.
    pub fn keep_on_exec(&self, keep: bool) {
        // SAFETY: it has no obligations.
        unsafe { libc::fcntl(self.0, libc::F_SETFD, if keep { 0 } else { libc::FD_CLOEXEC }) };
    }

    /// Another number for the same open file, none of the standard ones. It is closed in a program
    /// executed next.
    pub fn duplicate(&self) -> Option<Self> {
        // SAFETY: it has no obligations.
        check(unsafe { libc::fcntl(self.0, libc::F_DUPFD_CLOEXEC, 3) }).ok().map(Self)
    }

    /// Makes `number` the same open file. It stays open in a program executed next.
    pub fn duplicate_onto(&self, number: c_int) -> Result<(), Errno> {
        if self.0 == number {
            self.keep_on_exec(true);
            return Ok(());
        }
        // SAFETY: the callers give numbers that no Fd has: the standard ones, the state's own, and
        // in a child that executes a program, the link's.
        check(unsafe { libc::dup2(self.0, number) }).map(drop)
    }

    /// Makes it, a terminal that is nobody's, the terminal of our session.
    pub fn become_terminal(&self) -> Result<(), Errno> {
        // SAFETY: the argument is a number; 0 takes it from nobody.
        check(unsafe { libc::ioctl(self.0, libc::TIOCSCTTY, 0) }).map(drop)
    }

    /// Detaches it, a loop device, from its file.
    pub fn detach_loop(&self) -> Result<(), Errno> {
        /// LOOP_CLR_FD of linux/loop.h.
        const LOOP_CLR_FD: u16 = 0x4c01;
        // SAFETY: this request takes no argument.
        check(unsafe { libc::ioctl(self.0, LOOP_CLR_FD.into(), 0) }).map(drop)
    }
}

/// Closes every descriptor from this number on; on a kernel before 5.9, none.
pub fn close_from(first: c_int) {
    let first = u32::try_from(first).unwrap_or(3);
    // SAFETY: the callers have no descriptor of this number or above that they go on using.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

/// Sleeps until one of the files is ready, or it is `deadline`. Why is not said: the callers look
/// at everything.
pub fn wait_for(files: [Option<(&Fd, i16)>; 2], deadline: Option<Instant>) {
    // The kernel passes over what is not open: -1.
    let entry = |file: Option<(&Fd, i16)>| match file {
        Some((fd, events)) => libc::pollfd { fd: fd.0, events, revents: 0 },
        None => libc::pollfd { fd: -1, events: 0, revents: 0 },
    };
    let mut entries = files.map(entry);
    // Rounded up: a wait that ends early would only be repeated.
    let timeout = deadline.map_or(-1, |deadline| {
        let us = deadline.0.saturating_sub(now().0);
        c_int::try_from(us.div_ceil(1000)).unwrap_or(c_int::MAX)
    });
    // SAFETY: there are two entries.
    unsafe { libc::poll(entries.as_mut_ptr(), 2, timeout) };
}

/// Calls with the name of each file in a directory.
pub fn for_each_entry(path: &CStr, mut call: impl FnMut(&[u8])) {
    let Ok(directory) = open(path, libc::O_RDONLY | libc::O_DIRECTORY) else { return };
    let mut bytes = [0_u8; 4096];
    loop {
        // SAFETY: the kernel writes at most as many bytes as there are.
        let length = unsafe {
            libc::syscall(libc::SYS_getdents64, directory.0, bytes.as_mut_ptr(), bytes.len())
        };
        let Some(mut rest) = usize::try_from(length).ok().and_then(|len| bytes.get(..len)) else {
            return;
        };
        if rest.is_empty() {
            return;
        }
        while let Some((name, others)) = first_entry(rest) {
            call(name);
            rest = others;
        }
    }
}

/// A record: inode and offset, 8 bytes each; its length, 2; a type, 1; the name, ended by NUL.
fn first_entry(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_ne_bytes(*records.get(16..)?.first_chunk::<2>()?));
    // A record of no length would be the first one for ever.
    let (record, others) = records.split_at_checked(length.max(1))?;
    let name = record.get(19..)?.split(|byte| *byte == 0).next()?;
    Some((name, others))
}
