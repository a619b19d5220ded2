//! After the end: the finish command, what it leaves behind, and what comes next.

use crate::{Action, Cause, Command, Event, Exit, Next, Restart, State, Unit, step::Turn};

/// The exit status by which a finish command says that a restart is of no use (as in s6).
const PERMANENT: Exit = Exit::Code(125);

/// What the policy says of an end.
enum Verdict {
    Retry,
    End,
    Fail,
}

impl Unit {
    /// Nothing of this life is left but what may stay. The finish command runs if a program ran.
    pub(crate) fn finish(&mut self, turn: &mut Turn<'_>, next: Next) {
        if turn.policy.finish_command && self.exit.is_some() {
            let deadline = turn.now.after_ms(turn.policy.command_timeout_ms);
            self.state = State::Finishing { deadline, next };
            turn.actions.push(Action::Run(self.incarnation, Command::Finish));
        } else {
            self.settle(turn, next);
        }
    }

    pub(crate) fn finishing(&mut self, turn: &mut Turn<'_>, next: Next, event: Event) {
        match event {
            Event::Stop | Event::Reset => self.no_policy(),
            Event::CommandEnded(_, Command::Finish, exit) => {
                if exit == PERMANENT && next == Next::Policy {
                    self.last = Some(Cause::Permanent);
                }
                if turn.policy.sweeps() {
                    self.clean(turn, next);
                } else {
                    self.settle(turn, next);
                }
            }
            Event::DeadlinePassed => {
                self.state = State::Finishing { deadline: turn.kill_again(), next };
                turn.actions.push(Action::KillCommand);
            }
            // The engine starts it again once it is down.
            Event::Start => {}
            // Of a command that ended before.
            Event::CommandEnded(_, Command::Stop | Command::Reload, _) => {}
            // The life that it is about has ended.
            Event::Reload
            | Event::Spawned(_)
            | Event::Unmet(_, _)
            | Event::SpawnFailed(_, _)
            | Event::Executed(_)
            | Event::Ready(_)
            | Event::Exited(_, _)
            | Event::Emptied(_)
            | Event::Unhealthy(_)
            | Event::Healthy(_)
            | Event::Reloading(_)
            | Event::Stopping(_)
            | Event::Extend(_, _)
            | Event::Ping(_)
            | Event::Trigger(_)
            | Event::WatchdogInterval(_, _) => {}
        }
    }

    pub(crate) fn cleaning(&mut self, turn: &mut Turn<'_>, next: Next, event: Event) {
        match event {
            Event::Stop | Event::Reset => self.no_policy(),
            Event::Emptied(_) => self.settle(turn, next),
            Event::DeadlinePassed => self.clean(turn, next),
            // The engine starts it again once it is down.
            Event::Start => {}
            // The life that it is about has ended.
            Event::Reload
            | Event::Spawned(_)
            | Event::Unmet(_, _)
            | Event::SpawnFailed(_, _)
            | Event::Executed(_)
            | Event::Ready(_)
            | Event::Exited(_, _)
            | Event::CommandEnded(_, _, _)
            | Event::Unhealthy(_)
            | Event::Healthy(_)
            | Event::Reloading(_)
            | Event::Stopping(_)
            | Event::Extend(_, _)
            | Event::Ping(_)
            | Event::Trigger(_)
            | Event::WatchdogInterval(_, _) => {}
        }
    }

    /// Nothing of this life is left at all.
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>, next: Next) {
        let verdict = match next {
            Next::Down => None,
            Next::Policy => Some(self.verdict(turn.policy.restart)),
        };
        self.state = match verdict {
            None => State::Down,
            Some(Verdict::End) => State::Ended,
            Some(Verdict::Fail) => State::Failed,
            Some(Verdict::Retry) => {
                self.failures = self.failures.saturating_add(1);
                // What could not be spawned just now will not be at once: no first retry for free.
                let unspawned = u32::from(matches!(self.last, Some(Cause::Spawn(_))));
                match turn.policy.backoff_ms(self.failures.saturating_add(unspawned)) {
                    0 => State::Down,
                    delay => State::Backoff { until: turn.now.after_ms(delay) },
                }
            }
        };
    }

    fn clean(&mut self, turn: &mut Turn<'_>, next: Next) {
        self.state = State::Cleaning { deadline: turn.kill_again(), next };
        turn.actions.push(Action::KillAll);
        turn.actions.push(Action::WatchEmpty);
    }

    /// What was a failure has been answered by an order.
    const fn no_policy(&mut self) {
        self.failures = 0;
        if let State::Finishing { next, .. } | State::Cleaning { next, .. } = &mut self.state {
            *next = Next::Down;
        }
    }

    fn verdict(&self, restart: Restart) -> Verdict {
        let (success, transient) = match self.last {
            Some(Cause::Permanent) => return Verdict::Fail,
            Some(Cause::Exited(exit)) => (exit.is_success(), false),
            Some(Cause::Spawn(error)) => (false, error.is_transient()),
            Some(Cause::Stopped | Cause::StartTimeout | Cause::Watchdog | Cause::Unhealthy)
            | None => (false, false),
        };
        match (restart, success) {
            (Restart::Always, _) | (Restart::OnFailure, false) => Verdict::Retry,
            (Restart::OnFailure | Restart::Never, true) => Verdict::End,
            (Restart::Never, false) if transient => Verdict::Retry,
            (Restart::Never, false) => Verdict::Fail,
        }
    }
}
