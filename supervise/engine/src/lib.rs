//! Which service may go up and which must go down: the order, as a pure state machine.
//!
//! It holds one [`unit::Unit`] for each service of a graph and what is wanted of it ([`Goal`]).
//! Events go in by [`Engine::handle`] and [`Engine::request`]; what the shell must record and do
//! comes out by [`Engine::next_change`] and [`Engine::next_action`]. A service that may not act
//! yet waits on one named other service ([`Wait`]): that is what wakes it, and what people read.
//! Every start is the engine's, the restart after a crash too, so what holds for one holds for all.
//!
//! **Invariants:** nothing starts before what it requires is ready (I3), nothing is stopped before
//! its dependents are down (I4; but for a restart of one service alone, which is asked for as
//! such); when quiet, the goal is reached or a named failure blocks it (I5); a shutdown ends within
//! the sum of its deadlines (I7); same events, same actions (I8); a crash of the shell between any
//! two events, records or actions changes no outcome (I9).

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod decide;
mod machine;
mod policy;
mod relations;
mod request;
mod view;

pub use machine::{Engine, Saved};
pub use policy::policy_of;
pub use request::{Plan, Request};
pub use view::Status;

use graph::ServiceId;

/// What is wanted of a service.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Goal {
    /// Nothing of it shall run.
    #[default]
    Down,
    /// It shall be up.
    Up,
    /// It shall go down, after its dependents, and then be up: a restart in good order.
    Renew,
}

/// Why a service does not act on its goal yet.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Wait {
    /// It does not wait.
    #[default]
    Nothing,
    /// To start: this one, which it requires, is not up.
    Requires(ServiceId),
    /// To start: this one, which it wants or comes after, has neither come up nor failed yet.
    Order(ServiceId),
    /// To start: this one, with which it conflicts, is not down.
    Conflict(ServiceId),
    /// To stop: this one, which depends on it, is not down.
    Dependent(ServiceId),
}

impl Wait {
    /// The service that it waits on.
    #[must_use]
    pub const fn on(self) -> Option<ServiceId> {
        match self {
            Self::Nothing => None,
            Self::Requires(id) | Self::Order(id) | Self::Conflict(id) | Self::Dependent(id) => {
                Some(id)
            }
        }
    }
}
