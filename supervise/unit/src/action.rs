//! What a unit can ask for.

use crate::{Command, Incarnation};

/// What a unit asks of the shell.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// Make the main process, the pid word having been cleared with the record of this step;
    /// answered by `Spawned`, `Unmet` or `SpawnFailed`, later `Executed`. If the unit has meanwhile
    /// left `Spawning`, the shell need not begin: it answers `SpawnFailed` with ECANCELED.
    Spawn(Incarnation),
    /// Run a command in the service's cgroup, the command's pid word having been cleared with the
    /// record of this step; answered by `CommandEnded`, always. At most one runs at a time.
    Run(Incarnation, Command),
    /// Send the stop signal to the main process.
    SignalMain,
    /// Send the stop signal to every process of the cgroup, the main process among them.
    SignalAll,
    /// Send the reload signal to the main process.
    SignalReload,
    /// SIGABRT to the main process: its watchdog ran out, so leave a core.
    AbortMain,
    /// SIGKILL to the main process.
    KillMain,
    /// SIGKILL to the running command.
    KillCommand,
    /// SIGKILL to every process of the cgroup.
    KillAll,
    /// Say `Emptied` once no process is left in the cgroup, at once if that is so now.
    WatchEmpty,
    /// Begin the readiness probes of this incarnation, if it is ready by a probe.
    ProbeReady(Incarnation),
    /// End other probes, and begin the health probes of this incarnation.
    ProbeHealth(Incarnation),
    /// End all probes.
    ProbeNot,
}

/// What one step asks for, in order. Bounded: a step never needs more.
#[must_use = "an action that is dropped is never carried out"]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Actions {
    list: [Option<Action>; Self::MAX],
}

impl Actions {
    /// The most that one step asks for.
    pub const MAX: usize = 6;

    /// Nothing to do.
    pub const fn none() -> Self {
        Self { list: [None; Self::MAX] }
    }

    /// Appends `action`.
    pub fn push(&mut self, action: Action) {
        let free = self.list.iter_mut().find(|slot| slot.is_none());
        debug_assert!(free.is_some(), "a step asked for more than Actions::MAX");
        if let Some(slot) = free {
            *slot = Some(action);
        }
    }

    /// In the order in which they are to be carried out.
    pub fn iter(&self) -> impl Iterator<Item = Action> + '_ {
        self.list.iter().flatten().copied()
    }
}
