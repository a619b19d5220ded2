//! One event, one step: who hears it. What then happens is in the file of its state.

use crate::{Actions, Event, Instant, Policy, State, Unit};

/// SIGKILL is repeated after this long, as s6 does: a process in an uninterruptible wait dies
/// only when that ends, and one that was forked meanwhile did not get the first.
pub(crate) const KILL_AGAIN_MS: u32 = 5_000;

/// Time that never ends is no deadline: this is the longest that a process may ask for at once.
const EXTEND_MAX_US: u64 = 3_600_000_000;

/// What one step works with.
pub(crate) struct Turn<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) now: Instant,
    pub(crate) actions: Actions,
}

impl Unit {
    /// Takes in `event`, and says what is to be done about it.
    ///
    /// Total: any event may come in any state, late, twice, or never.
    pub fn step(&mut self, policy: &Policy, now: Instant, event: Event) -> Actions {
        let mut turn = Turn { policy, now, actions: Actions::none() };
        if self.hears(now, event) {
            // The exec pipe and what the program says are read in any order. A program that
            // speaks has been executed.
            if event.is_from_program() {
                self.executed(&mut turn);
            }
            self.dispatch(&mut turn, event);
        }
        turn.actions
    }

    /// False for news of another life, and for a deadline that has been moved.
    fn hears(&self, now: Instant, event: Event) -> bool {
        match event.incarnation() {
            Some(incarnation) => incarnation == self.incarnation,
            None if event == Event::DeadlinePassed => {
                self.deadline().is_some_and(|deadline| deadline <= now)
            }
            None => true,
        }
    }

    fn dispatch(&mut self, turn: &mut Turn<'_>, event: Event) {
        match self.state {
            State::Down => self.down(turn, event),
            State::Spawning { exists, .. } => self.spawning(turn, exists, event),
            State::Starting { deadline, watchdog_us } => {
                self.starting(turn, deadline, watchdog_us, event);
            }
            State::Up { .. } => self.up(turn, event),
            State::Stopping { stage, left, deadline, next } => {
                self.stopping(turn, stage, left, deadline, next, event);
            }
            State::Finishing { next, .. } => self.finishing(turn, next, event),
            State::Cleaning { next, .. } => self.cleaning(turn, next, event),
            State::Backoff { .. } | State::Ended | State::Failed | State::Skipped { .. } => {
                self.resting(event)
            }
        }
    }
}

impl Turn<'_> {
    /// The deadline that a process asked for; never earlier than what it had.
    pub(crate) fn extended(&self, deadline: Instant, us: u64) -> Instant {
        deadline.max(self.now.after_us(us.min(EXTEND_MAX_US)))
    }

    /// When SIGKILL is repeated.
    pub(crate) const fn kill_again(&self) -> Instant {
        self.now.after_ms(KILL_AGAIN_MS)
    }
}
