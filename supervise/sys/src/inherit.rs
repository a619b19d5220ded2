//! Descriptors that were open before this process's own program began.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::Errno;

/// Takes over a descriptor that whoever executed this program left for it. It is closed here and
/// owned under another number, with close-on-exec set. To be called once for each, before
/// anything else could have got that number.
///
/// # Errors
/// EBADF, if there is none.
pub fn take(fd: RawFd) -> Result<OwnedFd, Errno> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: it is not -1. Whether it is open is what the next call asks, and nothing else is
    // done with it before that has been answered.
    let left = unsafe { BorrowedFd::borrow_raw(fd) };
    let own = rustix::io::fcntl_dupfd_cloexec(left, left.as_raw_fd().saturating_add(1))?;
    // SAFETY: it is open, as the call before has shown, and nobody in this process owns it: it
    // was left by the program before.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(own)
}
