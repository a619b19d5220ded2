//! Signal masks and dispositions by the kernel's own calls: the C library hides some signals from
//! its callers, and a child must start without any exception.

use std::ptr::{null, null_mut};

use crate::Errno;
use crate::raw::{self, Argument};

const SIGNALS: u32 = 64;
/// The size of the kernel's signal set, in bytes.
const SET_SIZE: Argument = Argument(8);
/// Handler, flags, restorer and mask: `struct sigaction` of the kernel, in words.
type Action = [u64; 4];
/// SIG_DFL is 0 in every field.
const DEFAULT: Action = [0; 4];
const SIG_IGN: u64 = 1;

/// Signals by number: bit 0 is signal 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Set(u64);

impl Set {
    pub(super) const ALL: Self = Self(u64::MAX);
    pub(super) const NONE: Self = Self(0);

    fn numbers(self) -> impl Iterator<Item = u32> {
        (1..=SIGNALS).filter(move |number| self.0 & bit(*number) != 0)
    }
}

fn bit(number: u32) -> u64 {
    1_u64.checked_shl(number.saturating_sub(1)).unwrap_or(0)
}

/// The signals that this process ignores.
pub(super) fn ignored() -> Set {
    let mut set = 0;
    for number in Set::ALL.numbers() {
        let mut action = DEFAULT;
        let arguments =
            [number.into(), null::<Action>().into(), (&raw mut action).into(), SET_SIZE];
        // SAFETY: with a null new action the call only writes the old one into `action`, which
        // has the kernel's size (32 bytes on the 64-bit architectures that we build for).
        let read = unsafe { raw::syscall(libc::SYS_rt_sigaction, arguments) };
        if read.is_ok() && action.first() == Some(&SIG_IGN) {
            set |= bit(number);
        }
    }
    Set(set)
}

/// Gives the signals of `set` their default dispositions. In a child only: it has a table of its
/// own, even where it shares its memory.
pub(super) fn reset(set: Set) {
    for number in set.numbers() {
        let action = DEFAULT;
        let arguments =
            [number.into(), (&raw const action).into(), null_mut::<Action>().into(), SET_SIZE];
        // SAFETY: `action` has the kernel's size and is only read; nothing is written back. That
        // handlers of this process disappear is what the child wants. SIGKILL, SIGSTOP and what
        // else cannot be changed answer EINVAL, and are at their default anyway.
        let _ = unsafe { raw::syscall(libc::SYS_rt_sigaction, arguments) };
    }
}

/// Blocks every signal and returns what was blocked before.
pub(super) fn block_all() -> Set {
    mask(Set::ALL).unwrap_or(Set::NONE)
}

/// Makes `set` the mask.
pub(super) fn restore(set: Set) {
    // It cannot fail: the arguments are always right.
    let _ = mask(set);
}

fn mask(set: Set) -> Result<Set, Errno> {
    let mut old = 0_u64;
    let arguments =
        [libc::SIG_SETMASK.into(), (&raw const set.0).into(), (&raw mut old).into(), SET_SIZE];
    // SAFETY: both sets are eight bytes, which is the size passed; the kernel reads the first and
    // writes the second, and both outlive the call.
    unsafe { raw::syscall(libc::SYS_rt_sigprocmask, arguments) }?;
    Ok(Set(old))
}
