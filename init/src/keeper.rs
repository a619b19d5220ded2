//! `supervise`'s process, as init keeps it alive: when to start it, when it hangs.
//!
//! Its first restart is at once, then after a delay that doubles to a cap; init never gives up.
//! It hangs when it has been sent something and acknowledges nothing for [`HUNG_MS`].

use crate::Instant;

/// Without any acknowledgement for so long while some are due, `supervise` hangs. It touches no
/// disk, so nothing slower than a machine deep in swap explains it.
pub const HUNG_MS: u64 = 30_000;
/// The second restart in a row waits so long; each further one twice as long.
pub const DELAY_MIN_MS: u64 = 50;
/// No restart waits longer. A node without a supervisor heals nothing: keep it short.
pub const DELAY_MAX_MS: u64 = 5_000;
/// Whoever has closed the link is about to die, as a rule: its sockets are closed before its exit
/// can be seen. If it lives on for so long, it is of no use.
pub const UNLINKED_MS: u64 = 1_000;
/// Whoever lived so long has not failed at starting: the delays begin anew.
pub const STEADY_MS: u64 = 1_000;

const SIGKILL: i32 = 9;

/// All zero: never started, and due at once.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Keeper {
    /// 0: none.
    pid: u32,
    /// How often it was started.
    starts: u32,
    /// Starts in a row that came to nothing.
    failures: u32,
    /// Whether the present one has acknowledged anything.
    came_up: u32,
    /// Whether it has closed the link.
    unlinked: u32,
    /// Starts in a row of which none has acknowledged anything.
    in_vain: u32,
    started: Instant,
    /// When it was first owed the acknowledgement that it owes now.
    owing_since: Instant,
    /// When it closed the link.
    unlinked_since: Instant,
    /// When the next one is to be started.
    due: Instant,
}

