//! Signal masks and dispositions by the kernel's own calls: the C library hides some signals from
//! its callers, and a child must start without any exception.

use std::ptr::null_mut;

use crate::Errno;
use crate::raw::{self, Argument};

const SIGNALS: u32 = 64;
/// The size of the kernel's signal set, in bytes.
const SET_SIZE: Argument = Argument(8);
/// Handler, flags, restorer and mask: `struct sigaction` of the kernel, in words.
type Action = [u64; 4];
/// SIG_DFL is 0 in every field.
const DEFAULT: Action = [0; 4];

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

/// The signals that this process ignores; all of them, if it cannot be told: then each child
/// gives each its default disposition.
pub(super) fn ignored() -> Set {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).map_or(Set::ALL, Set)
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
