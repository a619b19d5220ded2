//! Raw system calls for what rustix does not have. Each is one instruction and an `errno`: they
//! allocate nothing and lock nothing, so the child of a clone may use them.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use crate::Errno;

/// How often a call that was interrupted is tried again: always.
pub(crate) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

/// `result` as the C library returns it: -1 and `errno`, or a value.
pub(crate) fn check(result: c_long) -> Result<c_long, Errno> {
    if result >= 0 { Ok(result) } else { Err(last_errno()) }
}

/// The calling thread's `errno`.
pub(crate) fn last_errno() -> Errno {
    let code = std::io::Error::last_os_error().raw_os_error();
    Errno::from_raw_os_error(code.unwrap_or(libc::EIO))
}

/// `code` as it travels in records: kernel error numbers are below 4096.
pub(crate) fn number(errno: Errno) -> u16 {
    u16::try_from(errno.raw_os_error()).unwrap_or(u16::MAX)
}

/// Makes `to` a copy of `from` that survives exec; nothing if it is the same number already.
pub(crate) fn place(from: BorrowedFd<'_>, to: RawFd) -> Result<(), Errno> {
    let from = from.as_raw_fd();
    let result = if from == to {
        // SAFETY: F_SETFD reads its argument as a number and no memory.
        unsafe { libc::fcntl(to, libc::F_SETFD, 0) }
    } else {
        // SAFETY: dup2 touches no memory. It may close `to`; the caller is the child of a clone,
        // which owns no typed descriptor of that number that it will use again.
        retry(|| check(c_long::from(unsafe { libc::dup2(from, to) })).map(|_| 0))?
    };
    check(c_long::from(result)).map(drop)
}

/// Marks every descriptor from `first` on as close-on-exec (Linux 5.11; before that one by one).
pub(crate) fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    const CLOSE_RANGE_CLOEXEC: c_long = 4;
    // SAFETY: close_range touches no memory, and with this flag it closes nothing by itself.
    let done = check(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            c_long::from(first),
            c_long::from(u32::MAX),
            CLOSE_RANGE_CLOEXEC,
        )
    });
    match done {
        Ok(_) => Ok(()),
        Err(Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
            close_on_exec_one_by_one(first);
            Ok(())
        }
        Err(errno) => Err(errno),
    }
}

fn close_on_exec_one_by_one(first: u32) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    // A table without a limit is not searched for ever; ours are far smaller than this.
    const SEARCHED_MAX: u64 = 1 << 16;
    let end = limit.unwrap_or(SEARCHED_MAX).min(SEARCHED_MAX);
    for fd in u64::from(first)..end {
        let Ok(fd) = c_int::try_from(fd) else { return };
        // SAFETY: F_SETFD reads a number; a descriptor that is not open is an error we ignore.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Replaces the program; returns only if it could not.
///
/// # Safety
/// `argv` and `envp` must point to arrays of pointers to NUL-terminated strings, each array ended
/// by a null pointer, all of them valid until this returns.
pub(crate) unsafe fn execve(
    path: &CStr,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Errno {
    // SAFETY: `path` is NUL-terminated by its type; the arrays are as this function's own
    // contract says. On success nothing of this program is left that could be affected.
    unsafe { libc::execve(path.as_ptr(), argv, envp) };
    last_errno()
}

/// Ends the process at once: no destructor, no atexit handler, no flush.
pub(crate) fn exit_now(status: u8) -> ! {
    // SAFETY: _exit takes a number, touches no memory and does not return.
    unsafe { libc::_exit(c_int::from(status)) }
}

/// An ioctl whose argument is a number, not a pointer.
pub(crate) fn ioctl_number(
    fd: BorrowedFd<'_>,
    request: libc::Ioctl,
    argument: c_int,
) -> Result<(), Errno> {
    // SAFETY: every request in this crate that goes through here (TIOCSCTTY, TIOCVHANGUP,
    // KDSETMODE) takes its argument by value, so the kernel follows no pointer of ours.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) };
    check(c_long::from(result)).map(drop)
}

/// Makes the mount at `path`, and all below it, read-only, and leaves their other flags alone
/// (Linux 5.12).
pub(crate) fn mount_read_only(path: &CStr) -> Result<(), Errno> {
    const AT_RECURSIVE: c_long = 0x8000;
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: `path` is NUL-terminated; `attributes` is a whole `mount_attr` that outlives the
    // call, and its true size is passed, so the kernel reads no byte beyond it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            c_long::from(libc::AT_FDCWD),
            path.as_ptr(),
            AT_RECURSIVE,
            (&raw const attributes).cast::<c_void>(),
            size_of::<libc::mount_attr>(),
        )
    };
    check(result).map(drop)
}
