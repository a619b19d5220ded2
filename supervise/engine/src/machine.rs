//! The machine: its memory, its ways in, and the loop that carries one change to all it concerns.
//!
//! What a service does next depends on its goal, its unit and a few neighbours (`decide`). It is
//! looked at when its own goal or unit has changed, or when the one that it waits on has: nobody
//! else's change can matter to it. Looking is a loop over a list, never a call within a call.

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};

use graph::{Graph, ServiceId};
use unit::{Action, Alive, Event, Instant, Policy, State, Unit};

use crate::{
    Goal, Wait,
    decide::{Decision, Look},
    policy::policy_of,
    relations::{Relations, ids, position},
};

/// What a record keeps of a service; everything else follows from it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Saved {
    /// Its life.
    pub unit: Unit,
    /// What is wanted of it.
    pub goal: Goal,
}

/// The order of a whole graph.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) relations: Relations,
    nodes: Vec<Node>,
    /// Pairs of whom is waited on, and who waits.
    waiters: BTreeSet<(ServiceId, ServiceId)>,
    timers: BTreeSet<(Instant, ServiceId)>,
    /// To be looked at, in order of index: what a look at one service depends on, a failure down
    /// the line of its dependencies, has then been looked at before.
    work: BTreeSet<ServiceId>,
    /// Not published yet.
    changes: VecDeque<ServiceId>,
    /// Not carried out yet.
    actions: VecDeque<(ServiceId, Action)>,
    /// A shutdown has begun, and shall be over by then.
    pub(crate) shutdown: Option<Instant>,
    /// Units of which something runs, or is about to.
    pub(crate) running: usize,
    /// Units on their way up or down.
    pub(crate) moving: usize,
    examined: u64,
}

/// One service.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) policy: Policy,
    pub(crate) unit: Unit,
    pub(crate) goal: Goal,
    pub(crate) wait: Wait,
    /// It waits to start on something that has failed, perhaps through others.
    pub(crate) stuck: bool,
    /// The neighbour at which the last look ended: the next one begins there.
    pub(crate) cursor: usize,
    changed: bool,
}

impl Engine {
    /// Every service of `graph`, down.
    #[must_use]
    pub fn new(graph: &Graph) -> Self {
        let node = |service| Node {
            policy: policy_of(service),
            unit: Unit::new(),
            goal: Goal::Down,
            wait: Wait::Nothing,
            stuck: false,
            cursor: 0,
            changed: false,
        };
        Self {
            relations: Relations::new(graph),
            nodes: graph.services.iter().map(node).collect(),
            waiters: BTreeSet::new(),
            timers: BTreeSet::new(),
            work: BTreeSet::new(),
            changes: VecDeque::new(),
            actions: VecDeque::new(),
            shutdown: None,
            running: 0,
            moving: 0,
            examined: 0,
        }
    }

    /// Goes on from records: after a crash of the shell, or with the records that a new graph has
    /// taken over from the old one. A service without a record is down, and not wanted.
    ///
    /// What was in flight is asked for again. A shutdown must be begun again by the caller.
    #[must_use]
    pub fn resume(
        graph: &Graph,
        saved: &[Saved],
        alive: impl Fn(ServiceId) -> Alive,
        now: Instant,
    ) -> Self {
        let mut engine = Self::new(graph);
        for ((id, node), saved) in ids().zip(&mut engine.nodes).zip(saved) {
            node.unit = saved.unit;
            node.goal = saved.goal;
            let actions = node.unit.resume(&node.policy, now, alive(id));
            engine.actions.extend(actions.iter().map(|action| (id, action)));
            engine.running = engine.running.saturating_add(usize::from(is_running(node.unit)));
            engine.moving = engine.moving.saturating_add(usize::from(is_moving(node.unit)));
            engine.timers.extend(node.unit.deadline().map(|at| (at, id)));
        }
        engine.want_what_is_required();
        for id in engine.ids() {
            engine.changed(id);
        }
        engine.settle(now);
        engine
    }

    /// Something happened to `id`.
    pub fn handle(&mut self, now: Instant, id: ServiceId, event: Event) {
        self.step(now, id, event);
        self.settle(now);
    }

    /// Time has passed: call it when [`Engine::deadline`] has come. Too early does no harm.
    pub fn tick(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.timers.first() {
            if at > now {
                break;
            }
            self.handle(now, id, Event::DeadlinePassed);
        }
    }

    /// Ends everything, whatever else was wanted or is asked for from now on; starts in flight
    /// are stopped. Where `deadline` passes first, [`Engine::shutdown_over`] says so; to look then
    /// is up to the caller, [`Engine::deadline`] does not name it.
    pub fn shutdown(&mut self, now: Instant, deadline: Instant) {
        self.shutdown = Some(self.shutdown.map_or(deadline, |earlier| earlier.min(deadline)));
        for id in self.ids().rev() {
            self.aim(id, Goal::Down);
        }
        self.settle(now);
    }

    /// When [`Engine::tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// A service whose record is out of date. All of them are to be published, in this order,
    /// before the first action is carried out; then a crash loses nothing.
    pub fn next_change(&mut self) -> Option<ServiceId> {
        let id = self.changes.pop_front()?;
        if let Some(node) = self.node_mut(id) {
            node.changed = false;
        }
        Some(id)
    }

    /// What is to be done next, and to whom.
    pub fn next_action(&mut self) -> Option<(ServiceId, Action)> {
        self.actions.pop_front()
    }

    /// How many services have been looked at so far, and neighbours in doing so: the engine's own
    /// measure of its work.
    #[must_use]
    pub const fn examined(&self) -> u64 {
        self.examined
    }

