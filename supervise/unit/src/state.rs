//! Where a unit stands. Data lives in the state; there are no flags beside it.

use crate::{Exit, Incarnation, Instant, SpawnError};

/// One service's life. Small and `Copy`: it is what the state table publishes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Unit {
    /// Where it stands.
    pub state: State,
    /// The current life, or the last one; 0 before the first.
    pub incarnation: Incarnation,
    /// Ends in a row that were followed by a restart without being ready for long.
    pub failures: u32,
    /// Why it last went down, if it ever was up or starting.
    pub last: Option<Cause>,
}

/// The states. Each says what its next event can be.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Nothing runs, nothing is wanted. (A oneshot: not done, or undone.)
    Down,
    /// The main process was asked for, and its program is not known to be executed yet.
    Spawning {
        /// When the start has taken too long.
        deadline: Instant,
    },
    /// Its program runs, and it is not ready yet.
    Starting {
        /// When the start has taken too long.
        deadline: Instant,
    },
    /// Up. (A oneshot: done, and no process runs.)
    Up {
        /// When it became ready.
        since: Instant,
        /// Its health probes fail.
        degraded: bool,
        /// It is re-reading its configuration, until this deadline.
        reloading: Option<Instant>,
        /// It must ping before this.
        watchdog: Option<Instant>,
    },
    /// On its way down.
    Stopping {
        /// How far.
        stage: Stage,
        /// When the next stage begins.
        deadline: Instant,
        /// What comes after.
        next: Next,
    },
    /// The main process ended; leftovers are being removed.
    Cleaning {
        /// When SIGKILL is sent again.
        deadline: Instant,
        /// What comes after.
        next: Next,
    },
    /// Leftovers are gone; the finish command runs.
    Finishing {
        /// When it is killed; again and again, until it is dead.
        deadline: Instant,
        /// What comes after.
        next: Next,
    },
    /// Waits before the next start.
    Backoff {
        /// Until when.
        until: Instant,
    },
    /// Ended, and its policy says to leave it so; `Unit::last` says how.
    Failed,
    /// Not started, because this condition does not hold.
    Skipped {
        /// Index into the service's conditions.
        condition: u8,
    },
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stage {
    /// The stop command runs.
    Command,
    /// The stop signal was sent.
    Signal,
    /// SIGKILL was sent.
    Kill,
}

/// What follows once a process is gone.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Next {
    /// Stay down.
    Down,
    /// Start at once (a restart that was asked for).
    Start,
    /// What the restart policy says of the cause in `Unit::last`.
    Policy,
}

/// Why a service went down.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Cause {
    /// It was stopped on purpose.
    Stopped,
    /// It ended by itself.
    Exited(Exit),
    /// It could not be spawned.
    Spawn(SpawnError),
    /// It was not ready in time.
    StartTimeout,
    /// It did not ping its watchdog.
    Watchdog,
    /// Its health probes failed.
    Unhealthy,
    /// Its finish command said (status 125) that starting again is of no use.
    Permanent,
}
