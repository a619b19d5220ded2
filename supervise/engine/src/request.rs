//! What people ask for. One function works out what a request means; [`Engine::plan`] shows it,
//! [`Engine::request`] does it, so that the plan is what happens.

use alloc::{collections::BTreeSet, vec::Vec};

use graph::ServiceId;
use unit::{Event, Instant, Reload, State};

use crate::{Engine, Goal, relations::Strength};

/// What can be asked of services.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Request {
    /// Up, with all that they require and want; what conflicts with any of those goes down.
    /// Failures are forgotten, so that each is tried at once.
    Start,
    /// Down, after all that requires them.
    Stop,
    /// Down and up again. What is down or has failed is started.
    Restart {
        /// All that requires them goes down first, and comes up after; else nobody else moves.
        with_dependents: bool,
    },
    /// Let them re-read their configuration.
    Reload,
    /// Forget their failures: what failed and is wanted is tried at once.
    Reset,
}

/// What a request would do, in the order in which it would be begun.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// Would stop, or be waited for no longer, and stay down.
    pub stop: Vec<ServiceId>,
    /// Would stop, and start again.
    pub restart: Vec<ServiceId>,
    /// Would start, as soon as what it depends on is there.
    pub start: Vec<ServiceId>,
    /// Would re-read their configuration.
    pub reload: Vec<ServiceId>,
    /// Of those that stop: who goes, because whom it conflicts with comes. The dependents of the
    /// former are not listed here.
    pub conflicts: Vec<(ServiceId, ServiceId)>,
}

/// What a request means: in this order, any part of which, recorded alone, is consistent.
#[derive(Default)]
struct Meaning {
    goals: Vec<(ServiceId, Goal)>,
    orders: Vec<(ServiceId, Order)>,
    conflicts: Vec<(ServiceId, ServiceId)>,
}

/// What a request tells a unit whatever its goal.
#[derive(Clone, Copy)]
enum Order {
    Stop,
    Reload,
    Reset,
}

impl From<Order> for Event {
    fn from(order: Order) -> Self {
        match order {
            Order::Stop => Self::Stop,
            Order::Reload => Self::Reload,
            Order::Reset => Self::Reset,
        }
    }
}

impl Engine {
    /// Does what is asked. During a shutdown, nothing is.
    pub fn request(&mut self, now: Instant, request: Request, ids: &[ServiceId]) {
        let meaning = self.meaning(request, ids);
        for (id, goal) in meaning.goals {
            self.aim(id, goal);
        }
        for (id, order) in meaning.orders {
            self.step(now, id, order.into());
        }
        self.settle(now);
    }

    /// What [`Engine::request`] would do.
    #[must_use]
    pub fn plan(&self, request: Request, ids: &[ServiceId]) -> Plan {
        let meaning = self.meaning(request, ids);
        let mut plan = Plan { conflicts: meaning.conflicts, ..Plan::default() };
        let state = |id| self.node(id).map_or(State::Down, |node| node.unit.state);
        for (id, goal) in meaning.goals {
            match goal {
                Goal::Down => plan.stop.push(id),
                Goal::Renew if state(id).is_idle() => plan.start.push(id),
                Goal::Renew => plan.restart.push(id),
                Goal::Up if state(id).is_up() => {}
                Goal::Up => plan.start.push(id),
            }
        }
        plan.start.sort_unstable();
        let begun = plan.start.len();
        for (id, order) in meaning.orders {
            let state = state(id);
            let listed =
                plan.start.get(..begun).is_some_and(|begun| begun.binary_search(&id).is_ok());
            let failed = state.is_idle() && state != State::Down;
            match order {
                Order::Stop => plan.restart.push(id),
                Order::Reload if state.is_up() && self.can_reload(id) => plan.reload.push(id),
                Order::Reset if failed && !listed && self.aims_up(id) => plan.start.push(id),
                Order::Reload | Order::Reset => {}
            }
        }
        plan.start.sort_unstable();
        plan
    }

