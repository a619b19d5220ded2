//! Who depends on whom: each relation as one flat array of edges, ordered by the service that has
//! them (compressed sparse rows), so that ten thousand services cost a few allocations.

use alloc::{vec, vec::Vec};

use graph::{Graph, ServiceId};

/// How strongly one service depends on another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Strength {
    /// It must be up.
    Requires,
    /// It is started too, and waited for until it is up or has failed.
    Wants,
    /// It is waited for, if it is to be up.
    After,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) to: ServiceId,
    pub(crate) strength: Strength,
}

/// All relations of a graph, both ways.
#[derive(Clone, Debug)]
pub(crate) struct Relations {
    dependencies: Rows<Edge>,
    dependents: Rows<Edge>,
    conflicts: Rows<ServiceId>,
}

impl Relations {
    /// An edge to a service that does not exist is left out: `graph` has refused it before.
    pub(crate) fn new(graph: &Graph) -> Self {
        let count = graph.services.len();
        let mut forward = Vec::new();
        let mut backward = Vec::new();
        let mut conflicts = Vec::new();
        for (from, service) in ids().zip(&graph.services) {
            let edges = [
                (&service.requires, Strength::Requires),
                (&service.wants, Strength::Wants),
                (&service.after, Strength::After),
            ];
            for (targets, strength) in edges {
                for &to in targets.iter().filter(|to| position(**to) < count) {
                    forward.push((from, Edge { to, strength }));
                    backward.push((to, Edge { to: from, strength }));
                }
            }
            // Whoever of the two says so, it holds for both.
            for &other in service.conflicts.iter().filter(|other| position(**other) < count) {
                conflicts.push((from, other));
                conflicts.push((other, from));
            }
        }
        Self {
            dependencies: Rows::new(count, forward),
            dependents: Rows::new(count, backward),
            conflicts: Rows::new(count, conflicts),
        }
    }

    /// What it depends on.
    pub(crate) fn dependencies(&self, id: ServiceId) -> &[Edge] {
        self.dependencies.of(id)
    }

    /// What it requires.
    pub(crate) fn required(&self, id: ServiceId) -> impl Iterator<Item = ServiceId> {
        let edges = self.dependencies(id).iter();
        edges.filter(|edge| edge.strength == Strength::Requires).map(|edge| edge.to)
    }

    /// What depends on it.
    pub(crate) fn dependents(&self, id: ServiceId) -> &[Edge] {
        self.dependents.of(id)
    }

    /// What is never up at the same time.
    pub(crate) fn conflicts(&self, id: ServiceId) -> &[ServiceId] {
        self.conflicts.of(id)
    }
}

/// Every [`ServiceId`], in order.
pub(crate) fn ids() -> impl Iterator<Item = ServiceId> {
    (0..=u32::MAX).map(ServiceId)
}

/// Where a service's data is.
pub(crate) fn position(id: ServiceId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}

/// A list for each service, one after another in a single array.
#[derive(Clone, Debug)]
struct Rows<T> {
    /// Where each service's list ends; it begins where the one before ends.
    ends: Vec<usize>,
    items: Vec<T>,
}

impl<T: Copy> Rows<T> {
    /// Items of the same service keep their order.
    fn new(count: usize, mut items: Vec<(ServiceId, T)>) -> Self {
        items.sort_by_key(|(from, _)| *from);
        let mut ends = vec![0_usize; count];
        for (from, _) in &items {
            if let Some(end) = ends.get_mut(position(*from)) {
                *end = end.saturating_add(1);
            }
        }
        let mut total = 0_usize;
        for end in &mut ends {
            total = total.saturating_add(*end);
            *end = total;
        }
        Self { ends, items: items.into_iter().map(|(_, item)| item).collect() }
    }

    fn of(&self, id: ServiceId) -> &[T] {
        let position = position(id);
        let before = position.checked_sub(1);
        let begin = before.and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(position).copied().unwrap_or(begin);
        self.items.get(begin..end).unwrap_or(&[])
    }
}
