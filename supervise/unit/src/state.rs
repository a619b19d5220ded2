//! Where a unit stands. Data lives in the state; there are no flags beside it.

use crate::{Command, Exit, Incarnation, Instant, SpawnError};

/// One service's life. Small and `Copy`: it is what the state table publishes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Unit {
    /// Where it stands.
    pub state: State,
    /// The current life, or the last one; 0 before the first.
    pub incarnation: Incarnation,
    /// Ends in a row that were followed by a restart without being up for long.
    pub failures: u32,
    /// Why the last life that ended did so.
    pub last: Option<Cause>,
    /// How the main process of this incarnation ended, once it has: the finish command is told.
    pub exit: Option<Exit>,
}

/// The states. Each says what its next event can be.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Nothing runs. It is started when the engine says so. (A oneshot: not done, or undone.)
    Down,
    /// The main process was asked for, and its program is not known to be executed yet.
    Spawning {
        /// The process has been made.
        exists: bool,
        /// When the start has taken too long.
        deadline: Instant,
    },
    /// Its program runs, and it is not ready yet.
    Starting {
        /// When the start has taken too long.
        deadline: Instant,
        /// How often it must ping once it is up, microseconds. 0: never.
        watchdog_us: u64,
    },
    /// Up. (A oneshot: done, and no process of ours runs.)
    Up {
        /// When it became ready.
        since: Instant,
        /// Its health probes fail.
        degraded: bool,
        /// Whether it is re-reading its configuration.
        reloading: Reloading,
        /// It must ping, if this is there.
        watchdog: Option<Watchdog>,
    },
    /// On its way down, by itself or because it must.
    Stopping {
        /// How far.
        stage: Stage,
        /// What still lives. Nothing, and it waits for the rest of its cgroup.
        left: Left,
        /// When the next stage begins; SIGKILL is then repeated.
        deadline: Instant,
        /// What comes after.
        next: Next,
    },
    /// All of it is gone; the finish command runs.
    Finishing {
        /// When it is killed; again and again, until it is dead.
        deadline: Instant,
        /// What comes after.
        next: Next,
    },
    /// What the finish command left in the cgroup is being killed.
    Cleaning {
        /// When SIGKILL is sent again.
        deadline: Instant,
        /// What comes after.
        next: Next,
    },
    /// Nothing runs, and nothing may be started yet.
    Backoff {
        /// Until when.
        until: Instant,
    },
    /// Ended by itself with success, and its policy says to leave it so.
    Ended,
    /// Ended badly, and its policy says to leave it so; [`Unit::last`] says how.
    Failed,
    /// Not started, because this condition does not hold.
    Skipped {
        /// Index into the service's conditions.
        condition: u8,
    },
}

/// Whether a service that is up is re-reading its configuration.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reloading {
    /// No.
    No,
    /// It said so (`RELOADING=1`), and has not said `READY=1` since.
    Announced {
        /// When this is taken to be over.
        until: Instant,
    },
    /// Its reload command runs.
    Command {
        /// When that is killed.
        deadline: Instant,
        /// It was asked for again since, so it must run again.
        again: bool,
    },
    /// No: its last reload command has failed. Until the next reload, or the next life.
    Failed {
        /// How the command ended.
        exit: Exit,
    },
}

/// A promise to ping.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Watchdog {
    /// The longest silence, microseconds.
    pub every_us: u64,
    /// When that is over.
    pub until: Instant,
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stage {
    /// A reload command was in the way, and has been killed; the stop begins once it is dead.
    Interrupt,
    /// The stop command runs.
    Command,
    /// The stop signal was sent, or it said itself that it stops.
    Signal,
    /// SIGKILL was sent.
    Kill,
}

/// What still lives of a service that goes down, beside unnamed processes in its cgroup.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Left {
    /// The main process.
    pub main: Main,
    /// The command that runs, or was killed and is not known to be dead.
    pub command: Option<Command>,
}

/// What is known of a main process that shall go.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Main {
    /// It was asked for; whether it was made is not known yet.
    Asked,
    /// It lives.
    Alive,
    /// There is none.
    Gone,
}

/// What follows once everything is gone.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Next {
    /// Down, as ordered. Whether it is started again is for the engine to say.
    Down,
    /// What the restart policy says of the cause in [`Unit::last`].
    Policy,
}

/// Why a life ended.
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

impl Unit {
    /// A unit that never ran.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Down,
            incarnation: Incarnation(0),
            failures: 0,
            last: None,
            exit: None,
        }
    }

    /// When [`crate::Event::DeadlinePassed`] is due, if nothing else happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Down | State::Ended | State::Failed | State::Skipped { .. } => None,
            State::Spawning { deadline, .. }
            | State::Starting { deadline, .. }
            | State::Stopping { deadline, .. }
            | State::Finishing { deadline, .. }
            | State::Cleaning { deadline, .. } => Some(deadline),
            State::Backoff { until } => Some(until),
            State::Up { reloading, watchdog, .. } => {
                let reload = match reloading {
                    Reloading::No | Reloading::Failed { .. } => None,
                    Reloading::Announced { until } => Some(until),
                    Reloading::Command { deadline, .. } => Some(deadline),
                };
                [reload, watchdog.map(|watchdog| watchdog.until)].into_iter().flatten().min()
            }
        }
    }
}

impl Default for Unit {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// No process of it runs, and none will before it is told to start.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        match self {
            Self::Down
            | Self::Backoff { .. }
            | Self::Ended
            | Self::Failed
            | Self::Skipped { .. } => true,
            Self::Spawning { .. }
            | Self::Starting { .. }
            | Self::Up { .. }
            | Self::Stopping { .. }
            | Self::Finishing { .. }
            | Self::Cleaning { .. } => false,
        }
    }

    /// What requires it may start.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

impl Left {
    /// Neither the main process nor a command lives.
    pub(crate) const fn is_nothing(self) -> bool {
        matches!((self.main, self.command), (Main::Gone, None))
    }
}
