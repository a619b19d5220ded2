//! A new supervisor goes on where the last one was killed.

use crate::{
    Action, Actions, Command, Event, Exit, Instant, Left, Main, Policy, Reloading, SpawnError,
    Stage, State, Step, Unit, step::Turn,
};

/// What a new supervisor found of the processes that the record names.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Alive {
    /// The main process.
    pub main: Process,
    /// It runs its own program, not the supervisor's image any more.
    pub executed: bool,
    /// The stop, reload or finish command.
    pub command: Process,
}

/// What became of a process that was asked for.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Process {
    /// Its pid word is 0: it was never made.
    #[default]
    Never,
    /// It was made, and is gone. How, is told as an event, as if there had been no crash.
    Gone,
    /// It lives.
    Alive,
}

impl Unit {
    /// Asks again for everything that the last supervisor may have died before doing.
    ///
    /// An action is at least once, never at most once: to repeat a signal, a kill, a watch or a
    /// probe is harmless, and a process is made again only if it was never made.
    pub fn resume(&mut self, policy: &Policy, now: Instant, alive: Alive) -> Actions {
        let mut turn = Turn { policy, now, actions: Actions::none() };
        match self.state {
            State::Down
            | State::Backoff { .. }
            | State::Ended
            | State::Failed
            | State::Skipped { .. } => {}
            State::Spawning { .. } => self.resume_spawning(&mut turn, alive),
            State::Starting { .. } => {
                if policy.probes_readiness() {
                    turn.actions.push(Action::ProbeReady(self.incarnation));
                }
            }
            State::Up { reloading, .. } => self.resume_up(&mut turn, reloading, alive),
            State::Stopping { stage, left, .. } => {
                self.resume_stopping(&mut turn, stage, left, alive);
            }
            State::Finishing { .. } => self.run_if_never(&mut turn, alive, Command::Finish),
            State::Cleaning { .. } => {
                turn.actions.push(Action::KillAll);
                turn.actions.push(Action::WatchEmpty);
            }
        }
        turn.actions
    }

    fn resume_spawning(&mut self, turn: &mut Turn<'_>, alive: Alive) {
        match alive.main {
            Process::Never => {
                turn.actions.push(Action::Spawn(self.incarnation));
                return;
            }
            // It may not have been told yet. It asks for nothing.
            Process::Gone | Process::Alive => self.spawned(turn),
        }
        match (alive.main, alive.executed) {
            // Its end will be told.
            (Process::Never | Process::Gone, _) => {}
            (Process::Alive, true) => self.executed(turn),
            // Its error pipe went with the last supervisor, so nobody would learn whether its
            // program is ever executed. It ends, and is made again.
            (Process::Alive, false) => turn.actions.push(Action::KillMain),
        }
    }

    fn resume_up(&self, turn: &mut Turn<'_>, reloading: Reloading, alive: Alive) {
        if turn.policy.probes_health() {
            turn.actions.push(Action::ProbeHealth(self.incarnation));
        }
        if let Reloading::Command { .. } = reloading {
            self.run_if_never(turn, alive, Command::Reload);
        }
    }

    fn resume_stopping(&mut self, turn: &mut Turn<'_>, stage: Stage, left: Left, alive: Alive) {
        match (left.main, alive.main) {
            (Main::Asked, Process::Never) => {
                // What was never made will not be made any more.
                let canceled = SpawnError { step: Step::Clone, errno: ECANCELED };
                let event = Event::SpawnFailed(self.incarnation, canceled);
                turn.actions = self.step(turn.policy, turn.now, event);
                return;
            }
            (Main::Asked, Process::Gone | Process::Alive) => {
                let event = Event::Spawned(self.incarnation);
                turn.actions = self.step(turn.policy, turn.now, event);
                return;
            }
            (Main::Alive | Main::Gone, _) => {}
        }
        if let (Some(command), Process::Never) = (left.command, alive.command) {
            if stage != Stage::Command {
                // It was overtaken before it was made, and will not be made any more.
                let event = Event::CommandEnded(self.incarnation, command, Exit::Lost);
                turn.actions = self.step(turn.policy, turn.now, event);
                return;
            }
        }
        match stage {
            Stage::Command => self.run_if_never(turn, alive, Command::Stop),
            Stage::Interrupt | Stage::Signal | Stage::Kill => self.perform(turn, stage, left),
        }
    }

    fn run_if_never(&self, turn: &mut Turn<'_>, alive: Alive, command: Command) {
        match alive.command {
            Process::Never => turn.actions.push(Action::Run(self.incarnation, command)),
            Process::Gone | Process::Alive => {}
        }
    }
}

/// The kernel's number for "operation canceled".
const ECANCELED: u16 = 125;
