//! What a service's file says about its life, and nothing else of it.

/// The part of a service's definition that decides.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Policy {
    /// Longrun, oneshot or bundle.
    pub kind: Kind,
    /// When it counts as up, if it is a longrun.
    pub readiness: Readiness,
    /// From spawn to ready, at most.
    pub start_timeout_ms: u32,
    /// From the stop command to the stop signal, if there is a command; and from the stop signal
    /// to SIGKILL.
    pub stop_timeout_ms: u32,
    /// From its start to SIGKILL for the finish or the reload command.
    pub command_timeout_ms: u32,
    /// Whom stopping reaches.
    pub kill: Kill,
    /// Has a command that stops it, or for a oneshot undoes it; run only if it was up.
    pub stop_command: bool,
    /// Has a command to run after each death.
    pub finish_command: bool,
    /// How it re-reads its configuration.
    pub reload: Reload,
    /// After which ends it is started again.
    pub restart: Restart,
    /// The delay of the second restart in a row; the first is at once, each further one waits
    /// twice as long. A spawn that failed is never tried again at once.
    pub backoff_min_ms: u32,
    /// The longest delay; up for this long, and the count starts anew.
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

/// When a longrun counts as up. A oneshot does once its process has exited with status 0.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Readiness {
    /// As soon as its program has been executed.
    Exec,
    /// When the shell says so: a notification or a successful probe.
    Signal,
}

/// Whom stopping reaches.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kill {
    /// The main process alone; the rest of the cgroup lives on, by design.
    Process,
    /// Every process of the cgroup: a stop signal to all of them, and after an ordered stop they
    /// have the whole timeout; after a failure, SIGKILL once the main process is gone.
    Cgroup,
    /// The stop signal to the main process; SIGKILL to all that are left once it is gone.
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
    /// After any but exit status 0, which leaves it `Ended`.
    OnFailure,
    /// After none: `Ended` or `Failed`. Only a spawn that failed for want of resources is tried
    /// again, because then nothing has run.
    Never,
}

impl Policy {
    /// Stopping must leave nothing in the cgroup.
    pub(crate) const fn sweeps(&self) -> bool {
        match self.kill {
            Kill::Process => false,
            Kill::Cgroup | Kill::Mixed => true,
        }
    }

    /// It may be ready by a probe.
    pub(crate) const fn probes_readiness(&self) -> bool {
        matches!((self.kind, self.readiness), (Kind::Longrun, Readiness::Signal))
    }

    /// It is probed while up.
    pub(crate) const fn probes_health(&self) -> bool {
        self.health && matches!(self.kind, Kind::Longrun)
    }

    /// How long to wait before the restart that follows so many `failures` in a row.
    pub(crate) fn backoff_ms(&self, failures: u32) -> u32 {
        let Some(doublings) = failures.checked_sub(2) else { return 0 };
        let min = u64::from(self.backoff_min_ms.max(BACKOFF_FLOOR_MS));
        let max = u64::from(self.backoff_max_ms.max(BACKOFF_FLOOR_MS));
        let delay = 1_u64.checked_shl(doublings).map_or(max, |factor| min.saturating_mul(factor));
        u32::try_from(delay.min(max)).unwrap_or(u32::MAX)
    }
}

/// Whatever a file says, a service that dies at once must not spin.
const BACKOFF_FLOOR_MS: u32 = 10;
