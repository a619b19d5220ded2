//! `Up`: reload, watchdog, health, and the ways out of it.

use crate::{
    Action, Cause, Command, Event, Exit, Instant, Kind, Left, Main, Next, Reload, Reloading, Stage,
    State, Unit, Watchdog, step::Turn,
};

impl Unit {
    /// It is ready now.
    pub(crate) fn become_up(&mut self, turn: &mut Turn<'_>, watchdog_us: u64) {
        self.end_probes(turn);
        self.state = State::Up {
            since: turn.now,
            degraded: false,
            reloading: Reloading::No,
            watchdog: promise(turn.now, watchdog_us),
        };
        if turn.policy.probes_health() {
            turn.actions.push(Action::ProbeHealth(self.incarnation));
        }
    }

    pub(crate) fn up(&mut self, turn: &mut Turn<'_>, event: Event) {
        match turn.policy.kind {
            Kind::Longrun => self.up_longrun(turn, event),
            Kind::Oneshot | Kind::Bundle => self.up_without_process(turn, event),
        }
    }

    fn up_longrun(&mut self, turn: &mut Turn<'_>, event: Event) {
        let State::Up { degraded, reloading, watchdog, .. } = &mut self.state else { return };
        match event {
            Event::Stop => self.stop_up(turn, Main::Alive),
            Event::Reset => self.failures = 0,
            Event::Reload => self.reload(turn),
            Event::Ready(_) => {
                if let Reloading::Announced { .. } = *reloading {
                    *reloading = Reloading::No;
                }
            }
            Event::Exited(_, exit) => self.ended(turn, exit),
            Event::CommandEnded(_, Command::Reload, exit) => self.reload_ended(turn, exit),
            Event::Unhealthy(_) if turn.policy.health_restarts => {
                self.fail(turn, Cause::Unhealthy, Main::Alive);
            }
            Event::Unhealthy(_) => *degraded = true,
            Event::Healthy(_) => *degraded = false,
            Event::Reloading(_) => match *reloading {
                Reloading::No | Reloading::Failed { .. } | Reloading::Announced { .. } => {
                    let until = turn.now.after_ms(turn.policy.start_timeout_ms);
                    *reloading = Reloading::Announced { until };
                }
                // Its command causes it, and the command's end ends it.
                Reloading::Command { .. } => {}
            },
            Event::Stopping(_) => self.leaves(turn),
            Event::Extend(_, us) => {
                if let Reloading::Announced { until } = reloading {
                    *until = turn.extended(*until, us);
                }
            }
            Event::Ping(_) => {
                *watchdog = watchdog.and_then(|watchdog| promise(turn.now, watchdog.every_us));
            }
            Event::WatchdogInterval(_, us) => *watchdog = promise(turn.now, us),
            Event::Trigger(_) => self.fail(turn, Cause::Watchdog, Main::Alive),
            Event::DeadlinePassed => self.up_deadline(turn),
            // It is there.
            Event::Start => {}
            // Nothing new: it has been executed.
            Event::Spawned(_)
            | Event::Unmet(_, _)
            | Event::SpawnFailed(_, _)
            | Event::Executed(_) => {}
            // Its cgroup is not watched, and no such command runs, while it is up.
            Event::Emptied(_) | Event::CommandEnded(_, Command::Stop | Command::Finish, _) => {}
        }
    }

    /// A oneshot that is done, or a bundle: there is nobody to talk to.
    fn up_without_process(&mut self, turn: &mut Turn<'_>, event: Event) {
        match event {
            Event::Stop => self.stop_up(turn, Main::Gone),
            Event::Reset => self.failures = 0,
            Event::Reload => self.reload(turn),
            Event::CommandEnded(_, Command::Reload, exit) => self.reload_ended(turn, exit),
            Event::DeadlinePassed => self.up_deadline(turn),
            // It is there.
            Event::Start => {}
            // Late or repeated news of the process that did it.
            Event::Spawned(_)
            | Event::Unmet(_, _)
            | Event::SpawnFailed(_, _)
            | Event::Executed(_)
            | Event::Ready(_)
            | Event::Exited(_, _)
            | Event::Reloading(_)
            | Event::Stopping(_)
            | Event::Extend(_, _)
            | Event::Ping(_)
            | Event::Trigger(_)
            | Event::WatchdogInterval(_, _) => {}
            // Nothing is watched or probed, and no such command runs, while it is up.
            Event::Emptied(_)
            | Event::CommandEnded(_, Command::Stop | Command::Finish, _)
            | Event::Unhealthy(_)
            | Event::Healthy(_) => {}
        }
    }

