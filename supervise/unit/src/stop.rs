//! `Stopping`: everything of a life that must go before anything else may happen.
//!
//! In this order: a reload command in the way is killed; the stop command runs; the stop signal;
//! SIGKILL, repeated. Whatever the stage: once neither the main process nor a command is left, the
//! rest of the cgroup goes (unless it may stay), and then the finish command's turn has come.

use crate::{
    Action, Cause, Command, Event, Exit, Instant, Kill, Left, Main, Next, Stage, State, Unit,
    step::Turn,
};

impl Unit {
    pub(crate) fn stopping(
        &mut self,
        turn: &mut Turn<'_>,
        stage: Stage,
        left: Left,
        deadline: Instant,
        next: Next,
        event: Event,
    ) {
        match event {
            Event::Stop | Event::Reset => {
                self.failures = 0;
                self.state = State::Stopping { stage, left, deadline, next: Next::Down };
            }
            Event::Spawned(_) | Event::Executed(_) => match left.main {
                // The order to stop overtook the spawn: what was decided then is done now.
                Main::Asked => {
                    self.enter(turn, stage, Left { main: Main::Alive, ..left }, next);
                }
                Main::Alive | Main::Gone => {}
            },
            // There was no program, and will be none.
            Event::Unmet(_, _) | Event::SpawnFailed(_, _) => match left.main {
                Main::Asked | Main::Alive => self.main_gone(turn, stage, left, deadline, next),
                Main::Gone => {}
            },
            Event::Exited(_, exit) => match left.main {
                Main::Asked | Main::Alive => {
                    self.exit = Some(exit);
                    self.learn(exit);
                    self.main_gone(turn, stage, left, deadline, next);
                }
                Main::Gone => {}
            },
            Event::CommandEnded(_, command, _) if left.command == Some(command) => {
                self.command_gone(turn, stage, left, deadline, next);
            }
            // Of a command that ended before.
            Event::CommandEnded(_, _, _) => {}
            Event::Emptied(_) if left.is_nothing() => self.finish(turn, next),
            // Before the last of them ended, it says nothing of what they leave behind.
            Event::Emptied(_) => {}
            Event::Extend(_, us) => match stage {
                Stage::Command | Stage::Signal => {
                    let deadline = turn.extended(deadline, us);
                    self.state = State::Stopping { stage, left, deadline, next };
                }
                // The time to ask is over.
                Stage::Interrupt | Stage::Kill => {}
            },
            Event::DeadlinePassed => self.stop_deadline(turn, stage, left, next),
            // The engine starts it again once it is down.
            Event::Start => {}
            // Whatever it says or a probe finds: it has to go.
            Event::Reload
            | Event::Ready(_)
            | Event::Unhealthy(_)
            | Event::Healthy(_)
            | Event::Reloading(_)
            | Event::Stopping(_)
            | Event::Ping(_)
            | Event::Trigger(_)
            | Event::WatchdogInterval(_, _) => {}
        }
    }

    /// Goes to `stage`, and does what begins it.
    pub(crate) fn enter(&mut self, turn: &mut Turn<'_>, stage: Stage, left: Left, next: Next) {
        let deadline = match stage {
            Stage::Command | Stage::Signal => turn.now.after_ms(turn.policy.stop_timeout_ms),
            Stage::Interrupt | Stage::Kill => turn.kill_again(),
        };
        self.state = State::Stopping { stage, left, deadline, next };
        self.perform(turn, stage, left);
    }

    /// What `stage` asks for; repeating it does no harm.
    pub(crate) fn perform(&self, turn: &mut Turn<'_>, stage: Stage, left: Left) {
        let reaches_all = turn.policy.kill == Kill::Cgroup;
        match (stage, left.main) {
            (Stage::Interrupt, _) => turn.actions.push(Action::KillCommand),
            (Stage::Command, _) => turn.actions.push(Action::Run(self.incarnation, Command::Stop)),
            (Stage::Signal, Main::Alive | Main::Gone) if reaches_all => {
                turn.actions.push(Action::SignalAll);
            }
            (Stage::Signal, Main::Alive) => turn.actions.push(Action::SignalMain),
            // Nobody to signal, or not yet: `Spawned` will bring us here again.
            (Stage::Signal, Main::Asked | Main::Gone) => {}
            (Stage::Kill, _) if turn.policy.sweeps() => turn.actions.push(Action::KillAll),
            (Stage::Kill, Main::Alive) => turn.actions.push(Action::KillMain),
            (Stage::Kill, Main::Asked | Main::Gone) => {}
        }
        match stage {
            Stage::Interrupt | Stage::Command => {}
            Stage::Signal | Stage::Kill => {
                if left.command.is_some() {
                    turn.actions.push(Action::KillCommand);
                }
                if left.is_nothing() {
                    turn.actions.push(Action::WatchEmpty);
                }
            }
        }
    }

    /// The stop command if there is one, else the signal.
    pub(crate) fn stop_by_command(&mut self, turn: &mut Turn<'_>, left: Left) {
        if turn.policy.stop_command {
            let left = Left { command: Some(Command::Stop), ..left };
            self.enter(turn, Stage::Command, left, Next::Down);
        } else {
            self.stop_by_signal(turn, left, Next::Down);
        }
    }

