//! One service's life, from down to up and back, as a pure state machine.
//!
//! It knows no pid, no name, no clock and no other service: the shell tells it what happened,
//! `engine` tells it what to do, and it answers with actions. It goes down by itself, as its
//! policy says; up it goes only when told. Everything it remembers is in [`Unit`], which is small,
//! `Copy`, and published in the state table after each step; so a new supervisor goes on exactly
//! where the last one was killed ([`Unit::resume`]).
//!
//! **Invariants:** never two incarnations at once (I1); every state that waits has a deadline
//! (I2); a restart waits for its back-off (I6); the same events make the same actions (I8).

#![no_std]
#![forbid(unsafe_code)]

mod action;
mod after;
mod event;
mod policy;
mod rest;
mod resume;
mod start;
mod state;
mod step;
mod stop;
mod up;

pub use action::{Action, Actions};
pub use event::{Command, Event, Exit, SpawnError, Step};
pub use policy::{Kill, Kind, Policy, Readiness, Reload, Restart};
pub use resume::{Alive, Process};
pub use state::{Cause, Left, Main, Next, Reloading, Stage, State, Unit, Watchdog};

/// Microseconds on a clock that never goes back (CLOCK_MONOTONIC).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Instant(pub u64);

impl Instant {
    /// So many milliseconds later.
    #[must_use]
    pub const fn after_ms(self, ms: u32) -> Self {
        // `u64::from` is not const; a u32 always fits.
        #[expect(clippy::as_conversions, reason = "widening, in a const fn")]
        self.after_us((ms as u64).saturating_mul(1000))
    }

    /// So many microseconds later.
    #[must_use]
    pub const fn after_us(self, us: u64) -> Self {
        Self(self.0.saturating_add(us))
    }
}

/// Counts the lives of one service, from 1; what a dead incarnation says is not heard.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Incarnation(pub u32);
