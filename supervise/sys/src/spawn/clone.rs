//! The clone itself, in its two forms.

use std::ffi::{c_long, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::AtomicU32;

use super::{Kin, Spawner};
use crate::Errno;
use crate::raw;

const CLONE_PARENT: u64 = 0x8000;
const CLONE_PARENT_SETTID: u64 = 0x0010_0000;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Where the caller finds itself after a clone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    /// In the process that called.
    Parent {
        /// The child.
        pid: u32,
    },
    /// In the new process.
    Child {
        /// It is still in its parent's cgroup.
        join: bool,
    },
}

/// `struct clone_args` of <linux/sched.h>, as of Linux 5.7.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Clones this process as `fork` does: the child has a copy of everything.
pub(super) fn clone(
    spawner: &mut Spawner,
    cgroup: Option<BorrowedFd<'_>>,
    pid_word: &AtomicU32,
) -> Result<Side, Errno> {
    if spawner.clone3 {
        match clone3(spawner.kin, cgroup, pid_word) {
            Err(errno) if is_refused(errno) => spawner.clone3 = false,
            made => return made,
        }
    }
    clone2(spawner.kin, cgroup.is_some(), pid_word)
}

/// ENOSYS before Linux 5.3 and under qemu-user; EPERM by the seccomp filters of older container
/// engines; E2BIG and EINVAL before 5.7, which knows neither the field nor the flag of a cgroup.
fn is_refused(errno: Errno) -> bool {
    matches!(errno, Errno::NOSYS | Errno::PERM | Errno::TOOBIG | Errno::INVAL)
}

/// What `clone3` answers only on account of the cgroup it was given: not ours to enter, threaded,
/// with controllers enabled for its children, being removed, or no cgroup at all.
pub(super) fn blames_cgroup(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ACCESS | Errno::BUSY | Errno::OPNOTSUPP | Errno::NODEV | Errno::NOENT | Errno::BADF
    )
}

fn flags(kin: Kin) -> u64 {
    match kin {
        Kin::Sibling => CLONE_PARENT | CLONE_PARENT_SETTID,
        Kin::Child => CLONE_PARENT_SETTID,
    }
}

/// With CLONE_PARENT the kernel gives the child its sibling's exit signal, and refuses another.
fn exit_signal(kin: Kin) -> u64 {
    match kin {
        Kin::Sibling => 0,
        // SIGCHLD; the kernel's own type for it is u64.
        Kin::Child => u64::from(libc::SIGCHLD.unsigned_abs()),
    }
}

fn clone3(kin: Kin, cgroup: Option<BorrowedFd<'_>>, pid_word: &AtomicU32) -> Result<Side, Errno> {
    let mut args = CloneArgs {
        flags: flags(kin) | CLONE_CLEAR_SIGHAND,
        parent_tid: address(pid_word),
        exit_signal: exit_signal(kin),
        ..CloneArgs::default()
    };
    if let Some(directory) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(directory.as_raw_fd().unsigned_abs());
    }
    // SAFETY: `args` is a whole clone_args that outlives the call, and its true size is passed.
    // Without CLONE_VM and CLONE_THREAD the child runs on a copy of this thread's stack and
    // memory, so no Rust value is shared with it. `parent_tid` is the address of an atomic that
    // the caller borrows for longer than the call; the kernel writes those four bytes only. The
    // child goes straight into `child::run`, which never returns.
    let result = raw::check(unsafe {
        libc::syscall(libc::SYS_clone3, (&raw mut args).cast::<c_void>(), size_of::<CloneArgs>())
    })?;
    Ok(side(result, false))
}

fn clone2(kin: Kin, join: bool, pid_word: &AtomicU32) -> Result<Side, Errno> {
    let flags = c_long::try_from(flags(kin) | exit_signal(kin)).unwrap_or(0);
    // SAFETY: as for clone3. A null stack means: the same address in the copied memory. The order
    // of the last two arguments differs between architectures; both are unused and null.
    let result = raw::check(unsafe {
        libc::syscall(
            libc::SYS_clone,
            flags,
            std::ptr::null::<c_void>(),
            pid_word.as_ptr(),
            std::ptr::null::<c_void>(),
            std::ptr::null::<c_void>(),
        )
    })?;
    Ok(side(result, join))
}

fn side(result: c_long, join: bool) -> Side {
    match u32::try_from(result) {
        Ok(0) => Side::Child { join },
        Ok(pid) => Side::Parent { pid },
        // Process ids are below 2^22; the kernel returns nothing else that is not an error.
        Err(_) => Side::Parent { pid: 0 },
    }
}

fn address(word: &AtomicU32) -> u64 {
    u64::try_from(word.as_ptr().addr()).unwrap_or(0)
}
