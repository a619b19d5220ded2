//! One service's life, from down to up and back, as a pure state machine.
//!
//! It knows no pid, no name, no clock and no other service: the shell tells it what happened,
//! `engine` tells it what to do, and it answers with actions. Everything it remembers is in
//! [`Unit`], which is small, `Copy`, and published in the state table after each step; so a new
//! supervisor goes on exactly where the last one was killed ([`Unit::resume`]).
//!
//! **Invariants:** never two incarnations at once (I1); every state that waits has a deadline
//! (I2); a restart waits for its back-off (I6); the same events make the same actions (I8).

#![no_std]
#![forbid(unsafe_code)]

mod event;
mod policy;
mod state;

pub use event::{Action, Actions, Command, Event, Exit, SpawnError, Step};
pub use policy::{Kill, Kind, Policy, Readiness, Reload, Restart};
pub use state::{Cause, Next, Stage, State, Unit};

/// Microseconds on a clock that never goes back (CLOCK_MONOTONIC).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Instant(pub u64);

impl Instant {
    /// So many milliseconds later.
    #[must_use]
    pub const fn after_ms(self, ms: u32) -> Self {
        // `u64::from` is not const; a u32 always fits.
        #[expect(clippy::as_conversions, reason = "widening, in a const fn")]
        Self(self.0.saturating_add((ms as u64).saturating_mul(1000)))
    }
}

/// Counts the lives of one service, from 1; what a dead incarnation says is not heard.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Incarnation(pub u32);
