//! What a node needs, and why: profiles and hardware targets, and the table that they merge into.
//!
//! One table drives what `node-setup` does at boot, what `svc doctor` checks, and what
//! `docs/node.md` lists. This crate is the table alone: it opens nothing, and knows no running
//! machine.
//!
//! **Invariant:** every entry carries its reason and its source, so whatever prints one can say
//! why it is there and where to read on.

#![forbid(unsafe_code)]

mod entry;
mod hardware;
mod node;
mod profile;
pub mod section;

pub use entry::{
    Binary, Cgroup, Check, Conflict, File, KernelOptions, Module, Mount, Port, Protocol, Service,
    Severity, Sysctl,
};
pub use hardware::{Boot, Firmware, Hardware, Match, Parameter, Trap};
pub use node::{Node, Settings};
pub use profile::Profile;
pub use section::Section;
