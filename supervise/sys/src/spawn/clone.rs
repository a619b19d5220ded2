//! The clone itself, in its two forms, each with memory shared or copied.
//!
//! The child has a stack of its own and begins in [`child::entry`], so that no Rust frame is ever
//! left twice. Shared memory (CLONE_VM, but not CLONE_VFORK: the parent goes on at once) spares
//! the copy of our page tables, which is half of what a spawn costs and grows with us. It is used
//! only for a child that does nothing on its way by which the kernel would change the shared
//! memory's own attributes: see [`Sharing`].

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::AtomicU32;

use super::child::{self, Task};
use super::stack::Stack;
use super::{Kin, Spawner};
use crate::Errno;
use crate::raw::{self, Argument};

const CLONE_VM: u64 = 0x100;
const CLONE_PARENT: u64 = 0x8000;
const CLONE_PARENT_SETTID: u64 = 0x0010_0000;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Whose memory a child runs in until it executes its program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sharing {
    /// In ours. Not if it writes its OOM score (the kernel then writes it to all processes that
    /// share memory), changes its credentials (the memory would become undumpable), or enters a
    /// cgroup whose limit of memory exec may run into (the OOM killer ends all that share the
    /// memory of its victim).
    Shared,
    /// In a copy of ours.
    Copied,
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

/// Makes a child that carries out `task`, and returns its process id.
///
/// # Safety
/// The caller must leave `task` and `own` alone until the child has executed its program or
/// ended, if `task` says afterwards that the child shares our memory; `common` must be touched by
/// nobody, ever. Every signal must be blocked, so that no handler of ours runs in the child.
pub(super) unsafe fn clone(
    spawner: &mut Spawner,
    task: &mut Task,
    own: Option<&Stack>,
    common: &Stack,
    cgroup: Option<BorrowedFd<'_>>,
    pid_word: &AtomicU32,
) -> Result<u32, Errno> {
    let stack = own.unwrap_or(common);
    if spawner.clone3 {
        // SAFETY: the caller's promise.
        match unsafe { clone3(spawner.kin, task, stack, cgroup, pid_word) } {
            Err(errno) if is_refused(errno) => spawner.clone3 = false,
            made => return made,
        }
    }
    task.without_clone3(cgroup);
    // SAFETY: the caller's promise.
    match unsafe { clone2(spawner.kin, task, stack, pid_word) } {
        // qemu-user takes CLONE_VM for a thread and then misses the other flags of one.
        Err(Errno::INVAL) if task.sharing == Sharing::Shared => {
            task.sharing = Sharing::Copied;
            // SAFETY: the caller's promise.
            unsafe { clone2(spawner.kin, task, common, pid_word) }
        }
        made => made,
    }
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

fn flags(kin: Kin, sharing: Sharing) -> u64 {
    let kin = match kin {
        Kin::Sibling => CLONE_PARENT,
        Kin::Child => 0,
    };
    let memory = match sharing {
        Sharing::Shared => CLONE_VM,
        Sharing::Copied => 0,
    };
    CLONE_PARENT_SETTID | kin | memory
}

/// With CLONE_PARENT the kernel gives the child its sibling's exit signal, and refuses another.
fn exit_signal(kin: Kin) -> u64 {
    match kin {
        Kin::Sibling => 0,
        Kin::Child => u64::from(libc::SIGCHLD.unsigned_abs()),
    }
}

/// # Safety
/// As [`clone`].
unsafe fn clone3(
    kin: Kin,
    task: &mut Task,
    stack: &Stack,
    cgroup: Option<BorrowedFd<'_>>,
    pid_word: &AtomicU32,
) -> Result<u32, Errno> {
    let (start, size) = stack.area();
    let mut args = CloneArgs {
        flags: flags(kin, task.sharing) | CLONE_CLEAR_SIGHAND,
        parent_tid: wide(pid_word.as_ptr().expose_provenance()),
        exit_signal: exit_signal(kin),
        stack: wide(start),
        stack_size: wide(size),
        ..CloneArgs::default()
    };
    if let Some(directory) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(directory.as_raw_fd().unsigned_abs());
    }
    let nothing = Argument(0);
    let arguments =
        [(&raw mut args).into(), Argument(size_of::<CloneArgs>()), nothing, nothing, nothing];
    // SAFETY: `args` is a whole clone_args that outlives the call, and its true size is passed.
    // `parent_tid` is the address of an atomic that the caller borrows for longer than the call;
    // the kernel writes those four bytes only. The stack is the child's alone, and `task` is left
    // to it, by this function's contract; `child::entry` takes the address of a task.
    let pid = unsafe { raw::clone_onto(libc::SYS_clone3, arguments, child::entry, address(task)) }?;
    u32::try_from(pid).map_err(|_| Errno::OVERFLOW)
}

/// # Safety
/// As [`clone`].
unsafe fn clone2(
    kin: Kin,
    task: &mut Task,
    stack: &Stack,
    pid_word: &AtomicU32,
) -> Result<u32, Errno> {
    let (start, size) = stack.area();
    let arguments = [
        (flags(kin, task.sharing) | exit_signal(kin)).into(),
        Argument(start.saturating_add(size)),
        pid_word.as_ptr().into(),
        // The order of these two differs between architectures; both are unused.
        Argument(0),
        Argument(0),
    ];
    // SAFETY: as for clone3; here the kernel wants the stack's upper end.
    let pid = unsafe { raw::clone_onto(libc::SYS_clone, arguments, child::entry, address(task)) }?;
    u32::try_from(pid).map_err(|_| Errno::OVERFLOW)
}

fn address(task: &mut Task) -> usize {
    (&raw mut *task).expose_provenance()
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