    fn meaning(&self, request: Request, ids: &[ServiceId]) -> Meaning {
        let mut meaning = Meaning::default();
        if self.shutdown.is_some() {
            return meaning;
        }
        let known = || ids.iter().copied().filter(|id| self.node(*id).is_some());
        match request {
            Request::Start => self.mean_start(&mut meaning, known()),
            Request::Stop => self.mean_down(&mut meaning, known(), Goal::Down),
            Request::Restart { with_dependents } => {
                let (up, down): (Vec<_>, Vec<_>) = known().partition(|id| self.aims_up(*id));
                if with_dependents {
                    self.mean_down(&mut meaning, up.into_iter(), Goal::Renew);
                } else {
                    meaning.orders.extend(up.into_iter().map(|id| (id, self.renewal(id))));
                }
                self.mean_start(&mut meaning, down.into_iter());
            }
            Request::Reload => meaning.orders.extend(known().map(|id| (id, Order::Reload))),
            Request::Reset => meaning.orders.extend(known().map(|id| (id, Order::Reset))),
        }
        meaning
    }

    fn mean_start(&self, meaning: &mut Meaning, ids: impl Iterator<Item = ServiceId>) {
        let up = self.closure(ids, |id, reach| {
            let edges = self.relations.dependencies(id).iter();
            reach.extend(edges.filter(|edge| edge.strength != Strength::After).map(|edge| edge.to));
        });
        for &comes in &up {
            for &goes in self.relations.conflicts(comes) {
                if !up.contains(&goes) && self.aims_up(goes) {
                    meaning.conflicts.push((goes, comes));
                }
            }
        }
        let go: Vec<_> = meaning.conflicts.iter().map(|(goes, _)| *goes).collect();
        self.mean_down(meaning, go.into_iter(), Goal::Down);
        // In order of index, so that what each requires has been seen before it.
        let mut renewed = BTreeSet::new();
        for &id in up.iter().filter(|id| !self.aims_up(**id)) {
            let goal = self.goal_to_be_up(id, |required| renewed.contains(&required));
            if goal == Goal::Renew {
                renewed.insert(id);
            }
            meaning.goals.push((id, goal));
        }
        meaning.orders.extend(up.iter().map(|id| (*id, Order::Reset)));
    }

    /// Dependents first.
    fn mean_down(&self, meaning: &mut Meaning, ids: impl Iterator<Item = ServiceId>, goal: Goal) {
        let down = self.closure(ids, |id, reach| {
            let edges = self.relations.dependents(id).iter();
            let requiring = edges.filter(|edge| edge.strength == Strength::Requires);
            reach.extend(requiring.map(|edge| edge.to));
        });
        let concerned = down.iter().rev().filter(|id| self.aims_up(**id));
        for &id in concerned {
            meaning.goals.push((id, goal));
            if goal == Goal::Renew {
                meaning.orders.push((id, Order::Reset));
            }
        }
    }

    /// `ids` and all that is reached from them.
    fn closure(
        &self,
        ids: impl Iterator<Item = ServiceId>,
        neighbours: impl Fn(ServiceId, &mut Vec<ServiceId>),
    ) -> BTreeSet<ServiceId> {
        let mut found = BTreeSet::new();
        let mut reach: Vec<_> = ids.collect();
        while let Some(id) = reach.pop() {
            if found.insert(id) {
                neighbours(id, &mut reach);
            }
        }
        found
    }

    /// What makes one service that is wanted start afresh.
    fn renewal(&self, id: ServiceId) -> Order {
        match self.node(id) {
            Some(node) if !node.unit.state.is_idle() => Order::Stop,
            Some(_) | None => Order::Reset,
        }
    }

    /// What is to be wanted of a service that shall be up. What it requires may be on its way down
    /// to come up again, and wait for it: then it goes down as well, should it still be up.
    pub(crate) fn goal_to_be_up(
        &self,
        id: ServiceId,
        will_be_renewed: impl Fn(ServiceId) -> bool,
    ) -> Goal {
        let is_renewed = |id| self.node(id).is_some_and(|node| node.goal == Goal::Renew);
        let mut required = self.relations.required(id);
        if required.any(|to| is_renewed(to) || will_be_renewed(to)) {
            Goal::Renew
        } else {
            Goal::Up
        }
    }

    fn aims_up(&self, id: ServiceId) -> bool {
        self.node(id).is_some_and(|node| node.goal != Goal::Down)
    }

    fn can_reload(&self, id: ServiceId) -> bool {
        self.node(id).is_some_and(|node| node.policy.reload != Reload::None)
    }
}
