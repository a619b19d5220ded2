//! From `Down` to ready: `Spawning` and `Starting`.

use crate::{
    Action, Cause, Event, Incarnation, Instant, Kind, Left, Main, Next, Readiness, State, Unit,
    step::Turn,
};

impl Unit {
    /// A new life.
    pub(crate) fn begin(&mut self, turn: &mut Turn<'_>) {
        self.incarnation = Incarnation(self.incarnation.0.wrapping_add(1));
        self.exit = None;
        match turn.policy.kind {
            Kind::Longrun | Kind::Oneshot => {
                // Bounds the wait for the spawn itself; counted anew once the process exists.
                let deadline = turn.now.after_ms(turn.policy.start_timeout_ms);
                self.state = State::Spawning { exists: false, deadline };
                turn.actions.push(Action::Spawn(self.incarnation));
            }
            Kind::Bundle => self.become_up(turn, 0),
        }
    }

    pub(crate) fn spawning(&mut self, turn: &mut Turn<'_>, exists: bool, event: Event) {
        let main = if exists { Main::Alive } else { Main::Asked };
        match event {
            Event::Stop => self.stop_start(turn, main),
            Event::Reset => self.failures = 0,
            Event::Spawned(_) => self.spawned(turn),
            Event::Unmet(_, condition) => self.state = State::Skipped { condition },
            Event::SpawnFailed(_, error) => {
                // No program ran: nothing to clean, and nothing for the finish command to do.
                self.last = Some(Cause::Spawn(error));
                self.settle(turn, Next::Policy);
            }
            Event::DeadlinePassed => self.fail(turn, Cause::StartTimeout, main),
            // It is on its way up.
            Event::Start => {}
            // It will read its configuration when it is executed.
            Event::Reload => {}
            // Taken as `Executed` first, which left this state.
            Event::Executed(_)
            | Event::Ready(_)
            | Event::Exited(_, _)
            | Event::Reloading(_)
            | Event::Stopping(_)
            | Event::Extend(_, _)
            | Event::Ping(_)
            | Event::Trigger(_)
            | Event::WatchdogInterval(_, _) => {}
            // Nothing is watched, run or probed yet.
            Event::Emptied(_)
            | Event::CommandEnded(_, _, _)
            | Event::Unhealthy(_)
            | Event::Healthy(_) => {}
        }
    }

    /// The process exists: now the time counts that it has to get ready.
    pub(crate) fn spawned(&mut self, turn: &mut Turn<'_>) {
        if let State::Spawning { exists: false, .. } = self.state {
            let deadline = turn.now.after_ms(turn.policy.start_timeout_ms);
            self.state = State::Spawning { exists: true, deadline };
        }
    }

    /// `Spawning` is over: the program runs. Says nothing new in any other state.
    pub(crate) fn executed(&mut self, turn: &mut Turn<'_>) {
        let State::Spawning { deadline, .. } = self.state else { return };
        let watchdog_us = u64::from(turn.policy.watchdog_ms).saturating_mul(1000);
        match (turn.policy.kind, turn.policy.readiness) {
            (Kind::Longrun, Readiness::Exec) => self.become_up(turn, watchdog_us),
            (Kind::Longrun, Readiness::Signal) => {
                self.state = State::Starting { deadline, watchdog_us };
                turn.actions.push(Action::ProbeReady(self.incarnation));
            }
            (Kind::Oneshot, _) => self.state = State::Starting { deadline, watchdog_us: 0 },
            // A bundle is never in `Spawning`.
            (Kind::Bundle, _) => {}
        }
    }

    pub(crate) fn starting(
        &mut self,
        turn: &mut Turn<'_>,
        deadline: Instant,
        watchdog_us: u64,
        event: Event,
    ) {
        match event {
            Event::Stop => self.stop_start(turn, Main::Alive),
            Event::Reset => self.failures = 0,
            Event::Ready(_) => match turn.policy.kind {
                Kind::Longrun => self.become_up(turn, watchdog_us),
                // A oneshot is done when it has exited, whatever it says before.
                Kind::Oneshot | Kind::Bundle => {}
            },
            Event::Exited(_, exit) => match turn.policy.kind {
                Kind::Oneshot if exit.is_success() => {
                    self.exit = Some(exit);
                    self.become_up(turn, 0);
                }
                Kind::Longrun | Kind::Oneshot | Kind::Bundle => self.ended(turn, exit),
            },
            Event::DeadlinePassed => self.fail(turn, Cause::StartTimeout, Main::Alive),
            Event::Extend(_, us) => {
                let deadline = turn.extended(deadline, us);
                self.state = State::Starting { deadline, watchdog_us };
            }
            Event::WatchdogInterval(_, us) => {
                self.state = State::Starting { deadline, watchdog_us: us };
            }
            Event::Stopping(_) => self.leaves(turn),
            // It is on its way up.
            Event::Start => {}
            // A program that is not ready cannot be told to re-read anything.
            Event::Reload | Event::Reloading(_) => {}
            // The watchdog begins when it is up.
            Event::Ping(_) | Event::Trigger(_) => {}
            // Nothing new: it has been executed.
            Event::Spawned(_)
            | Event::Unmet(_, _)
            | Event::SpawnFailed(_, _)
            | Event::Executed(_) => {}
            // Nothing is watched or run yet, and health is probed once it is up.
            Event::Emptied(_)
            | Event::CommandEnded(_, _, _)
            | Event::Unhealthy(_)
            | Event::Healthy(_) => {}
        }
    }

    /// An ordered stop before it was up. The stop command is not run, because it talks to a
    /// service that is up (as in systemd).
    fn stop_start(&mut self, turn: &mut Turn<'_>, main: Main) {
        let command = self.leave(turn);
        self.ordered_down();
        self.stop_by_signal(turn, Left { main, command }, Next::Down);
    }
}