    fn reload(&mut self, turn: &mut Turn<'_>) {
        let State::Up { reloading, .. } = &mut self.state else { return };
        match (turn.policy.reload, turn.policy.kind) {
            // A service that answers with `RELOADING=1` is then waited for; any other is done.
            (Reload::Signal, Kind::Longrun) => {
                // A command has failed before a new graph had it be a signal.
                if let Reloading::Failed { .. } = reloading {
                    *reloading = Reloading::No;
                }
                turn.actions.push(Action::SignalReload);
            }
            (Reload::Command, Kind::Longrun | Kind::Oneshot) => match reloading {
                // It may have read what has changed since.
                Reloading::Command { again, .. } => *again = true,
                Reloading::No | Reloading::Failed { .. } | Reloading::Announced { .. } => {
                    let deadline = turn.now.after_ms(turn.policy.command_timeout_ms);
                    *reloading = Reloading::Command { deadline, again: false };
                    turn.actions.push(Action::Run(self.incarnation, Command::Reload));
                }
            },
            (Reload::None, _) | (Reload::Signal, Kind::Oneshot) | (_, Kind::Bundle) => {}
        }
    }

    fn reload_ended(&mut self, turn: &mut Turn<'_>, exit: Exit) {
        let State::Up { reloading, .. } = &mut self.state else { return };
        match *reloading {
            Reloading::Command { again, .. } => {
                *reloading = match exit.is_success() {
                    true => Reloading::No,
                    false => Reloading::Failed { exit },
                };
                // The next run's end counts.
                if again {
                    self.reload(turn);
                }
            }
            // Told twice.
            Reloading::No | Reloading::Failed { .. } | Reloading::Announced { .. } => {}
        }
    }

    fn up_deadline(&mut self, turn: &mut Turn<'_>) {
        let State::Up { reloading, watchdog, .. } = &mut self.state else { return };
        if watchdog.is_some_and(|watchdog| watchdog.until <= turn.now) {
            self.fail(turn, Cause::Watchdog, Main::Alive);
            return;
        }
        match *reloading {
            Reloading::No | Reloading::Failed { .. } => {}
            Reloading::Announced { .. } => *reloading = Reloading::No,
            Reloading::Command { again, .. } => {
                *reloading = Reloading::Command { deadline: turn.kill_again(), again };
                turn.actions.push(Action::KillCommand);
            }
        }
    }

    /// An ordered stop of what is up.
    fn stop_up(&mut self, turn: &mut Turn<'_>, main: Main) {
        let command = self.leave(turn);
        self.ordered_down();
        let left = Left { main, command };
        match (turn.policy.kind, command) {
            (Kind::Bundle, _) => self.state = State::Down,
            (Kind::Longrun | Kind::Oneshot, Some(_)) => {
                self.enter(turn, Stage::Interrupt, left, Next::Down);
            }
            (Kind::Longrun | Kind::Oneshot, None) => self.stop_by_command(turn, left),
        }
    }

    /// What ends with `Starting` or `Up`, whatever comes next: probes, and the count of failures
    /// if it was up for long. Says which command runs.
    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>) -> Option<Command> {
        self.end_probes(turn);
        let State::Up { since, reloading, .. } = self.state else { return None };
        if since.after_ms(turn.policy.backoff_max_ms) <= turn.now {
            self.failures = 0;
        }
        match reloading {
            Reloading::Command { .. } => Some(Command::Reload),
            Reloading::No | Reloading::Failed { .. } | Reloading::Announced { .. } => None,
        }
    }

    fn end_probes(&self, turn: &mut Turn<'_>) {
        let probed = match self.state {
            State::Starting { .. } => turn.policy.probes_readiness(),
            State::Up { .. } => turn.policy.probes_health(),
            State::Down
            | State::Spawning { .. }
            | State::Stopping { .. }
            | State::Finishing { .. }
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Ended
            | State::Failed
            | State::Skipped { .. } => false,
        };
        if probed {
            turn.actions.push(Action::ProbeNot);
        }
    }
}

/// To ping every `every_us` microseconds from `now` on; 0 is no promise.
fn promise(now: Instant, every_us: u64) -> Option<Watchdog> {
    (every_us > 0).then(|| Watchdog { every_us, until: now.after_us(every_us) })
}
