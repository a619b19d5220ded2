//! What the engine tells about itself.

use alloc::vec::Vec;

use graph::ServiceId;
use unit::{Instant, Unit};

use crate::{Engine, Goal, Saved, Wait};

/// One service, as it stands.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Status {
    /// Its life.
    pub unit: Unit,
    /// What is wanted of it.
    pub goal: Goal,
    /// Why it does not act on that yet.
    pub wait: Wait,
}

impl Engine {
    /// How `id` stands; an unknown one is down.
    #[must_use]
    pub fn status(&self, id: ServiceId) -> Status {
        self.node(id).map_or_else(Status::default, |node| Status {
            unit: node.unit,
            goal: node.goal,
            wait: node.wait,
        })
    }

    /// What [`Engine::resume`] wants to know of `id` one day.
    #[must_use]
    pub fn saved(&self, id: ServiceId) -> Saved {
        let Status { unit, goal, .. } = self.status(id);
        Saved { unit, goal }
    }

    /// From `id` to the root cause: each service waits, as said, on the next; the last does not
    /// wait, and its unit says why it is not where it should be.
    #[must_use]
    pub fn why(&self, id: ServiceId) -> Vec<(ServiceId, Wait)> {
        let mut chain = Vec::new();
        let mut at = Some(id);
        // Waits lead down the order of starts, or up the order of stops, so they end; a bound in
        // the number of services says so to who does not believe it.
        let bound = self.ids().count();
        while let Some(id) = at.filter(|_| chain.len() < bound) {
            let wait = self.status(id).wait;
            chain.push((id, wait));
            at = wait.on();
        }
        chain
    }

    /// Nothing runs, and nothing is about to be started.
    #[must_use]
    pub const fn all_down(&self) -> bool {
        self.running == 0
    }

    /// No service is on its way up or down. Some may wait for a back-off to end.
    #[must_use]
    pub const fn quiet(&self) -> bool {
        self.moving == 0
    }

    /// A shutdown has begun, and everything is down or its time is over.
    #[must_use]
    pub fn shutdown_over(&self, now: Instant) -> bool {
        self.shutdown.is_some_and(|deadline| self.all_down() || deadline <= now)
    }
}
