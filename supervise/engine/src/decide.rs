//! What one service does next, seen from its goal, its unit, and its neighbours. It decides, and
//! changes nothing.

use graph::ServiceId;
use unit::{Event, State, Unit};

use crate::{
    Engine, Goal, Wait,
    machine::Node,
    relations::{Edge, Strength},
};

/// See [`Engine::decide`].
pub(crate) enum Decision {
    /// Nothing is to be done, now.
    Rest,
    /// Something is to be done, but not before this one has changed.
    Wait(Wait),
    /// Tell its unit.
    Order(Event),
    /// Its goal is reached, and this is the next.
    Aim(Goal),
}

impl Engine {
    /// What `id` does next, and at which dependency the look ended.
    pub(crate) fn decide(&self, id: ServiceId) -> (Decision, usize) {
        let Some(node) = self.node(id) else { return (Decision::Rest, 0) };
        match node.goal {
            Goal::Up => self.decide_up(id, node),
            Goal::Down => (self.decide_down(id, node), 0),
            Goal::Renew if node.unit.state.is_idle() => (Decision::Aim(Goal::Up), 0),
            Goal::Renew => (self.decide_down(id, node), 0),
        }
    }

    fn decide_up(&self, id: ServiceId, node: &Node) -> (Decision, usize) {
        match node.unit.state {
            State::Down => match self.blocks_start(id, node.cursor) {
                Some((cursor, wait)) => (Decision::Wait(wait), cursor),
                None => (Decision::Order(Event::Start), 0),
            },
            // On its way, or there.
            State::Spawning { .. } | State::Starting { .. } | State::Up { .. } => {
                (Decision::Rest, 0)
            }
            // It is looked at again when it is down.
            State::Stopping { .. } | State::Finishing { .. } | State::Cleaning { .. } => {
                (Decision::Rest, 0)
            }
            // Time, or a person, must act first.
            State::Backoff { .. } | State::Ended | State::Failed | State::Skipped { .. } => {
                (Decision::Rest, 0)
            }
        }
    }

    fn decide_down(&self, id: ServiceId, node: &Node) -> Decision {
        match node.unit.state {
            State::Down => Decision::Rest,
            State::Spawning { .. } | State::Starting { .. } | State::Up { .. } => {
                match self.blocks_stop(id) {
                    Some(dependent) => Decision::Wait(Wait::Dependent(dependent)),
                    None => Decision::Order(Event::Stop),
                }
            }
            // It is looked at again when it is down, or what its policy makes of it.
            State::Stopping { .. } | State::Finishing { .. } | State::Cleaning { .. } => {
                Decision::Rest
            }
            // Nothing runs: no dependent can mind.
            State::Backoff { .. } | State::Ended | State::Failed | State::Skipped { .. } => {
                Decision::Order(Event::Stop)
            }
        }
    }

    /// The first that forbids a start of `id`, looking at all dependencies from `cursor` around.
    fn blocks_start(&self, id: ServiceId, cursor: usize) -> Option<(usize, Wait)> {
        let dependencies = self.relations.dependencies(id);
        let (before, from) = dependencies.split_at_checked(cursor).unwrap_or((dependencies, &[]));
        let around = (cursor..).zip(from).chain((0..).zip(before));
        let blocking = |(at, edge): (usize, &Edge)| Some((at, self.blocks(*edge)?));
        around.into_iter().find_map(blocking).or_else(|| {
            let mut conflicts = self.relations.conflicts(id).iter();
            let conflict = conflicts.find(|other| !self.is_idle(**other))?;
            Some((0, Wait::Conflict(*conflict)))
        })
    }

    fn blocks(&self, edge: Edge) -> Option<Wait> {
        match edge.strength {
            Strength::Requires if self.is_available(edge.to) => None,
            Strength::Requires => Some(Wait::Requires(edge.to)),
            Strength::Wants | Strength::After if self.is_settled(edge.to) => None,
            Strength::Wants | Strength::After => Some(Wait::Order(edge.to)),
        }
    }

    /// A dependent that must be down before `id` is stopped: whoever requires it, and whoever
    /// comes after it and is to go down as well.
    fn blocks_stop(&self, id: ServiceId) -> Option<ServiceId> {
        let holds = |edge: &&Edge| {
            let goes_down = || self.node(edge.to).is_some_and(|node| node.goal != Goal::Up);
            let minds = match edge.strength {
                Strength::Requires => true,
                Strength::Wants | Strength::After => goes_down(),
            };
            minds && !self.is_idle(edge.to)
        };
        self.relations.dependents(id).iter().find(holds).map(|edge| edge.to)
    }

    /// Whether a service that waits so waits for a failure to be mended. Who merely wants it need
    /// not wait as well.
    pub(crate) fn is_stuck_by(&self, wait: Wait) -> bool {
        let node = |id| self.node(id);
        match wait {
            Wait::Nothing | Wait::Order(_) | Wait::Dependent(_) => false,
            Wait::Requires(id) => node(id).is_none_or(|node| node.stuck || is_failing(&node.unit)),
            Wait::Conflict(id) => node(id).is_some_and(|node| node.goal == Goal::Up),
        }
    }

    /// What requires it may start: it is up, and not about to go.
    fn is_available(&self, id: ServiceId) -> bool {
        self.node(id).is_some_and(|node| node.goal == Goal::Up && node.unit.state.is_up())
    }

    /// What only wants it, or comes after it, need not wait: it is not to be up, it is up, or it
    /// has failed and may take its time.
    fn is_settled(&self, id: ServiceId) -> bool {
        self.node(id).is_none_or(|node| match node.goal {
            Goal::Down => true,
            Goal::Up => node.unit.state.is_up() || node.stuck || is_failing(&node.unit),
            Goal::Renew => false,
        })
    }

    fn is_idle(&self, id: ServiceId) -> bool {
        self.node(id).is_none_or(|node| node.unit.state.is_idle())
    }
}

/// It has failed, and has not been up since.
pub(crate) fn is_failing(unit: &Unit) -> bool {
    match unit.state {
        State::Backoff { .. } | State::Ended | State::Failed | State::Skipped { .. } => true,
        State::Up { .. } => false,
        State::Down
        | State::Spawning { .. }
        | State::Starting { .. }
        | State::Stopping { .. }
        | State::Finishing { .. }
        | State::Cleaning { .. } => unit.failures > 0,
    }
}
