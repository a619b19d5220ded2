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
pub mod hostname;
mod library;
mod merge;
mod node;
mod problem;
mod profile;
#[cfg(feature = "read")]
pub mod read;
mod recognise;
pub mod section;

pub use entry::{
    Binary, Cgroup, Check, Conflict, File, KernelOptions, Module, Mount, Port, Protocol, Service,
    Severity, Sysctl,
};
pub use hardware::{Boot, Firmware, Hardware, Match, Parameter, Trap};
pub use library::{Choice, Library, Merged};
pub use node::{Node, Settings};
pub use problem::{About, Problem};
pub use profile::Profile;
pub use recognise::{Machine, mismatch, recognise};
pub use section::Section;