impl Keeper {
    /// Its process id while there is one.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        (self.pid != 0).then_some(self.pid)
    }

    /// How often it was started.
    #[must_use]
    pub fn starts(&self) -> u32 {
        self.starts
    }

    /// It is being started: `Hello` counts this one in.
    pub fn count_start(&mut self) {
        self.starts = self.starts.saturating_add(1);
    }

    /// It has been started.
    pub fn started(&mut self, now: Instant, pid: u32) {
        *self = Self { pid, came_up: 0, unlinked: 0, started: now, owing_since: now, ..*self };
    }

    /// It could not even be started.
    pub fn not_started(&mut self, now: Instant) {
        self.schedule(now, false);
    }

    /// It has acknowledged something.
    pub fn answered(&mut self, now: Instant) {
        self.came_up = 1;
        self.in_vain = 0;
        self.owing_since = now;
    }

    /// It owes nothing; what it will be sent next is owed from then on.
    pub fn owes_nothing(&mut self, now: Instant) {
        self.owing_since = now;
    }

    /// It has closed the link, or broken it.
    pub fn unlinked(&mut self, now: Instant) {
        self.unlinked = 1;
        self.unlinked_since = now;
    }

    /// Whether it has.
    #[must_use]
    pub fn is_unlinked(&self) -> bool {
        self.unlinked != 0
    }

    /// It has ended. One that had come up and was killed by hand has not failed at starting.
    pub fn ended(&mut self, now: Instant, status: i32) {
        let killed = self.came_up != 0 && status & 0x7f == SIGKILL;
        let steady = killed || now.ms_since(self.started) >= STEADY_MS;
        self.schedule(now, steady);
    }

    /// How many starts in a row have come to nothing at all.
    #[must_use]
    pub fn in_vain(&self) -> u32 {
        self.in_vain
    }

    /// The next start is not before so long.
    pub fn take_time(&mut self, now: Instant, ms: u64) {
        self.due = self.due.max(now.plus_ms(ms));
    }

    /// The next start is now.
    pub fn hurry(&mut self, now: Instant) {
        self.due = self.due.min(now);
    }

    /// When something is to be done: a start, or a kill, if it `owes` an acknowledgement for
    /// longer than it may.
    #[must_use]
    pub fn deadline(&self, owes: bool, patience_ms: u64) -> Option<Instant> {
        if self.pid == 0 {
            Some(self.due)
        } else if self.is_unlinked() {
            Some(self.unlinked_since.plus_ms(UNLINKED_MS))
        } else {
            owes.then(|| self.owing_since.plus_ms(patience_ms))
        }
    }

    fn schedule(&mut self, now: Instant, steady: bool) {
        self.failures = if steady { 0 } else { self.failures };
        self.due = now.plus_ms(delay_ms(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.in_vain = if self.came_up == 0 { self.in_vain.saturating_add(1) } else { 0 };
        self.came_up = 0;
        self.pid = 0;
    }
}

/// The delay before the restart that follows this many others in a row.
fn delay_ms(failures: u32) -> u64 {
    let Some(doublings) = failures.checked_sub(1) else { return 0 };
    let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    DELAY_MIN_MS.saturating_mul(factor).min(DELAY_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGV: i32 = 11;

    #[test]
    fn restarts_come_at_once_then_slower_then_at_the_cap_for_ever() {
        let mut keeper = Keeper::default();
        let mut now = Instant(0);
        let mut delays = [0; 12];
        for delay in &mut delays {
            keeper.started(now, 9);
            keeper.ended(now, SEGV);
            let due = keeper.deadline(false, HUNG_MS).unwrap();
            *delay = due.ms_since(now);
            now = due;
        }
        assert_eq!(delays, [0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
        for _ in 0..100 {
            keeper.not_started(now);
        }
        assert_eq!(keeper.deadline(false, HUNG_MS), Some(now.plus_ms(DELAY_MAX_MS)));
    }

    #[test]
    fn whoever_lived_a_while_comes_back_at_once() {
        let mut keeper = Keeper::default();
        for _ in 0..5 {
            keeper.not_started(Instant(0));
        }
        keeper.started(Instant(0), 9);
        let end = Instant(0).plus_ms(STEADY_MS);
        keeper.ended(end, SEGV);
        assert_eq!(keeper.deadline(false, HUNG_MS), Some(end));
    }

    #[test]
    fn one_that_had_come_up_and_is_killed_comes_back_at_once_every_time() {
        let mut keeper = Keeper::default();
        for ms in 0..50 {
            let now = Instant(0).plus_ms(ms);
            keeper.started(now, 9);
            keeper.answered(now);
            keeper.ended(now, SIGKILL);
            assert_eq!(keeper.deadline(false, HUNG_MS), Some(now));
        }
    }

    #[test]
    fn starts_in_vain_are_counted_until_one_answers() {
        let mut keeper = Keeper::default();
        for time in 1..=3 {
            keeper.started(Instant(0), 9);
            keeper.ended(Instant(0).plus_ms(time * STEADY_MS), SIGKILL);
            assert_eq!(u64::from(keeper.in_vain()), time);
        }
        keeper.not_started(Instant(0));
        assert_eq!(keeper.in_vain(), 4);
        keeper.started(Instant(0), 9);
        keeper.answered(Instant(0));
        assert_eq!(keeper.in_vain(), 0);
        keeper.ended(Instant(0), SEGV);
        assert_eq!(keeper.in_vain(), 0, "that one was not in vain");
        keeper.not_started(Instant(0));
        assert_eq!(keeper.in_vain(), 1);
    }

    #[test]
    fn it_hangs_only_if_it_owes_and_stays_silent() {
        let mut keeper = Keeper::default();
        keeper.started(Instant(5), 9);
        assert_eq!(keeper.deadline(false, HUNG_MS), None);
        assert_eq!(keeper.deadline(true, HUNG_MS), Some(Instant(5).plus_ms(HUNG_MS)));
        keeper.answered(Instant(1_000_000));
        assert_eq!(keeper.deadline(true, HUNG_MS), Some(Instant(1_000_000).plus_ms(HUNG_MS)));
    }
}
