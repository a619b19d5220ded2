//! The last resort of a machine whose `supervise` cannot be started: a shell on the console. The
//! rescue graph is no help there, for it is `supervise` that would run it.

use crate::Instant;
use crate::keeper::STEADY_MS;

/// After so many starts in a row of which none ever answered: some six seconds, if `supervise` is
/// not there, or cannot be executed.
pub const AFTER: u32 = 8;
/// While somebody is at the shell, `supervise` is tried this rarely, for the sake of what they
/// read; and at once when they leave it.
pub const RETRY_MS: u64 = 30_000;

/// All zero: no shell was needed.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Rescue {
    /// Its process id; 0: none.
    shell: u32,
    /// It ended at once: there is none, or somebody else has the console.
    is_useless: u32,
    opened: Instant,
}

impl Rescue {
    /// The shell that runs.
    #[must_use]
    pub fn shell(&self) -> Option<u32> {
        (self.shell != 0).then_some(self.shell)
    }

    /// Whether to open one, after so many starts in vain.
    #[must_use]
    pub fn is_due(&self, in_vain: u32) -> bool {
        in_vain >= AFTER && self.shell == 0 && self.is_useless == 0
    }

    /// It runs.
    pub fn opened(&mut self, now: Instant, pid: u32) {
        *self = Self { shell: pid, is_useless: 0, opened: now };
    }

    /// It could not be started.
    pub fn not_opened(&mut self) {
        self.is_useless = 1;
    }

    /// It has ended.
    pub fn ended(&mut self, now: Instant) {
        self.is_useless = u32::from(now.ms_since(self.opened) < STEADY_MS);
        self.shell = 0;
    }

    /// `supervise` answers: the next time is another one.
    pub fn is_over(&mut self) {
        self.is_useless = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_again_when_it_was_left() {
        let mut rescue = Rescue::default();
        assert!(!rescue.is_due(AFTER - 1));
        assert!(rescue.is_due(AFTER));
        rescue.opened(Instant(0), 7);
        assert!(!rescue.is_due(AFTER + 1));
        assert_eq!(rescue.shell(), Some(7));
        rescue.ended(Instant(0).plus_ms(STEADY_MS));
        assert_eq!(rescue.shell(), None);
        assert!(rescue.is_due(AFTER + 2));
    }

    #[test]
    fn a_shell_that_is_none_is_not_tried_again_until_the_next_time() {
        let mut rescue = Rescue::default();
        rescue.opened(Instant(0), 7);
        rescue.ended(Instant(1));
        assert!(!rescue.is_due(AFTER + 1));
        rescue.is_over();
        assert!(rescue.is_due(AFTER));
        rescue.not_opened();
        assert!(!rescue.is_due(AFTER));
    }
}
