//! The compiled service graph: what a service is, once every name is resolved and every mistake
//! has been reported.
//!
//! It is *not* the text (that is `source`) and decides nothing (that is `engine`). Pure: no std,
//! no clock, no file.
//!
//! **Invariant:** services are listed in topological order. Each index in `requires`, `wants`,
//! `after` and `log` is smaller than the index of the service that holds it, so that a cycle
//! cannot be represented, start order is index order and stop order its reverse. Relations are
//! sorted, without repetition; `conflicts` is mutual. [`View::open`] accepts nothing else.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod codec;
mod diff;
mod fingerprint;
mod model;
mod nearest;
mod process;
mod rescue;

pub use codec::{DecodeError, View, encode};
pub use diff::{CGROUP_SETTINGS, Change, ChangeKind, Reaction, diff, settings_put_back};
pub use fingerprint::{fingerprint, fnv1a};

pub use model::{
    Bundle, Condition, ConditionTest, Graph, Health, KillMode, Kind, LogSpec, LogTo, OnChange,
    Probe, Process, Readiness, Reload, RestartPolicy, RestartSpec, Service, ServiceId, StopSpec,
    Watchdog,
};
pub use nearest::nearest;
pub use process::{
    CapabilitySet, CgroupSpec, Environment, LimitSpec, MountSpec, RunSpec, TtySpec, UserSpec,
};
pub use rescue::{
    DEFAULT_TARGET, PATH, RESCUE_SHELL, RESCUE_TARGET, SHUTDOWN_BUDGET_MS, rescue, rescue_bundle,
    rescue_shell,
};
