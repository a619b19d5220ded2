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

/// What follows for one service, and how many of its neighbours it took to see that.
pub(crate) struct Look {
    pub(crate) decision: Decision,
    pub(crate) seen: usize,
}

impl From<Decision> for Look {
    fn from(decision: Decision) -> Self {
        Self { decision, seen: 0 }
    }
}

impl Engine {
    /// What `id` does next.
    pub(crate) fn decide(&self, id: ServiceId) -> Look {
        let Some(node) = self.node(id) else { return Decision::Rest.into() };
        match node.goal {
            Goal::Up => self.decide_up(id, node),
            Goal::Down => self.decide_down(id, node),
            Goal::Renew if node.unit.state.is_idle() => Decision::Aim(Goal::Up).into(),
            Goal::Renew => self.decide_down(id, node),
        }
    }

    fn decide_up(&self, id: ServiceId, node: &Node) -> Look {
        match node.unit.state {
            State::Down => self.look_before_start(id, node.cursor),
            // On its way, or there.
            State::Spawning { .. } | State::Starting { .. } | State::Up { .. } => {
                Decision::Rest.into()
            }
            // It is looked at again when it is down.
            State::Stopping { .. } | State::Finishing { .. } | State::Cleaning { .. } => {
                Decision::Rest.into()
            }
            // Time, or a person, must act first.
            State::Backoff { .. } | State::Ended | State::Failed | State::Skipped { .. } => {
                Decision::Rest.into()
            }
        }
    }

    fn decide_down(&self, id: ServiceId, node: &Node) -> Look {
        match node.unit.state {
            State::Down => Decision::Rest.into(),
            State::Spawning { .. } | State::Starting { .. } | State::Up { .. } => {
                self.look_before_stop(id, node.cursor)
            }
            // It is looked at again when it is down, or what its policy makes of it.
            State::Stopping { .. } | State::Finishing { .. } | State::Cleaning { .. } => {
                Decision::Rest.into()
            }
            // Nothing runs: no dependent can mind.
            State::Backoff { .. } | State::Ended | State::Failed | State::Skipped { .. } => {
                Decision::Order(Event::Stop).into()
            }
        }
    }

    fn look_before_start(&self, id: ServiceId, cursor: usize) -> Look {
        let dependencies = self.relations.dependencies(id);
        match first_around(dependencies, cursor, |edge| self.blocks(*edge)) {
            Some((seen, wait)) => Look { decision: Decision::Wait(wait), seen },
            None => {
                let mut conflicts = self.relations.conflicts(id).iter();
                let decision = match conflicts.find(|other| !self.is_idle(**other)) {
                    Some(other) => Decision::Wait(Wait::Conflict(*other)),
                    None => Decision::Order(Event::Start),
                };
                Look { decision, seen: dependencies.len() }
            }
        }
    }

    fn look_before_stop(&self, id: ServiceId, cursor: usize) -> Look {
        let dependents = self.relations.dependents(id);
        match first_around(dependents, cursor, |edge| self.minds(*edge)) {
            Some((seen, wait)) => Look { decision: Decision::Wait(wait), seen },
            None => Look { decision: Decision::Order(Event::Stop), seen: dependents.len() },
        }
    }

    fn blocks(&self, edge: Edge) -> Option<Wait> {
        match edge.strength {
            Strength::Requires if self.is_available(edge.to) => None,
            Strength::Requires => Some(Wait::Requires(edge.to)),
            Strength::Wants | Strength::After if self.is_settled(edge.to) => None,
            Strength::Wants | Strength::After => Some(Wait::Order(edge.to)),
        }
    }

    /// Whether a dependent must be down before the service is stopped: it requires it, or comes
    /// after it and is to go down as well.
    fn minds(&self, edge: Edge) -> Option<Wait> {
        let concerned = match edge.strength {
            Strength::Requires => true,
            Strength::Wants | Strength::After => {
                self.node(edge.to).is_some_and(|node| node.goal != Goal::Up)
            }
        };
        (concerned && !self.is_idle(edge.to)).then_some(Wait::Dependent(edge.to))
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

/// The first hit among all of `edges`, from the one at `cursor` around, and how many were passed.
///
/// The next look begins where this one ended: so a service with ten thousand dependencies that
/// come up one by one looks at each of them twice, and not ten thousand times.
fn first_around(
    edges: &[Edge],
    cursor: usize,
    hit: impl Fn(&Edge) -> Option<Wait>,
) -> Option<(usize, Wait)> {
    let (before, from) = edges.split_at_checked(cursor).unwrap_or((edges, &[]));
    let mut around = from.iter().chain(before).enumerate();
    around.find_map(|(passed, edge)| Some((passed, hit(edge)?)))
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
