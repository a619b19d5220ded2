//! System calls, each wrapped once, with its obligations. Everything here is safe to call.
//!
//! rustix is used wherever it has no descriptor in its hands: without std, its `OwnedFd` and
//! `BorrowedFd` check their number, and the check can panic. Hence [`Fd`], and the C library.

mod fd;
mod process;
mod signal;
mod socket;
mod watchdog;

use core::ffi::{CStr, c_int};
use core::mem;

use init::Instant;

pub use fd::{Fd, close_from, for_each_entry, lend, open, wait_for};
pub use process::{Dead, Fork, bury, dead_child, exit, fork, kill, own_pid};
pub use signal::{Signals, leave_terminal, next_signal};
pub use socket::{pair, receive, send};

/// Now.
pub fn now() -> Instant {
    // SAFETY: plain data, for which zero is a value.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    // rustix finds the kernel's clock page by itself, with code that can panic.
    // SAFETY: the kernel writes a timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant(seconds.saturating_mul(1_000_000).saturating_add(nanoseconds / 1000))
}

/// Sleeps: only where nothing else can be done.
pub fn sleep_ms(ms: u64) {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    let nanoseconds = i64::try_from(ms % 1000).unwrap_or(0).saturating_mul(1_000_000);
    let time = libc::timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    // SAFETY: the kernel reads a timespec; how much is left is not wanted.
    unsafe { libc::nanosleep(&raw const time, core::ptr::null_mut()) };
}

/// Starts the machine again and hands its firmware an argument. Returns if the kernel refuses.
pub fn restart_with(argument: &CStr) -> Errno {
    let command = libc::LINUX_REBOOT_CMD_RESTART2;
    let (first, second) = (libc::LINUX_REBOOT_MAGIC1, libc::LINUX_REBOOT_MAGIC2);
    // The C library's function has no place for the argument.
    // SAFETY: the kernel reads a C string.
    unsafe { libc::syscall(libc::SYS_reboot, first, second, command, argument.as_ptr()) };
    last_error()
}

/// Stops swapping to this device or file.
pub fn swapoff(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path is a C string.
    check(unsafe { libc::swapoff(path.as_ptr()) }).map(drop)
}

/// Why a system call failed. rustix's own type panics when it is made of a number that is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Errno(pub c_int);

impl From<rustix::io::Errno> for Errno {
    fn from(error: rustix::io::Errno) -> Self {
        Self(error.raw_os_error())
    }
}

/// The result of a C function, or the error that it left.
fn check(result: c_int) -> Result<c_int, Errno> {
    if result < 0 { Err(last_error()) } else { Ok(result) }
}

/// The error that a C function left.
pub fn last_error() -> Errno {
    // SAFETY: the location is this thread's own and always readable.
    Errno(unsafe { *libc::__errno_location() })
}