    pub(crate) fn node(&self, id: ServiceId) -> Option<&Node> {
        self.nodes.get(position(id))
    }

    fn node_mut(&mut self, id: ServiceId) -> Option<&mut Node> {
        self.nodes.get_mut(position(id))
    }

    /// Every service, in order of index.
    pub(crate) fn ids(&self) -> impl DoubleEndedIterator<Item = ServiceId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(ServiceId)
    }

    /// Sets a goal.
    pub(crate) fn aim(&mut self, id: ServiceId, goal: Goal) {
        let Some(node) = self.node_mut(id) else { return };
        if node.goal != goal {
            node.goal = goal;
            self.changed(id);
        }
    }

    /// Tells a unit.
    pub(crate) fn step(&mut self, now: Instant, id: ServiceId, event: Event) {
        let Some(node) = self.node_mut(id) else { return };
        let before = node.unit;
        let actions = node.unit.step(&node.policy, now, event);
        let after = node.unit;
        self.actions.extend(actions.iter().map(|action| (id, action)));
        if before == after {
            return;
        }
        self.running = recount(self.running, is_running(before), is_running(after));
        self.moving = recount(self.moving, is_moving(before), is_moving(after));
        if before.deadline() != after.deadline() {
            if let Some(at) = before.deadline() {
                self.timers.remove(&(at, id));
            }
            self.timers.extend(after.deadline().map(|at| (at, id)));
        }
        self.changed(id);
    }

    /// Looks at everyone whom something concerns, until nothing more follows.
    pub(crate) fn settle(&mut self, now: Instant) {
        while let Some(id) = self.work.pop_first() {
            self.examine(now, id);
        }
    }

    fn examine(&mut self, now: Instant, id: ServiceId) {
        let Look { decision, seen } = self.decide(id);
        let seen_too = u64::try_from(seen).unwrap_or(u64::MAX);
        self.examined = self.examined.saturating_add(seen_too).saturating_add(1);
        match decision {
            Decision::Rest => self.wait(id, Wait::Nothing),
            Decision::Wait(wait) => {
                self.advance(id, wait, seen);
                self.wait(id, wait);
            }
            Decision::Order(event) => {
                self.wait(id, Wait::Nothing);
                self.step(now, id, event);
            }
            Decision::Aim(goal) => {
                self.wait(id, Wait::Nothing);
                self.aim(id, goal);
            }
        }
    }

    /// The next look begins at the neighbour that is waited on now.
    fn advance(&mut self, id: ServiceId, wait: Wait, passed: usize) {
        let around = match wait {
            Wait::Requires(_) | Wait::Order(_) => self.relations.dependencies(id).len(),
            Wait::Dependent(_) => self.relations.dependents(id).len(),
            Wait::Conflict(_) | Wait::Nothing => return,
        };
        let Some(node) = self.node_mut(id) else { return };
        // A cursor of the other list, from before a change of goal, begins this one anew.
        let from = if node.cursor < around { node.cursor } else { 0 };
        node.cursor = from.saturating_add(passed).checked_rem(around).unwrap_or(0);
    }

    fn wait(&mut self, id: ServiceId, wait: Wait) {
        let stuck = self.is_stuck_by(wait);
        let Some(node) = self.node_mut(id) else { return };
        let before = (node.wait, node.stuck);
        node.wait = wait;
        node.stuck = stuck;
        if before.0 != wait {
            if let Some(whom) = before.0.on() {
                self.waiters.remove(&(whom, id));
            }
            self.waiters.extend(wait.on().map(|whom| (whom, id)));
            self.publish(id);
        }
        if before.1 != stuck {
            self.wake(id);
        }
    }

    /// The record of `id` is out of date, and it and who waits on it must be looked at.
    fn changed(&mut self, id: ServiceId) {
        self.publish(id);
        self.work.insert(id);
        self.wake(id);
    }

    fn publish(&mut self, id: ServiceId) {
        let Some(node) = self.node_mut(id) else { return };
        if !node.changed {
            node.changed = true;
            self.changes.push_back(id);
        }
    }

    fn wake(&mut self, id: ServiceId) {
        let all = (id, ServiceId(0))..=(id, ServiceId(u32::MAX));
        self.work.extend(self.waiters.range(all).map(|(_, who)| *who));
    }

    /// A new graph may require more of what was up before than the old one did.
    fn want_what_is_required(&mut self) {
        for id in self.ids().rev() {
            if self.node(id).is_some_and(|node| node.goal == Goal::Down) {
                continue;
            }
            let required: Vec<_> = self.relations.required(id).collect();
            for required in required {
                if self.node(required).is_some_and(|node| node.goal == Goal::Down) {
                    self.aim(required, Goal::Up);
                }
            }
        }
        for id in self.ids() {
            if self.node(id).is_some_and(|node| node.goal == Goal::Up) {
                let goal = self.goal_to_be_up(id, |_| false);
                self.aim(id, goal);
            }
        }
    }
}

const fn is_running(unit: Unit) -> bool {
    !unit.state.is_idle()
}

const fn is_moving(unit: Unit) -> bool {
    match unit.state {
        State::Spawning { .. }
        | State::Starting { .. }
        | State::Stopping { .. }
        | State::Finishing { .. }
        | State::Cleaning { .. } => true,
        State::Down
        | State::Up { .. }
        | State::Backoff { .. }
        | State::Ended
        | State::Failed
        | State::Skipped { .. } => false,
    }
}

fn recount(count: usize, before: bool, after: bool) -> usize {
    count.saturating_sub(usize::from(before)).saturating_add(usize::from(after))
}
