//! What a service's file says about its life, and nothing else of it.

/// The part of a service's definition that decides.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Policy {
    /// Longrun, oneshot or bundle.
    pub kind: Kind,
    /// When it counts as up.
    pub readiness: Readiness,
    /// From spawn to ready, at most.
    pub start_timeout_ms: u32,
    /// From the stop signal or command to SIGKILL.
    pub stop_timeout_ms: u32,
    /// From its start to SIGKILL for the finish, reload or undo command.
    pub command_timeout_ms: u32,
    /// Whom stopping reaches.
    pub kill: Kill,
    /// Has a command that stops it (or, for a oneshot, undoes it).
    pub stop_command: bool,
    /// Has a command to run after each death.
    pub finish_command: bool,
    /// How it re-reads its configuration.
    pub reload: Reload,
    /// After which ends it is started again.
    pub restart: Restart,
    /// The delay of the second restart in a row; the first is at once.
    pub backoff_min_ms: u32,
    /// The longest delay; ready for this long, and the count starts anew.
    pub backoff_max_ms: u32,
    /// Silence for longer than this while up ends the process. 0: no watchdog.
    pub watchdog_ms: u32,
    /// Is probed while up.
    pub health: bool,
    /// A failing probe restarts it; otherwise it is only `degraded`.
    pub health_restarts: bool,
}

/// What kind of service.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// A process that runs until it is stopped.
    Longrun,
    /// A program that runs to its end.
    Oneshot,
    /// No process at all.
    Bundle,
}

/// When a service counts as up.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Readiness {
    /// As soon as its program has been executed.
    Exec,
    /// When the shell says so: a notification or a successful probe.
    Signal,
    /// When the main process has exited with status 0.
    Exit,
}

/// Whom stopping reaches.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kill {
    /// The main process alone.
    Process,
    /// Every process of the cgroup, from the first signal on.
    Cgroup,
    /// The main process; then SIGKILL to all that are left.
    Mixed,
}

/// How a service re-reads its configuration.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reload {
    /// It cannot.
    None,
    /// By a signal.
    Signal,
    /// By a command.
    Command,
}

/// After which ends a service is started again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Restart {
    /// After any.
    Always,
    /// After any but exit status 0.
    OnFailure,
    /// After none.
    Never,
}
