//! States in which nothing runs: `Down`, `Backoff`, `Ended`, `Failed`, `Skipped`.

use crate::{Event, State, Unit, step::Turn};

impl Unit {
    pub(crate) fn down(&mut self, turn: &mut Turn<'_>, event: Event) {
        match event {
            Event::Start => self.begin(turn),
            Event::Stop | Event::Reset => self.failures = 0,
            // Nothing runs that could re-read anything; the next start reads it.
            Event::Reload => {}
            // News of a life that has ended.
            Event::Spawned(_)
            | Event::Unmet(_, _)
            | Event::SpawnFailed(_, _)
            | Event::Executed(_)
            | Event::Ready(_)
            | Event::Exited(_, _)
            | Event::Emptied(_)
            | Event::CommandEnded(_, _, _)
            | Event::Unhealthy(_)
            | Event::Healthy(_)
            | Event::Reloading(_)
            | Event::Stopping(_)
            | Event::Extend(_, _)
            | Event::Ping(_)
            | Event::Trigger(_)
            | Event::WatchdogInterval(_, _) => {}
            // It waits for no time.
            Event::DeadlinePassed => {}
        }
    }

    /// `Backoff`, `Ended`, `Failed`, `Skipped`: something forbids a start.
    pub(crate) fn resting(&mut self, event: Event) {
        match event {
            // What forbids it has not gone away; `Reset` takes it away.
            Event::Start => {}
            Event::Stop | Event::Reset => {
                self.failures = 0;
                self.state = State::Down;
            }
            // The end of a back-off: the others have no deadline. The failures stay counted.
            Event::DeadlinePassed => self.state = State::Down,
            // Nothing runs that could re-read anything; the next start reads it.
            Event::Reload => {}
            // News of a life that has ended.
            Event::Spawned(_)
            | Event::Unmet(_, _)
            | Event::SpawnFailed(_, _)
            | Event::Executed(_)
            | Event::Ready(_)
            | Event::Exited(_, _)
            | Event::Emptied(_)
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
}