    /// The stop signal to those who get one, if there are any.
    pub(crate) fn stop_by_signal(&mut self, turn: &mut Turn<'_>, left: Left, next: Next) {
        match (left.main, turn.policy.kill) {
            (Main::Asked | Main::Alive, _) | (Main::Gone, Kill::Cgroup) => {
                self.enter(turn, Stage::Signal, left, next);
            }
            (Main::Gone, Kill::Process | Kill::Mixed) => self.sweep(turn, left, next),
        }
    }

    /// It goes down because something is wrong with it; the policy says what comes after.
    pub(crate) fn fail(&mut self, turn: &mut Turn<'_>, cause: Cause, main: Main) {
        let command = self.leave(turn);
        let left = Left { main, command };
        self.last = Some(cause);
        if cause == Cause::Watchdog {
            // Not the stop signal, which it would take in good order: it is to leave a core.
            turn.actions.push(Action::AbortMain);
            self.watch_it_go(turn, left);
        } else {
            self.enter(turn, Stage::Signal, left, Next::Policy);
        }
    }

    /// It said that it stops, by itself.
    pub(crate) fn leaves(&mut self, turn: &mut Turn<'_>) {
        let command = self.leave(turn);
        // How it ends is learnt when it does.
        self.last = Some(Cause::Exited(Exit::Lost));
        self.watch_it_go(turn, Left { main: Main::Alive, command });
    }

    /// No stop signal is needed; it has as long as if it had got one.
    fn watch_it_go(&mut self, turn: &mut Turn<'_>, left: Left) {
        let deadline = turn.now.after_ms(turn.policy.stop_timeout_ms);
        let (stage, next) = (Stage::Signal, Next::Policy);
        self.state = State::Stopping { stage, left, deadline, next };
        if left.command.is_some() {
            turn.actions.push(Action::KillCommand);
        }
    }

    /// The main process ended by itself.
    pub(crate) fn ended(&mut self, turn: &mut Turn<'_>, exit: Exit) {
        let command = self.leave(turn);
        self.exit = Some(exit);
        self.last = Some(Cause::Exited(exit));
        self.sweep(turn, Left { main: Main::Gone, command }, Next::Policy);
    }

    /// An ordered stop is nobody's failure.
    pub(crate) const fn ordered_down(&mut self) {
        self.failures = 0;
        self.last = Some(Cause::Stopped);
    }

    /// The main process of a service that is stopping is gone.
    fn main_gone(
        &mut self,
        turn: &mut Turn<'_>,
        stage: Stage,
        left: Left,
        deadline: Instant,
        next: Next,
    ) {
        let left = Left { main: Main::Gone, ..left };
        let in_good_order = next == Next::Down && turn.policy.kill == Kill::Cgroup;
        match stage {
            // The command goes on: it may have more to do than to end the process.
            Stage::Command => self.state = State::Stopping { stage, left, deadline, next },
            // The others got the stop signal too, and have the time that is left.
            Stage::Signal if in_good_order => self.wait(turn, stage, left, deadline, next),
            Stage::Signal | Stage::Interrupt => self.sweep(turn, left, next),
            Stage::Kill => self.wait(turn, stage, left, deadline, next),
        }
    }

    /// A command of a service that is stopping is gone.
    fn command_gone(
        &mut self,
        turn: &mut Turn<'_>,
        stage: Stage,
        left: Left,
        deadline: Instant,
        next: Next,
    ) {
        let left = Left { command: None, ..left };
        match stage {
            Stage::Interrupt => self.stop_by_command(turn, left),
            Stage::Command => self.stop_by_signal(turn, left, next),
            Stage::Signal | Stage::Kill => self.wait(turn, stage, left, deadline, next),
        }
    }

    /// Waits on in the same stage for what is left.
    fn wait(
        &mut self,
        turn: &mut Turn<'_>,
        stage: Stage,
        left: Left,
        deadline: Instant,
        next: Next,
    ) {
        if !left.is_nothing() {
            self.state = State::Stopping { stage, left, deadline, next };
        } else if turn.policy.sweeps() {
            self.state = State::Stopping { stage, left, deadline, next };
            turn.actions.push(Action::WatchEmpty);
        } else {
            self.finish(turn, next);
        }
    }

    /// Kills what is left, if anything can be.
    fn sweep(&mut self, turn: &mut Turn<'_>, left: Left, next: Next) {
        if left.is_nothing() && !turn.policy.sweeps() {
            self.finish(turn, next);
        } else {
            self.enter(turn, Stage::Kill, left, next);
        }
    }

    fn stop_deadline(&mut self, turn: &mut Turn<'_>, stage: Stage, left: Left, next: Next) {
        match stage {
            Stage::Interrupt => self.enter(turn, Stage::Interrupt, left, next),
            Stage::Command => self.stop_by_signal(turn, left, next),
            Stage::Signal | Stage::Kill => self.enter(turn, Stage::Kill, left, next),
        }
    }

    /// Now it is known how a process ended that said it would.
    fn learn(&mut self, exit: Exit) {
        if let Some(Cause::Exited(_)) = self.last {
            self.last = Some(Cause::Exited(exit));
        }
    }
}
