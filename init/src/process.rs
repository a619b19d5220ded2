//! `/proc/PID/stat`: who a process is and whose child.

/// What the final phase wants to know of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Process<'a> {
    /// Its name, at most 15 bytes, any bytes.
    pub name: &'a [u8],
    /// `D`: it waits in the kernel and cannot be killed now. `Z`: it is dead.
    pub state: u8,
    /// Its parent.
    pub parent: u32,
    /// It is the kernel's own.
    pub is_kernel_thread: bool,
}

/// The kernel's PF_KTHREAD.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// Reads a line `PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS ...`. The name may hold
/// anything, parentheses too: it ends at the last one.
#[must_use]
pub fn parse(stat: &[u8]) -> Option<Process<'_>> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let name = stat.get(open.checked_add(1)?..close)?;
    let rest = stat.get(close.checked_add(2)?..)?;
    let mut fields = rest.split(|byte| *byte == b' ');
    let state = *fields.next()?.first()?;
    let parent = u32::try_from(number(fields.next()?)?).ok()?;
    let flags = number(fields.nth(4)?)?;
    Some(Process { name, state, parent, is_kernel_thread: flags & KERNEL_THREAD != 0 })
}

/// A decimal number: nothing else, and not too large.
#[must_use]
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read() {
        let stat = b"42 (sh) S 7 42 42 34816 42 4194304 1 2 3\n";
        let sh = Process { name: b"sh", state: b'S', parent: 7, is_kernel_thread: false };
        assert_eq!(parse(stat), Some(sh));
    }

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        let stat = b"42 (a) R 1 (b c) D 9 0 0 0 -1 2097216 0\n";
        let odd = Process { name: b"a) R 1 (b c", state: b'D', parent: 9, is_kernel_thread: true };
        assert_eq!(parse(stat), Some(odd));
    }

    #[test]
    fn anything_else_is_refused() {
        let whole = b"42 (sh) S 7 42 42 34816 42 4194304";
        for len in 0..b"42 (sh) S 7 42 42 34816 42 ".len() {
            assert_eq!(parse(&whole[..len]), None, "{len}");
        }
        for stat in [&b")("[..], b"1 () S x 1 1 1 1 1", b"1 (a)", b"1 (a) ", b"(((", b")))"] {
            assert_eq!(parse(stat), None);
        }
    }

    #[test]
    fn numbers_are_digits() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for text in [&b"18446744073709551616"[..], b"", b"-1", b"1 ", b"a"] {
            assert_eq!(number(text), None);
        }
    }
}
